"""Running named tests in a copy, and what became of each."""

import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.mutations.copies import a_copy, environment
from tests.mutations.mutation import Mutation

TEST_SECONDS = 40
"""For one test: a wall that is gone often shows in that something never ends."""
TRIAL_SECONDS = 300
"""For all tests of one mutation."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one mutation."""

    mutation: Mutation
    outcomes: Mapping[str, str]
    """Test → failed, passed, skipped, or broken: it did not come so far as to be run."""
    seconds: float
    words: str
    """The end of what pytest said."""

    @property
    def caught(self) -> bool:
        """Whether each test that could be run here failed, and there was one."""
        tried = [outcome for outcome in self.outcomes.values() if outcome != "skipped"]
        return bool(tried) and set(tried) == {"failed"}

    @property
    def survivors(self) -> list[str]:
        """The tests that should have failed and did not, with what they did instead."""
        return [f"{test} {what}" for test, what in self.outcomes.items() if what not in ("failed", "skipped")]


def try_out(mutation: Mutation, original: Path) -> Verdict:
    """Run a mutation's tests in a copy of the original in which it is applied."""
    began = time.monotonic()
    with a_copy(original) as copy:
        mutation.apply(copy)
        outcomes, words = outcomes_of(mutation.caught_by, copy)
    return Verdict(mutation, outcomes, time.monotonic() - began, words)


def outcomes_of(
    tests: Iterable[str], copy: Path, seconds: float = TRIAL_SECONDS
) -> tuple[dict[str, str], str]:
    """Run tests in a copy; return what became of each, and the end of what pytest said."""
    tests = list(tests)
    report = copy.parent / "report.xml"
    command = [
        *(sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "-p", "no:xdist"),
        *(f"--timeout={TEST_SECONDS}", f"--junitxml={report}", f"--basetemp={copy.parent / 'tmp'}", *tests),
    ]
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=environment(copy),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return dict.fromkeys(tests, "broken"), f"not ended after {seconds:g} s"
    found = _read(report) if report.exists() else {}
    return {test: _worst(test, found) for test in tests}, (done.stdout + done.stderr)[-3000:]


def _read(report: Path) -> dict[tuple[str, str], str]:
    """Return what became of each test case, by module and name."""
    cases = ET.parse(report).iter("testcase")
    return {(case.get("classname", ""), case.get("name", "")): _outcome(case) for case in cases}


def _outcome(case: ET.Element) -> str:
    if case.find("failure") is not None:
        return "failed"
    if (error := case.find("error")) is not None:
        # What a fixture finds when the test is over (something was left behind) is a finding.
        return "failed" if "teardown" in error.get("message", "") else "broken"
    return "skipped" if case.find("skipped") is not None else "passed"


def _worst(test: str, found: Mapping[tuple[str, str], str]) -> str:
    """Return what became of a test; of one with parameters, that it failed if one case of it did."""
    file, _, name = test.partition("::")
    module = file.removesuffix(".py").replace("/", ".")
    cases = {
        outcome
        for (where, case), outcome in found.items()
        if where == module and (case == name or case.startswith(f"{name}["))
    }
    order = ("failed", "broken", "passed", "skipped")
    return next((outcome for outcome in order if outcome in cases), "broken")
