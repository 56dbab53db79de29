"""What a policy grants beyond all reason is granted: a limit that nobody comes to harms nobody."""

from sandbox_kernel.policy import Policy
from sandbox_kernel.policy.units import TiB

MOST = Policy(memory=64 * TiB, cpus=4096, pids=4_194_304, tmp=64 * TiB)
"""The largest of each that a policy takes; no machine has them. More files than it has a daemon refuses."""


def test_a_kernel_starts_that_may_have_everything(start):
    """No engine, daemon or control group breaks on the numbers."""
    assert start(MOST).value("6 * 7") == "42"
