"""What pytest loads in every session of everybody who has this package: an option.

Without it nothing is done, and nothing is imported. `-p no:sandbox_kernel` leaves it out altogether.
"""

import pytest

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
