"""Other projects' own suites cannot tell a sandboxed kernel from a plain one, but for a listed few."""

import tomllib
from pathlib import Path

import pytest

from tests.peers import suites
from tests.peers.suites import DOCKER, PLAIN, SANDBOXED, Outcomes, Suite

LISTED = tomllib.loads(Path(__file__).with_name("differences.toml").read_text())


@pytest.fixture
def suite(request: pytest.FixtureRequest) -> Suite:
    if request.param == "nbclient":
        return suites.nbclient(request.config.cache.mkdir("sdists"))
    return suites.kernel_protocol()


_PLAIN: dict[str, Outcomes] = {}


def plain_outcomes(suite: Suite, work: Path) -> Outcomes:
    """Return how the whole suite ends with plain kernels; run once, whatever it is compared with."""
    if suite.name not in _PLAIN:
        _PLAIN[suite.name] = suite.run(PLAIN, work)
    return _PLAIN[suite.name]


def differences(
    suite: Suite, kernels: str, work: Path, only: tuple[str, ...] = ()
) -> dict[str, dict[str, str]]:
    """Run a suite both ways; return how each test ended that did not end alike."""
    plain = suite.run(PLAIN, work / PLAIN, only) if only else plain_outcomes(suite, work / PLAIN)
    sandboxed = suite.run(kernels, work / kernels, only)
    assert plain.keys() == sandboxed.keys()
    assert only or list(plain.values()).count("passed") > 10, "the suite itself does not work here"
    return {
        name: {PLAIN: plain[name], SANDBOXED: sandboxed[name]}
        for name in plain
        if plain[name] != sandboxed[name]
    }


def compare(suite: Suite, kernels: str, work: Path) -> None:
    """Each test of the suite ends alike with plain and with these kernels, or is listed with a reason."""
    listed = {
        name: {end: entry[end] for end in (PLAIN, SANDBOXED)}
        for name, entry in LISTED[suite.name].items()
        if kernels in entry.get("only", (SANDBOXED, DOCKER))
    }
    found = differences(suite, kernels, work / "first")
    doubtful = tuple(name for name in found | listed if found.get(name) != listed.get(name))
    if doubtful:  # these suites measure times: on a busy machine a test may fail once, either way
        again = differences(suite, kernels, work / "again", doubtful)
        found = {name: ends for name, ends in found.items() if name not in doubtful} | again
    assert found == listed


@pytest.mark.timeout(4 * suites.PATIENCE)
@pytest.mark.parametrize("suite", ["jupyter_kernel_test", "nbclient"], indirect=True)
def test_outcomes_are_equal(suite: Suite, tmp_path: Path) -> None:
    """Behind bubblewrap's wall a suite ends as it does without one."""
    compare(suite, SANDBOXED, tmp_path)


@pytest.mark.timeout(4 * suites.PATIENCE)
@pytest.mark.parametrize("suite", ["jupyter_kernel_test", "nbclient"], indirect=True)
def test_outcomes_in_containers(
    suite: Suite, tmp_path: Path, docker_host: str, scipy_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container, too, on an interpreter that may be another version."""
    assert scipy_image == "sandbox-kernel/scipy"
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    compare(suite, DOCKER, tmp_path)


def test_reasons() -> None:
    """Each listed difference gives its reason."""
    assert all(len(entry["reason"]) > 20 for listed in LISTED.values() for entry in listed.values())
