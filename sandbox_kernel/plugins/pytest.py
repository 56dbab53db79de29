"""What pytest loads in every session of everybody who has this package: an option, and two fixtures.

Without the option nothing is done, and nothing is imported until a test asks for a fixture.
`-p no:sandbox_kernel` leaves it out altogether.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox_kernel.session import Sandbox

HELP = """\
run the kernels of all notebooks (nbmake, nbval, testbook, your own) in sandboxes; PROFILE is `default` or
`strict`, everything else is set by variables SANDBOX_KERNEL_*
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--sandbox[=PROFILE]`."""
    group = parser.getgroup("sandbox-kernel", "sandboxed kernels")
    group.addoption("--sandbox", nargs="?", const="", metavar="PROFILE", help=HELP)


def pytest_configure(config: pytest.Config) -> None:
    """Have every kernel of this session, and of its workers, start in a sandbox, if that was asked for."""
    if config.getoption("sandbox") is not None:
        from sandbox_kernel.plugins.pytest_sandbox import Sandboxing  # noqa: PLC0415 -- see above

        config.pluginmanager.register(Sandboxing(config), "sandbox_kernel_kernels")


@pytest.fixture
def sandbox_kernel(sandbox_kernel_factory: "Callable[..., Sandbox]") -> "Sandbox":
    """A fresh sandbox, gone after the test: `sandbox_kernel.run("1 + 1").value`.

    What it may do is said by `--sandbox=PROFILE` and variables SANDBOX_KERNEL_*.
    """
    return sandbox_kernel_factory()


@pytest.fixture
def sandbox_kernel_factory() -> "Iterator[Callable[..., Sandbox]]":
    """Makes sandboxes that end with the test: `sandbox_kernel_factory("strict", memory="512m")`.

    Arguments are those of `sandbox_kernel.session.Sandbox`; without a policy or settings it is as
    `--sandbox=PROFILE` and variables SANDBOX_KERNEL_* say.
    """
    from sandbox_kernel.plugins.pytest_sandbox import Sandboxes  # noqa: PLC0415 -- see above

    with Sandboxes() as sandboxes:
        yield sandboxes.make
