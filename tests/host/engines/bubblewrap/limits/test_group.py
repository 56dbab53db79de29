"""One group: what is written is read back, and what is removed is only ours."""

from pathlib import Path

import pytest

from sandbox_kernel.errors import LimitUnenforceableError
from sandbox_kernel.host.engines.bubblewrap.limits import group


def test_a_value_that_reads_back_differently_is_an_error():
    """The kernel rounds or caps some values silently; that is not the limit that was asked for."""
    # A file of the kernel's that takes a number and keeps another: in hexadecimal, rounded to its bits.
    file = Path("/proc/self/coredump_filter")
    before = file.read_text()
    try:
        with pytest.raises(LimitUnenforceableError, match="was set to 0x33, but reads back as 00000033"):
            group.write(file, "0x33")
    finally:
        file.write_text("0x" + before)


def test_a_value_that_cannot_be_written_is_an_error(tmp_path):
    """The sentence names the file and the system's reason."""
    with pytest.raises(
        LimitUnenforceableError, match=r"limit 5 cannot be set in .*/missing/pids.max: No such file"
    ):
        group.write(tmp_path / "missing" / "pids.max", "5")


def test_a_value_that_is_kept_is_fine(tmp_path):
    """Nothing is said when what was written is what holds."""
    group.write(tmp_path / "pids.max", "5")
    assert (tmp_path / "pids.max").read_text() == "5"


def test_failing_work_takes_back_the_groups_made_for_it(tmp_path):
    """Those that were made go, those that were there stay."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    with pytest.raises(LimitUnenforceableError, match="File exists"), group.made([tmp_path / "ours", theirs]):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_removing_is_bounded_in_time(tmp_path):
    """A group that will not go is given up after a while, and said to be there."""
    (tmp_path / "group" / "below").mkdir(parents=True)
    assert not group.remove(tmp_path / "group", patience=0.05)
    (tmp_path / "group" / "below").rmdir()
    assert group.remove(tmp_path / "group")
    assert group.remove(tmp_path / "group")


@pytest.mark.parametrize(
    ("text", "key", "number"),
    [
        ("12\n", None, 12),
        ("max\n", None, 0),
        ("low 0\noom_kill 3\n", "oom_kill", 3),
        ("low 1\n", "oom_kill", 0),
    ],
)
def test_counters_are_read(tmp_path, text, key, number):
    """A number alone, or the one after a word; what is not there counts as nothing."""
    (tmp_path / "file").write_text(text)
    assert group.read_int(tmp_path / "file", key) == number
    assert group.read_int(tmp_path / "missing", key) == 0
