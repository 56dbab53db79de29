"""Causes of death: from facts outside the wall to one sentence and an exit code."""

import pytest

from sandbox_kernel.errors import ExitCode
from sandbox_kernel.host.deaths import Intent, explain
from sandbox_kernel.host.engines.base import Usage
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import KernelExit

MiB = 1 << 20
POLICY = Policy(memory=512 * MiB, pids=128)
OOM = Usage(memory_bytes=512 * MiB, oom_kills=1)


def left(returncode):
    return KernelExit(returncode=returncode, max_rss=0, cpu_seconds=0.0)


CASES = [
    # intent, kernel, usage, kind, code, words
    (None, left(-9), OOM, "memory", ExitCode.LIMIT, "used 512 MiB of 512 MiB memory ('memory')"),
    (None, None, OOM, "memory", ExitCode.LIMIT, "512 MiB"),
    (None, left(-9), Usage(), "crash", ExitCode.DIED, "SIGKILL"),
    (None, left(-11), Usage(), "crash", ExitCode.DIED, "SIGSEGV"),
    (None, left(-11), OOM, "crash", ExitCode.DIED, "SIGSEGV"),
    (None, left(0), OOM, "exit", ExitCode.DIED, "exit status 0"),
    (None, left(3), Usage(), "exit", ExitCode.DIED, "exit status 3"),
    (None, left(1), Usage(pids_refused=7), "exit", ExitCode.DIED, "limit of 128 processes"),
    (None, None, Usage(), "lost", ExitCode.DIED, "without a word"),
    (Intent("deadline", "The deadline passed."), left(-9), OOM, "deadline", ExitCode.DEADLINE, "deadline"),
    (Intent("stopped", "Stopped."), None, Usage(), "stopped", ExitCode.CANCELLED, "Stopped"),
    (Intent("shutdown", "Asked."), left(0), Usage(), "shutdown", ExitCode.OK, "Asked"),
    (Intent("shutdown", "Asked."), left(-9), OOM, "memory", ExitCode.LIMIT, "512 MiB"),
]


@pytest.mark.parametrize(("intent", "kernel", "usage", "kind", "code", "words"), CASES)
def test_each_end_has_its_cause(intent, kernel, usage, kind, code, words):
    """The cause follows from who asked, what the wall counted and how the kernel ended."""
    death = explain(POLICY, intent=intent, kernel=kernel, status=-9, usage=usage)
    assert (death.kind, death.exit_code) == (kind, code)
    assert words in death.sentence
    assert death.returncode == (kernel.returncode if kernel else -9)


def test_an_end_from_inside_is_not_a_loss():
    """A sandbox that has ended well without a word was ended by its own code: a retry would not help."""
    death = explain(POLICY, intent=None, kernel=None, status=0, usage=Usage())
    assert (death.kind, death.exit_code) == ("exit", ExitCode.DIED)


def test_the_engine_may_know_better():
    """Where nothing else explains the end, the engine's own word is passed on; else it is not needed."""
    facts = {"intent": None, "status": 137, "cause": "The daemon at unix:///x is gone."}
    assert "daemon" in explain(POLICY, kernel=None, usage=Usage(), **facts).sentence
    assert "daemon" not in explain(POLICY, kernel=None, usage=OOM, **facts).sentence
    assert "daemon" not in explain(POLICY, kernel=left(3), usage=Usage(), **facts).sentence
