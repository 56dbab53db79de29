"""What all tests share: engines that must be there, and proof that nothing is left behind.

`REQUIRE_ENGINES` (names, separated by commas) lists the engines that continuous integration
promises to have. With it set, a skipped test fails, unless the reason of the skip begins
with `engine NAME` and NAME is not on the list: there are no other grounds for skipping.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox_kernel.host.engines.bubblewrap.template import TEMPLATES

pytest_plugins = ["tests.daemons.plugin", "tests.installed", "tests.leftovers", "tests.ordinary_user"]

REPOSITORY = Path(__file__).parents[1]
NO_DAEMON = "unix:///nowhere/docker.sock"
"""Tests bring up daemons of their own: "auto" must not find the one that somebody works with."""
LONGEST = (
    *("ordinary", "peers", "packaging/test_tools.py", "browser/test_hostile_output.py", "cli/test_run.py"),
    *("browser", "bench", "packaging", "host/engines/bubblewrap/template", "plugins"),
    "provisioner/test_launcher.py",
)
"""Parts that take a worker the longest, the longest first: what is left at the end is short."""
FORKED = ("batches", "checks", "conformance", "mcp", "notebooks", "provisioner", "session")
"""Parts that are not about how a kernel starts, and start hundreds: all are forked, from a template that
stays for the session. As for users each test would make a template of its own, and wait until it goes."""
MORE = (
    *("batches", "bench", "benchmarks", "checks", "examples", "mcp", "notebooks", "plugins", "session"),
    *("cli/test_artifacts.py", "cli/test_audit.py", "cli/test_batch.py", "cli/test_batch_reports.py"),
    *("cli/test_batch_screen.py", "cli/test_bench.py", "cli/test_check.py", "cli/test_ends.py"),
    *("cli/test_hints.py", "cli/test_image.py", "cli/test_imports.py", "cli/test_mcp.py"),
    *(
        "cli/test_papermill.py",
        "cli/test_parity.py",
        "cli/test_run_places.py",
        "cli/test_script_arguments.py",
        "cli/test_streams.py",
    ),
    *("host/engines/bubblewrap/template", "host/engines/docker", "host/test_pool.py", "images"),
    *("packaging/test_tools.py", "packaging/test_wheel.py", "provisioner/test_pool.py"),
)
"""Parts that `make test` leaves to `make test-more`: runs without a browser, fast starts, packages."""
NAMED = "JUPYTER_DEFAULT_PROVISIONER_NAME"
_SETTINGS = ("SANDBOX_KERNEL_", NAMED)


def pytest_configure() -> None:
    """Undo what was handed down: ignored signals (nohup, a shell's `&`, pytest-xdist), somebody's daemon."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.environ["DOCKER_HOST"] = NO_DAEMON


@pytest.fixture(scope="session", autouse=True)
def state_directory() -> Iterator[Path]:
    """Where this session's sandboxes write down what they do."""
    with tempfile.TemporaryDirectory(prefix="skt-state-") as directory, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", directory)
        yield Path(directory)


@pytest.fixture(scope="session", autouse=True)
def no_warm_sandboxes() -> Iterator[None]:
    """Tests count what kernels leave: on this machine none is kept warm by itself (`host/test_pool.py`)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sandbox_kernel.host.pool.SMALL", 1 << 62)
        yield


@pytest.fixture(scope="module", autouse=True)
def forked_or_started(request: pytest.FixtureRequest) -> Iterator[None]:
    """FORK=1 has every kernel forked that can be, FORK=0 none; else it is as FORKED says, or as for users."""
    fork = os.environ.get("FORK") or ("1" if place_in(FORKED, request.path) < len(FORKED) else "")
    templates = "sandbox_kernel.host.engines.bubblewrap.template.templates"
    with pytest.MonkeyPatch.context() as patch:
        if fork:
            patch.setattr(f"{templates}.LAUNCHES", 1 if fork == "1" else 1 << 62)
            patch.setattr(f"{templates}.WAIT", 60.0)
        if fork == "1":
            patch.setattr(f"{templates}.UNUSED", 600.0)
        else:
            TEMPLATES.rest()
        yield


@pytest.fixture(autouse=True)
def environment_as_it_was() -> Iterator[None]:
    """Undo what a command that a test calls in this process has set for the kernels of its own."""
    before = _settings()
    yield
    for name in _settings().keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)
    provisioning = sys.modules.get("jupyter_client.provisioning.factory")
    if provisioning and NAMED not in before:
        _forget_named(provisioning.KernelProvisionerFactory)


def _forget_named(factory: Any) -> None:
    """Have jupyter_client look once more who starts kernels: it looks once, and may have in such a test."""
    if factory.initialized() and factory.instance().default_provisioner_name != "local-provisioner":
        factory.clear_instance()


def _settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(_SETTINGS)}


def required_engines() -> set[str]:
    return {name for name in os.environ.get("REQUIRE_ENGINES", "").replace(",", " ").split() if name}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[pytest.TestReport]:
    """Turn a skip into a failure where the engine it excuses itself with was promised."""
    report = yield
    required = required_engines()
    if not (required and report.skipped) or hasattr(report, "wasxfail"):
        return report
    reason = report.longrepr[2].removeprefix("Skipped: ")
    words = reason.replace(":", " ").split()
    excused = len(words) > 1 and words[0].lower() == "engine" and words[1] not in required
    if not excused:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and REQUIRE_ENGINES forbids it: {reason}"
    return report


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave what `make test` leaves out unread: with it, each worker takes half as long again to begin."""
    if config.option.markexpr == "not more" and collection_path.is_relative_to(REPOSITORY / "tests"):
        return place_in(MORE, collection_path) < len(MORE) or None
    return None


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes minutes first, so that all workers end together."""
    items.sort(key=lambda item: place_in(LONGEST, item.path))
    for item in items:
        if place_in(MORE, item.path) < len(MORE):
            item.add_marker("more")


def place_in(parts: tuple[str, ...], path: Path) -> int:
    """Return which of these parts of the tests a file is in, the first if in several; or their number."""
    below = path.relative_to(REPOSITORY / "tests")
    return next((place for place, part in enumerate(parts) if below.is_relative_to(part)), len(parts))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout under test."""
    return REPOSITORY


@pytest.fixture
def directory() -> Iterator[Path]:
    """A notebook's directory that the sandbox may read."""
    path = Path(tempfile.mkdtemp(prefix="notebook-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)
