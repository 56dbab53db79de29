"""Submissions in containers, and their daemon gone in the middle of a class."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox_kernel.checks.grading import _Examination, _Stop
from sandbox_kernel.checks.many import Entry, grade_all
from sandbox_kernel.checks.submission import read_submission
from sandbox_kernel.checks.suite import Suite, read_suite
from sandbox_kernel.checks.verdicts import Graded
from sandbox_kernel.policy import Policy
from sandbox_kernel.session import AsyncSandbox

pytestmark = pytest.mark.timeout(300)

HELLO = Path(__file__).with_name("corpus") / "hello"
POLICY = Policy.from_settings({"profile": "strict", "engine": "docker", "cell_timeout": 20})


@pytest.fixture
def door(docker_host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A way to the daemon that can be taken away."""
    path = tmp_path / "docker.sock"
    path.symlink_to(docker_host.removeprefix("unix://"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    return path


def graded(heard: Callable[[Graded], object], *names: str) -> list[Graded]:
    """Grade submissions, one at a time."""
    suite: Suite = read_suite(HELLO / "CHECKS.yaml")
    entries = [Entry(HELLO / name, name) for name in names]
    return asyncio.run(grade_all(entries, suite, POLICY, 1, heard))


def test_a_daemon_that_is_restarted(door: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever's turn it is waits for it, and is judged by what the code does."""
    monkeypatch.setattr("sandbox_kernel.checks.many.AWAY", (0.05,) * 1000)
    there = door.readlink()

    def heard(_: Graded) -> None:
        door.unlink(missing_ok=True)
        asyncio.get_running_loop().call_later(0.2, door.symlink_to, there)

    results = graded(heard, "right.py", "wrong_case.py")
    assert [(one.was_run, one.passed) for one in results] == [(True, True), (True, False)]


def test_a_daemon_that_stays_away(door: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One waits for it in vain; the rest fails at once, as not run, for a reason that is not its own."""
    waited = []

    class Pauses(tuple[float, ...]):
        __slots__ = ()

        def __iter__(self) -> Iterator[float]:
            waited.append(1)
            return super().__iter__()

    monkeypatch.setattr("sandbox_kernel.checks.many.AWAY", Pauses((0.01, 0.01)))
    results = graded(lambda _: door.unlink(missing_ok=True), "right.py", *["wrong_case.py"] * 5)
    assert results[0].passed
    assert {one.was_run for one in results[1:]} == {False}
    assert {one.cause.partition(" at ")[0] for one in results[1:]} == {"Docker does not answer"}
    assert len(waited) == 1


async def test_a_sandbox_that_is_gone_already(door: Path) -> None:
    """Between its start and a submission's turn: the reason is the end's own, without advice to programs."""
    submission = read_submission(HELLO / "right.py", POLICY.code)
    async with AsyncSandbox(POLICY) as sandbox:
        await sandbox.run("import os; os._exit(3)")
        with pytest.raises(_Stop) as stopped:
            await _Examination(sandbox, read_suite(HELLO / "CHECKS.yaml")).of(submission)
    assert stopped.value.cause == "The kernel ended itself with exit status 3"
