import os

from sandbox_kernel.host.engines.bubblewrap.identity import COUNT, FIRST, Identity, covers, identity_for


def test_range_is_free_in_systemds_table():
    """The range lies between what systemd gives to containers and what it reserves."""
    assert FIRST > 1_879_048_191
    assert FIRST + COUNT < 2_147_352_576


def test_covers_needs_one_line_with_the_whole_range():
    """A map that covers the range only in part, as rootless containers have, does not do."""
    assert covers("         0          0 4294967295\n", FIRST, COUNT)
    assert not covers("0 1000 1\n1 100000 65536\n", FIRST, COUNT)
    assert not covers(f"0 0 {FIRST + 1}\n", FIRST, COUNT)


def test_root_becomes_somebody_of_its_own_for_each_sandbox():
    """As root, two launches are two unprivileged users; else all are the user who runs this."""
    one, two = identity_for("00000000aaaaaaaa"), identity_for("00000000bbbbbbbb")
    if os.geteuid() == 0:
        assert one.dropped
        assert one.uid != two.uid
        assert 0 not in {one.uid, one.gid, two.uid, two.gid}
        assert one.subprocess_options() == {"user": one.uid, "group": one.gid, "extra_groups": []}
    else:
        assert one == two == Identity(os.geteuid(), os.getegid(), dropped=False)
        assert one.subprocess_options() == {}
