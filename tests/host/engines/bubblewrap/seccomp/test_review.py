"""Each difference between our list of system calls and the engines' own was looked at, and has its reason."""

import tomllib
from pathlib import Path

import pytest

from sandbox_kernel.host.engines.bubblewrap.seccomp.compile import LibSeccomp
from sandbox_kernel.host.engines.bubblewrap.seccomp.rules import Architecture
from tests.host.engines.bubblewrap.seccomp.filters import RULES

HERE = Path(__file__).parent
REVIEW = tomllib.loads((HERE / "review.toml").read_text())
ENGINES = tomllib.loads((HERE / "engines.toml").read_text())
COMMON = set(ENGINES.pop("all").split())
THEIRS = {name: COMMON | set(engine["allows"].split()) for name, engine in ENGINES.items()}
OURS = {rule.name for rule in RULES.rules if rule.errno is None}
LOOKED_AT = {rule.name for rule in RULES.rules if rule.errno is None and rule.conditions}


def named(kind: str) -> list[str]:
    return [name for entry in REVIEW[kind] for name in entry["names"].split()]


def test_what_they_allow_and_we_refuse_has_its_reason():
    """No call is refused by an oversight, and none is listed that is not refused."""
    refused = set().union(*THEIRS.values()) - OURS
    assert sorted(named("refused")) == sorted(refused)


def test_what_we_allow_and_they_refuse_has_its_reason():
    """Nowhere is our list the weaker one without a word."""
    weaker = {(name, engine) for engine, allowed in THEIRS.items() for name in OURS - allowed}
    told = {
        (name, engine)
        for entry in REVIEW["allowed"]
        for name in entry["names"].split()
        for engine in entry["engines"]
    }
    assert told == weaker


def test_dockers_list_of_today_is_a_superset_of_ours():
    """Whoever trusts Docker's own list gives nothing up with ours."""
    assert THEIRS["docker"] > OURS
    assert THEIRS["containerd"] > OURS


def test_what_is_looked_at_is_told():
    """Each call that is allowed with some arguments only is listed with what it is about."""
    assert sorted(named("looked_at")) == sorted(LOOKED_AT)


@pytest.mark.parametrize("kind", REVIEW)
def test_every_difference_has_a_reason(kind):
    """A table without reasons is no review."""
    assert all(len(entry["reason"]) > 40 for entry in REVIEW[kind])


def test_calls_of_other_architectures_are_none_of_ours():
    """What is put aside as 32-bit has no number on the architectures there are filters for.

    But two that have numbers, behind which the kernel has nothing.
    """
    lib, foreign = LibSeccomp(), REVIEW["refused"][0]["names"].split()
    numbered = {name for name in foreign if any(lib.resolve(name, arch) >= 0 for arch in Architecture)}
    assert numbered == {"get_thread_area", "set_thread_area"}
    assert len(foreign) > 50
