import os

import pytest

from sandbox_kernel.host.engines.paths import Link, between, depth, follow, is_below, is_within


@pytest.mark.parametrize(
    ("path", "directory", "below", "within"),
    [
        ("/a/b", "/a", True, True),
        ("/a", "/a", False, True),
        ("/ab", "/a", False, False),
        ("/a", "/", True, True),
        ("/", "/", False, True),
        ("/a", "/a/b", False, False),
    ],
)
def test_below_and_within(path, directory, below, within):
    """A path is below a directory by whole names, and within it also when it is the same."""
    assert (is_below(path, directory), is_within(path, directory)) == (below, within)


def test_depth():
    """Depth counts names, so that sorting by it puts what lies around before what lies inside."""
    assert [depth(path) for path in ("/", "/a", "/a/b")] == [0, 1, 2]


def test_between():
    """What lies between a directory and a path are their common line without the ends."""
    assert between("/a", "/a/b/c/d") == ["/a/b", "/a/b/c"]
    assert between("/a", "/a/b") == between("/x", "/a/b/c") == []


def test_follow_reports_every_link(tmp_path):
    """Links are reported in the order in which they are met, whether names on the way or the last."""
    real = tmp_path / "real"
    (real / "bin").mkdir(parents=True)
    (real / "bin" / "python3").touch()
    (real / "bin" / "python").symlink_to("python3")
    (tmp_path / "alias").symlink_to(real)
    links, end = follow(f"{tmp_path}/alias/bin/../bin/python")
    assert links == [Link(f"{tmp_path}/alias", str(real)), Link(f"{real}/bin/python", "python3")]
    assert end == f"{real}/bin/python3" == os.path.realpath(tmp_path / "alias/bin/python")


def test_follow_gives_up_on_circles(tmp_path):
    """A circle of links is an error, as it is for the kernel."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="too many symbolic links"):
        follow(f"{tmp_path}/a")


def test_follow_needs_the_path(tmp_path):
    """What does not exist is an error."""
    with pytest.raises(FileNotFoundError):
        follow(f"{tmp_path}/nothing")
