"""A short soak of sandboxes: what `python -m tests.benchmarks.soak` does for ten thousand calls."""

from tests.benchmarks.soak import Look, grown, soak
from tests.leftovers import Census


def test_nothing_grows(no_leftovers: Census) -> None:
    """Two hundred calls, with deadlines, deaths and resets, leave no process, thread or descriptor behind."""
    looks = soak(200, lambda _: None)
    # How much of a fork's memory is shared, and so counted once, changes with every kernel that ends.
    assert [line for line in grown(looks) if not line.startswith("sandboxes")] == [], looks


def test_growth_is_seen() -> None:
    """What grows is found, and a little more or less of memory is not taken for it."""
    flat = [Look(calls, 50 + calls % 3, 100, 70, 5, 8) for calls in range(20)]
    assert grown(flat) == []
    assert grown([Look(calls, 50 + calls, 100, 70, 5, 8) for calls in range(20)]) == ["host: 53, later 61"]
    assert grown([Look(calls, 50, 100, 70 + calls // 3, 5, 8) for calls in range(20)]) == [
        "descriptors: 71, later 73"
    ]
