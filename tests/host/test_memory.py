"""A container's memory is what counts, not its machine's."""

import pytest

from sandbox_kernel.host.engines.bubblewrap.limits.places import Tree
from sandbox_kernel.host.memory import Memory, bounded, memory

MACHINE = Memory(64 << 30, 32 << 30)
NAMES = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes"), 2: ("memory.max", "memory.current")}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("above", [False, True])
def test_a_group_bounds_it(tmp_path, version, above):
    """Our own group's limit, or that of one around it."""
    own = tmp_path / "a" / "b"
    own.mkdir(parents=True)
    limit, used = NAMES[version]
    group = own.parent if above else own
    (group / limit).write_text(f"{2 << 30}\n")
    (group / used).write_text(f"{1 << 29}\n")
    tree = Tree(version, frozenset(("memory",)), tmp_path, own)
    assert bounded(MACHINE, [tree]) == Memory(2 << 30, (2 << 30) - (1 << 29))


@pytest.mark.parametrize("written", ["max\n", "9223372036854771712\n", None])
def test_no_limit_is_none(tmp_path, written):
    """Neither the word for it, nor version 1's number."""
    if written is not None:
        (tmp_path / "memory.max").write_text(written)
    assert bounded(MACHINE, [Tree(2, frozenset(), tmp_path, tmp_path)]) == MACHINE


def test_this_machine_has_some():
    """Whatever bounds us here."""
    assert memory().total >= memory().available > 0
