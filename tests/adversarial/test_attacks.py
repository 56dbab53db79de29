"""Every attack of `tests.adversarial.attacks` works with no wall around it, and fails behind every engine's.

One sandbox runs many: what a test of this file costs is what its first one does.
"""

import re

import pytest

from tests.adversarial.attack import ATTACKS, KINDS, WON
from tests.adversarial.bait import ROOT
from tests.adversarial.walls import ENGINES, kept_by

pytestmark = pytest.mark.timeout(600)

ABSENT = {"ENOENT", "ENOSYS", "EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT"}
"""What a machine answers whose kernel, or /dev, has no such thing."""

SHOWN = [name for name, one in ATTACKS.items() if ROOT or not one.root]
WALLED = [(engine, name) for engine in ENGINES for name in ATTACKS]
REFUSED = [(engine, name) for engine, name in WALLED if kept_by(engine) not in ATTACKS[name].differs]
DIFFERENT = [each for each in WALLED if each not in REFUSED]


@pytest.mark.parametrize("name", SHOWN)
def test_it_works_where_nothing_is_in_its_way(walls, name):
    """The attack is real: a process of this machine reaches its aim."""
    outcome = walls.unguarded(name)
    may_be_absent = ATTACKS[name].absent or name.startswith("machine.")
    assert outcome.startswith(WON) or (may_be_absent and outcome in ABSENT), outcome


@pytest.mark.parametrize(("engine", "name"), REFUSED)
def test_it_is_refused(walls, engine, name):
    """Behind the wall it is refused, in the way that it is meant to be."""
    outcome = walls.guarded(engine, name)
    assert ATTACKS[name].is_refused(engine, outcome), outcome


@pytest.mark.parametrize(("engine", "name"), DIFFERENT)
def test_what_one_engine_lets_pass_is_told(walls, repository, engine, name):
    """It may reach its aim there, which may be the sandbox's own end; SECURITY.md says so."""
    security = re.sub(r"\s+", " ", (repository / ".github/SECURITY.md").read_text())
    assert ATTACKS[name].differs[kept_by(engine)] in security
    outcome = walls.guarded(engine, name)
    assert not outcome.startswith(("broken", "hung")), outcome


def test_every_attack_says_what_it_is():
    """Each has a class and a sentence."""
    assert {one.kind for one in ATTACKS.values()} <= set(KINDS)
    assert [name for name, one in ATTACKS.items() if not one.aim.endswith(".")] == []
