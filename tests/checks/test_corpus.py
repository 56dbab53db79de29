"""Submissions, right, wrong and hostile, against files of checks: every verdict is the right one.

Each folder of `corpus` holds submissions, their CHECKS.yaml, and in VERDICTS.yaml what has to be said of
each: how its run ends ("any" where it is the kernel's or the machine's choice) and which checks it passes.
"""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest
import yaml

from sandbox_kernel.checks.evidence import Evidence
from sandbox_kernel.checks.fields import Fields
from sandbox_kernel.checks.kinds import Condition
from sandbox_kernel.checks.many import Entry, grade_all
from sandbox_kernel.checks.suite import Check, Suite, read_suite
from sandbox_kernel.checks.verdicts import Graded
from sandbox_kernel.policy import Policy

pytestmark = pytest.mark.timeout(300)  # the first waits for all of them, half a minute

CORPUS = Path(__file__).with_name("corpus")
SUITES = sorted(path.parent.name for path in CORPUS.glob("*/CHECKS.yaml"))
JOBS = {"late": 3}
"""Submissions of a suite at a time, where it is not one: these sleep, or are stopped at half a core."""
NOT_SUBMISSIONS = {"CHECKS.yaml", "VERDICTS.yaml"}


def expected_of(suite: str) -> dict[str, dict]:
    return yaml.safe_load((CORPUS / suite / "VERDICTS.yaml").read_text())


def policy_of(suite: Suite) -> Policy:
    return Policy.from_settings({"profile": "strict", "engine": "bubblewrap", **suite.policy})


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> Iterator[dict[str, list[Graded]]]:
    """All of the corpus that tests ask for, graded in one go in one process: as it is, and all by kernels."""
    asked = {item.callspec.id for item in request.session.items if item.name.startswith("test_verdict")}

    async def one(name: str) -> list[Graded]:
        suite = read_suite(CORPUS / name / "CHECKS.yaml")
        every = [Entry(CORPUS / name / each, f"{name}/{each}") for each in expected_of(name)]
        entries = [each for each in every if each.name in asked]
        return await grade_all(entries, suite, policy_of(suite), JOBS.get(name, 1))

    async def every() -> dict[str, Graded]:
        graded = await asyncio.gather(*map(one, SUITES))
        return {each.submission: each for several in graded for each in several}

    with pytest.MonkeyPatch.context() as patch:
        templates = "sandbox_kernel.host.engines.bubblewrap.template.templates"
        if not os.environ.get("FORK"):  # as in a process that has graded a few
            patch.setattr(f"{templates}.LAUNCHES", 1)
        usual = asyncio.run(every())
        patch.setattr("sandbox_kernel.checks.grading.is_plain", lambda *_: False)
        by_kernels = asyncio.run(every())
        yield {name: [usual[name], by_kernels[name]] for name in usual}


CASES = [(suite, name) for suite in SUITES for name in expected_of(suite)]


@pytest.mark.parametrize(("suite", "name"), CASES, ids=[f"{suite}/{name}" for suite, name in CASES])
def test_verdict(suite: str, name: str, results: dict[str, list[Graded]]) -> None:
    """The submission passes the checks that it should pass, and no other, for a reason in words."""
    for graded in results[f"{suite}/{name}"]:
        see_to(suite, name, graded)


def see_to(suite: str, name: str, graded: Graded) -> None:
    expected = expected_of(suite)[name]
    checks = [check.name for check in read_suite(CORPUS / suite / "CHECKS.yaml").checks]
    passes = {"all": checks, "none": []}.get(str(expected["passes"]), expected["passes"])
    told = f"{graded.outcome}: {graded.cause}; {[(v.name, v.reason) for v in graded.verdicts]}"
    assert [verdict.name for verdict in graded.verdicts if verdict.passed] == passes, told
    assert expected["outcome"] in ("any", graded.outcome), told
    assert graded.was_run
    assert graded.cause
    assert all(verdict.reason for verdict in graded.verdicts)
    assert graded.points == sum(verdict.most for verdict in graded.verdicts if verdict.passed)


def test_all_submissions_have_a_verdict() -> None:
    """There are enough of them, and none is forgotten."""
    there = {f"{path.parent.name}/{path.name}" for path in CORPUS.glob("*/*")} - {
        f"{suite}/{name}" for suite in SUITES for name in NOT_SUBMISSIONS
    }
    assert there == {f"{suite}/{name}" for suite, name in CASES}
    assert len(CASES) >= 40


def test_answers_are_kept(results: dict[str, list[Graded]]) -> None:
    """No reason tells what was expected of a text."""
    every = (graded for both in results.values() for graded in both)
    reasons = [verdict.reason for graded in every for verdict in graded.verdicts]
    assert not [reason for reason in reasons if "Hello, world" in reason]


@dataclass(frozen=True)
class Faulty(Condition):
    """Has a bug that the output of one submission brings to light."""

    title = expected = "no failure"

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return one."""
        return cls()

    def miss(self, evidence: Evidence, number: int) -> str | None:
        """Return nothing where the output is right, and fail where it is not."""
        return None if "Hello, world!" in evidence.cells[0].stdout else str(1 / 0)


def test_a_bug_of_ours_costs_one_result(tmp_path: Path) -> None:
    """Who cannot be judged, or read, is named as such; the others have their results."""
    only = Check(kind="faulty", name="faulty", points=1, condition=Faulty())
    suite = Suite(source="C", checks=(only,), policy={"cell_timeout": 20})
    names = (CORPUS / "hello" / "wrong_case.py", tmp_path / f"{'x' * 300}.py", CORPUS / "hello" / "right.py")
    entries = [Entry(path, path.name[:20]) for path in names]
    wrong, unreadable, right = asyncio.run(grade_all(entries, suite, policy_of(suite), 1))
    assert (wrong.was_run, wrong.passed, wrong.points) == (False, False, 0)
    assert wrong.cause.startswith(
        "it could not be judged, which is a bug in sandbox-kernel: ZeroDivisionError"
    )
    assert (unreadable.outcome, unreadable.cause) == ("unusable", "it cannot be read: File name too long")
    assert right.passed
