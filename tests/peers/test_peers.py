"""Other projects' own suites cannot tell a sandboxed kernel from a plain one, but for a listed few."""

import tomllib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.daemons.plugin import containers_wanted
from tests.peers import suites
from tests.peers.suites import DOCKER, PLAIN, SANDBOXED, Kept, Outcomes, Suite

LISTED = tomllib.loads(Path(__file__).with_name("differences.toml").read_text())
SUITES = ("nbclient", "jupyter_kernel_test")
AT_ONCE = 3
"""Runs of suites side by side: one waits for two thirds of its time, for kernels and deadlines of its own."""


class Runs:
    """How every suite ends, whole, with every kind of kernels; what is not known yet is started at once."""

    def __init__(self, pool: ThreadPoolExecutor, cache: Path, work: Path, docker_host: str | None) -> None:
        self.suites = {"nbclient": suites.nbclient(cache), "jupyter_kernel_test": suites.kernel_protocol()}
        self._work = work
        self._kept = Kept(cache)
        self._docker_host = docker_host or ""
        self._first: dict[tuple[str, str], Future[Outcomes]] = {
            (name, kernels): pool.submit(self._run_first, self.suites[name], kernels)
            for name in SUITES
            for kernels in (PLAIN, SANDBOXED, *([DOCKER] if docker_host else []))
        }

    def _run_first(self, suite: Suite, kernels: str) -> Outcomes:
        kept = self._kept.load(suite) if kernels == PLAIN else None
        return kept or self._run(suite, kernels, "first")

    def trust(self, name: str) -> None:
        """Keep how a suite ended with plain kernels: nobody doubts it."""
        self._kept.save(self.suites[name], self._first[name, PLAIN].result())

    def _run(self, suite: Suite, kernels: str, when: str, only: tuple[str, ...] = ()) -> Outcomes:
        work = self._work / f"{suite.name}-{kernels}-{when}"
        return suite.run(kernels, work, only, docker_host=self._docker_host)

    def differences(self, name: str, kernels: str) -> dict[str, dict[str, str]]:
        """Return how each test ended that did not end alike with plain and with these kernels."""
        plain, sandboxed = (self._first[name, each].result() for each in (PLAIN, kernels))
        assert list(plain.values()).count("passed") > 10, "the suite itself does not work here"
        return _differences(plain, sandboxed)

    def again(self, name: str, kernels: str, only: tuple[str, ...]) -> dict[str, dict[str, str]]:
        """The same for some tests, one run after the other."""
        for future in self._first.values():
            future.exception()  # all have ended
        plain, sandboxed = (
            self._run(self.suites[name], each, f"again-for-{kernels}", only) for each in (PLAIN, kernels)
        )
        return _differences(plain, sandboxed)


def _differences(plain: Outcomes, sandboxed: Outcomes) -> dict[str, dict[str, str]]:
    assert plain.keys() == sandboxed.keys()
    return {
        name: {PLAIN: plain[name], SANDBOXED: sandboxed[name]}
        for name in plain
        if plain[name] != sandboxed[name]
    }


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    docker_host = None
    if containers_wanted(request.session):
        with suppress(pytest.skip.Exception):  # the tests that need it skip by themselves
            docker_host = request.getfixturevalue("docker_host")
            assert request.getfixturevalue("scipy_image") == "sandbox-kernel/scipy"
    with ThreadPoolExecutor(AT_ONCE) as pool:
        cache, work = request.config.cache.mkdir("sdists"), tmp_path_factory.mktemp("peers")
        yield Runs(pool, cache, work, docker_host)
        pool.shutdown(cancel_futures=True)


def compare(runs: Runs, suite: str, kernels: str) -> None:
    """Each test of the suite ends alike with plain and with these kernels, or is listed with a reason."""
    listed = {
        name: {end: entry[end] for end in (PLAIN, SANDBOXED)}
        for name, entry in LISTED[suite].items()
        if kernels in entry.get("only", (SANDBOXED, DOCKER))
    }
    found = runs.differences(suite, kernels)
    doubtful = tuple(name for name in found | listed if found.get(name) != listed.get(name))
    if doubtful:  # these suites measure times: on a busy machine a test may fail once, either way
        again = runs.again(suite, kernels, doubtful)
        found = {name: ends for name, ends in found.items() if name not in doubtful} | again
    else:
        runs.trust(suite)
    assert found == listed


@pytest.mark.timeout(4 * suites.PATIENCE)
@pytest.mark.parametrize("suite", SUITES)
def test_outcomes_are_equal(runs: Runs, suite: str) -> None:
    """Behind bubblewrap's wall a suite ends as it does without one."""
    compare(runs, suite, SANDBOXED)


@pytest.mark.timeout(4 * suites.PATIENCE)
@pytest.mark.parametrize("suite", SUITES)
def test_outcomes_in_containers(docker_host: str, scipy_image: str, runs: Runs, suite: str) -> None:
    """In a container, too, on an interpreter that may be another version."""
    compare(runs, suite, DOCKER)


def test_reasons() -> None:
    """Each listed difference gives its reason."""
    assert all(len(entry["reason"]) > 20 for listed in LISTED.values() for entry in listed.values())
