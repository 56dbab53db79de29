"""Known holes are found by version, with what they mean and where to look."""

import pytest

from sandbox_kernel.host.machine.holes import KNOWN, is_before, known_holes, numbers

RUNC = ("1.2.8", "1.3.3", "1.4.0")


@pytest.mark.parametrize(
    ("version", "fixed", "before"),
    [
        ("1.1.11", ("1.1.12",), True),
        ("1.1.12", ("1.1.12",), False),
        ("1.1.5+ds1", ("1.1.12",), True),
        ("v1.2.7", RUNC, True),
        ("1.2.8", RUNC, False),
        ("1.3.2", RUNC, True),
        ("1.3.3", RUNC, False),
        ("1.3.3-0ubuntu1", RUNC, False),
        ("1.5.0", RUNC, False),
        ("0.9.9", RUNC, True),
        ("20.10.24+dfsg1", ("29.5.1",), True),
        ("29.5.1", ("29.5.1",), False),
        ("0.10", ("0.10.0",), True),
        ("runsc version release-20221219.0", ("20250319",), True),
        ("runsc version 0.0~20260101.0", ("20250319",), False),
        ("", ("1.0",), False),
        ("unknown", ("1.0",), False),
        ("9" * 5000, ("1.0",), False),
    ],
)
def test_versions(version, fixed, before):
    """Each series has its own fix; what cannot be read is not accused."""
    assert is_before(version, fixed) is before


def test_the_newest_have_none():
    """What has all fixes is not listed."""
    assert (
        known_holes({"runc": "1.4.0", "docker": "29.5.1", "bubblewrap": "0.11.2", "containerd": "2.1.0"})
        == []
    )


def test_an_old_runc_is_told_with_honesty():
    """What it means for sandboxes, and that the number alone proves nothing."""
    leak, redirects = known_holes({"runc": "1.1.5+ds1"})
    assert leak.names == ("CVE-2024-21626",)
    assert redirects.fixed == "1.2.8 or 1.3.3 or 1.4.0"
    for hole in (leak, redirects):
        assert hole.sandboxes.startswith("Not reached")
        assert "Distributions close holes without changing the version" in hole.advice
        assert "apt changelog runc" in hole.advice


def test_every_entry_is_complete():
    """Each has its numbers, and fixes in order."""
    for known in KNOWN:
        assert all(name.startswith("CVE-20") for name in known.names)
        assert [numbers(text) for text in known.fixed] == sorted(numbers(text) for text in known.fixed)
        assert known.sandboxes.endswith(".")
