"""Deadlines on a clock that the test turns."""

from sandbox_kernel.host.deadlines import GRACE, Deadlines, Verdict
from sandbox_kernel.policy import Policy


def test_a_cell_is_interrupted_then_ended():
    """The first verdict is an interrupt, the second, after the grace, the end."""
    deadlines = Deadlines(Policy(cell_timeout=10))
    deadlines.begin(0)
    deadlines.observe("a", 100)
    assert deadlines.verdict(109) is None
    assert deadlines.verdict(110) is Verdict.INTERRUPT
    assert deadlines.verdict(111) is None
    assert deadlines.next_due() == 110 + GRACE
    assert deadlines.verdict(110 + GRACE) is Verdict.END
    assert "10 s" in deadlines.passed


def test_each_cell_has_its_own_clock():
    """A cell that ends in time leaves nothing to the next; idle time does not count."""
    deadlines = Deadlines(Policy(cell_timeout=10))
    deadlines.observe("a", 0)
    deadlines.observe(None, 9)
    assert deadlines.next_due() is None
    deadlines.observe("b", 50)
    assert deadlines.next_due() == 60


def test_many_short_cells_do_not_outlive_the_session():
    """The session's clock runs whatever the cells do."""
    deadlines = Deadlines(Policy(session_timeout=100))
    deadlines.begin(0)
    for now in range(0, 100, 5):
        deadlines.observe(str(now), now)
        assert deadlines.verdict(now) is None
    assert deadlines.verdict(100) is Verdict.INTERRUPT
    assert deadlines.verdict(100 + GRACE) is Verdict.END


def test_without_deadlines_nothing_is_due():
    """The default policy has none."""
    deadlines = Deadlines(Policy())
    deadlines.begin(0)
    deadlines.observe("a", 0)
    assert deadlines.next_due() is None
    assert deadlines.verdict(10**9) is None
