"""Promises of the sandbox's thread that no kernel is needed for."""

import pytest

from sandbox_kernel.errors import StartError
from sandbox_kernel.guest import counters, service, supervisor
from sandbox_kernel.host import kernel_log, registry, sandbox
from sandbox_kernel.host.engines.memory import MemoryEngine
from sandbox_kernel.policy import Policy
from tests.conformance.kernel import Kernel


class Broken(MemoryEngine):
    """An engine with a bug."""

    def start(self, policy, launch):
        raise ZeroDivisionError("a bug")


def test_a_bug_in_an_engine_reaches_who_waits(directory, no_leftovers):
    """Whatever is raised in the thread ends up in the future, and nothing is left."""
    kernel = Kernel(Broken(), Policy(), directory, wait=False)
    with pytest.raises(StartError, match="a bug"):
        kernel.started.result(timeout=30)
    assert kernel.sandbox.ended.result(timeout=30)
    kernel.close()


def test_the_end_is_published_even_if_clearing_fails(directory, monkeypatch):
    """A failing step of the clearing neither hides the end nor keeps the other steps from being taken."""
    failed = []

    def fail(front):
        failed.append(front)
        raise OSError("disk on fire")

    kernel = Kernel(MemoryEngine(), Policy(), directory)
    monkeypatch.setattr(registry, "leave", fail)
    monkeypatch.setattr("threading.excepthook", lambda args: failed.append(args.exc_value))
    kernel.sandbox.kill()
    assert kernel.sandbox.ended.result(timeout=30).kind == "shutdown"
    kernel.sandbox.close()
    assert len(failed) == 2  # the step, and the report of it
    assert kernel.sandbox not in sandbox._LIVE
    monkeypatch.undo()
    kernel.close()


@pytest.mark.parametrize("changed", ["WIRE_VERSION", "__version__"])
def test_a_guest_of_another_version_is_named(directory, monkeypatch, no_leftovers, changed):
    """An image outlives upgrades: the first frame tells, and the sentence says what to do."""
    monkeypatch.setattr(supervisor, changed, 7 if changed == "WIRE_VERSION" else "0.0.7")
    kernel = Kernel(MemoryEngine(), Policy(), directory, wait=False)
    with pytest.raises(StartError, match="sandbox-kernel image build"):
        kernel.started.result(timeout=30)
    kernel.close()


@pytest.mark.parametrize(
    ("killed", "refused", "words"), [(1, 0, "memory limit was reached"), (0, 5, "limit on processes")]
)
def test_what_the_guest_has_counted_is_told(directory, monkeypatch, tmp_path, killed, refused, words):
    """Where the host cannot read the control group, the cell is told of what the guest saw in it."""
    monkeypatch.setattr(service, "Group", lambda: counters.Group(str(tmp_path)))
    group = {"memory.events": "oom_kill {}", "pids.events": "max {}"}
    for name, text in group.items():
        (tmp_path / name).write_text(text.format(0))
    kernel = Kernel(MemoryEngine(), Policy(), directory)
    assert "[sandbox]" not in kernel.run("1").text("stderr")
    for (name, text), count in zip(group.items(), (killed, refused), strict=True):
        (tmp_path / name).write_text(text.format(count))
    assert words in kernel.run("2").text("stderr")
    assert "[sandbox]" not in kernel.run("3").text("stderr")
    kernel.close()


def test_a_flood_in_the_kernels_log_ends(directory, monkeypatch):
    """What the kernel's process writes reaches the host's log up to a cap, and says so."""
    monkeypatch.setattr(kernel_log, "MAX_LOG", 1000)
    kernel = Kernel(MemoryEngine(), Policy(), directory)
    for _ in range(100):
        kernel.sandbox._log.note("x" * 100)
    assert sum(map(len, kernel.log)) < 2000
    assert "not kept" in kernel.log[-1]
    kernel.close()
