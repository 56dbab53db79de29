"""A worker answers, fails in words, and is ended when it does not answer."""

import os
import signal

import pytest

from sandbox_kernel.bench.lane import Lane
from sandbox_kernel.bench.processes import tree
from sandbox_kernel.bench.subjects import PLAIN, SANDBOXES, Scratch, Subject
from sandbox_kernel.bench.unmeasured import UnmeasuredError


def test_what_hangs_is_ended_and_said(place: Scratch, no_leftovers: object) -> None:
    """A measurement that takes too long ends with its kernels; the next one has a new worker."""
    lane = Lane(PLAIN, place)
    try:
        with pytest.raises(UnmeasuredError, match=r"no answer within 0\.01 s"):
            lane.ask("execute", 0.01, times=1)
        assert len(lane.ask("execute", 60, times=3)["execute"]) == 3
    finally:
        lane.close()


def test_what_dies_is_said(place: Scratch) -> None:
    """A worker that ends in the middle is not waited for."""
    lane = Lane(PLAIN, place)
    try:
        lane.ask("open", 60)
        [worker] = [pid for pid in tree([os.getpid()]) if b"sandbox_kernel.bench.worker" in _command(pid)]
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(UnmeasuredError, match="the measuring process ended"):
            lane.ask("execute", 60, times=1)
    finally:
        lane.close()


def test_a_kernel_that_does_not_start_says_why(place: Scratch) -> None:
    """The sentence is that of whoever refused it."""
    nobody = Subject("nobody", "nobody's", "sandbox-provisioner", {"memory": "no size"})
    place.install(nobody)
    lane = Lane(nobody, place)
    try:
        for measure in ("open", "cold"):
            with pytest.raises(UnmeasuredError, match='"memory" in kernelspec'):
                lane.ask(measure, 60, **({"times": 1} if measure == "cold" else {}))
    finally:
        lane.close()


def test_nothing_of_the_user_s_is_touched(place: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels are found by name in the scratch directory, whatever the user has set."""
    monkeypatch.setenv("SANDBOX_KERNEL_MEMORY", "1m")
    monkeypatch.setenv("JUPYTER_DEFAULT_PROVISIONER_NAME", "sandbox-provisioner")
    monkeypatch.setenv("JUPYTER_PATH", "/elsewhere")
    environment = place.environment
    assert not {"SANDBOX_KERNEL_MEMORY", "JUPYTER_DEFAULT_PROVISIONER_NAME"} & environment.keys()
    assert environment["JUPYTER_PATH"].endswith(":/elsewhere")
    assert environment["IPYTHONDIR"] != os.environ.get("IPYTHONDIR")


def test_subjects_survive_the_pipe() -> None:
    """A worker gets the subject that was meant."""
    for subject in (PLAIN, *SANDBOXES.values(), SANDBOXES["docker"].with_pool("on")):
        assert Subject.from_json(subject.to_json()) == subject


def _command(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""
