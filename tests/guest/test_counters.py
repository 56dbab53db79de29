"""What a control group has counted, read from inside, in both of the kernel's layouts."""

import pytest

from sandbox_kernel.guest.counters import Group
from sandbox_kernel.wire import Counters

LAYOUTS = {
    "version 2": {
        "memory.peak": "5000\n",
        "memory.events": "low 0\nhigh 0\nmax 9\noom 3\noom_kill {killed}\noom_group_kill 0\n",
        "pids.events": "max {refused}\n",
    },
    "version 1": {
        "memory/memory.max_usage_in_bytes": "5000\n",
        "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill {killed}\n",
        "pids/pids.events": "max {refused}\n",
    },
}


@pytest.fixture(params=LAYOUTS)
def write(request, tmp_path):
    def write(killed=0, refused=0):
        for name, text in LAYOUTS[request.param].items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text.format(killed=killed, refused=refused))
        return str(tmp_path)

    return write


def test_all_is_read(write):
    """Each counter comes from its own line."""
    assert Group(write(killed=2, refused=7)).read() == Counters(5000, 2, 7)


def test_only_news_is_told(write):
    """Memory alone is no news: it grows all the time."""
    group = Group(write())
    assert group.grown() is None
    write(killed=1)
    assert group.grown() == Counters(5000, 1, 0)
    assert group.grown() is None
    write(killed=1, refused=4)
    assert group.grown() == Counters(5000, 1, 4)


def test_without_a_group_nothing_is_counted(tmp_path):
    """In a sandbox that has no /sys the host counts."""
    group = Group(str(tmp_path))
    assert (group.read(), group.grown()) == (Counters(0, 0, 0), None)


@pytest.mark.parametrize("junk", ["", "max", "oom_kill", "oom_kill x\nmax x", "\xff", "oom_kill -5\nmax -5"])
def test_what_is_no_number_counts_as_none(write, tmp_path, junk):
    """A future kernel's other words do not end the guest."""
    root = write()
    for path in tmp_path.rglob("*.*"):
        if path.is_file():
            path.write_text(junk, encoding="latin-1")
    assert Group(root).read() == Counters(0, 0, 0)
