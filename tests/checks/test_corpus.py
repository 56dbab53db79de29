"""Submissions, right, wrong and hostile, against files of checks: every verdict is the right one.

Each folder of `corpus` holds submissions, their CHECKS.yaml, and in VERDICTS.yaml what has to be said of
each: how its run ends ("any" where it is the kernel's or the machine's choice) and which checks it passes.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sandbox_kernel.checks.many import Entry, grade_all
from sandbox_kernel.checks.suite import Suite, read_suite
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
def results(request: pytest.FixtureRequest) -> Iterator[dict[str, Graded]]:
    """All of the corpus that tests ask for, graded in one go in one process."""
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
        yield asyncio.run(every())


CASES = [(suite, name) for suite in SUITES for name in expected_of(suite)]


@pytest.mark.parametrize(("suite", "name"), CASES, ids=[f"{suite}/{name}" for suite, name in CASES])
def test_verdict(suite: str, name: str, results: dict[str, Graded]) -> None:
    """The submission passes the checks that it should pass, and no other, for a reason in words."""
    expected, graded = expected_of(suite)[name], results[f"{suite}/{name}"]
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


def test_answers_are_kept(results: dict[str, Graded]) -> None:
    """No reason tells what was expected of a text."""
    reasons = [verdict.reason for graded in results.values() for verdict in graded.verdicts]
    assert not [reason for reason in reasons if "Hello, world" in reason]
