"""Deadlines on a clock that the test turns."""

from sandbox_kernel.host.deadlines import GRACE, Deadlines, Verdict
from sandbox_kernel.policy import Policy


def verdict(deadlines, now):
    due = deadlines.verdict(now)
    return due.verdict if due else None


def test_a_cell_is_interrupted_then_ended():
    """The first verdict is an interrupt, the second, after the grace, the end."""
    deadlines = Deadlines(Policy(cell_timeout=10))
    deadlines.begin(0)
    deadlines.observe(["a"], 100)
    assert deadlines.verdict(109) is None
    due = deadlines.verdict(110)
    assert (due.verdict, due.cell, "10 s" in due.sentence) == (Verdict.INTERRUPT, "a", True)
    assert deadlines.verdict(111) is None
    assert deadlines.next_due() == 110 + GRACE
    assert verdict(deadlines, 110 + GRACE) is Verdict.END


def test_who_set_it_is_named():
    """Whoever chose a profile may not know its deadlines; one of their own, they do."""
    for policy, setting in (
        (Policy.from_settings({"profile": "strict"}), "'cell_timeout' of the profile strict"),
        (Policy.from_settings({"profile": "strict", "cell_timeout": "9s"}), "'cell_timeout'"),
        (Policy(cell_timeout=2), "'cell_timeout'"),
    ):
        deadlines = Deadlines(policy)
        deadlines.observe(["a"], 0)
        assert deadlines.verdict(9).sentence.endswith(f" for a cell passed ({setting}).")


def test_each_cell_has_its_own_clock():
    """A cell that ends in time leaves nothing to the next; idle time does not count."""
    deadlines = Deadlines(Policy(cell_timeout=10))
    deadlines.observe(["a"], 0)
    deadlines.observe([], 9)
    assert deadlines.next_due() is None
    deadlines.observe(["b"], 50)
    assert deadlines.next_due() == 60


def test_cells_of_two_subshells_run_at_once():
    """A cell that comes to run beside another neither shares nor restarts its clock."""
    deadlines = Deadlines(Policy(cell_timeout=10))
    deadlines.observe(["a"], 0)
    deadlines.observe(["a", "b"], 5)
    assert deadlines.verdict(10).cell == "a"
    deadlines.observe(["b"], 12)
    assert deadlines.verdict(14) is None
    assert deadlines.verdict(15).cell == "b"


def test_many_short_cells_do_not_outlive_the_session():
    """The session's clock runs whatever the cells do."""
    deadlines = Deadlines(Policy(session_timeout=100))
    deadlines.begin(0)
    for now in range(0, 100, 5):
        deadlines.observe([str(now)], now)
        assert deadlines.verdict(now) is None
    assert verdict(deadlines, 100) is Verdict.INTERRUPT
    assert verdict(deadlines, 100 + GRACE) is Verdict.END


def test_a_kernel_that_nobody_uses_ends():
    """Neither a cell nor a question for so long is the end, without an interrupt of nothing."""
    deadlines = Deadlines(Policy(idle_timeout=100))
    deadlines.begin(0)
    deadlines.asked(50)
    assert deadlines.next_due() == 150
    deadlines.observe(["a"], 149)
    deadlines.observe(["a"], 400)
    deadlines.observe([], 401)
    assert deadlines.verdict(499) is None
    due = deadlines.verdict(500)
    assert (due.verdict, due.cell, "nobody uses" in due.sentence) == (Verdict.END, None, True)


def test_nothing_idles_before_the_kernel_is_ready():
    """The clock of idling starts with the kernel's first answer."""
    deadlines = Deadlines(Policy(idle_timeout=100))
    deadlines.asked(0)
    assert deadlines.next_due() is None


def test_without_deadlines_nothing_is_due():
    """The default policy has none."""
    deadlines = Deadlines(Policy())
    deadlines.begin(0)
    deadlines.observe(["a"], 0)
    assert deadlines.next_due() is None
    assert deadlines.verdict(10**9) is None
