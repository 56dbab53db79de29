"""How many notebooks run at once."""

from typing import Final

from sandbox_kernel.policy import Policy, format_size

LEAST_SHARE: Final = 0.5
"""Cores that a kernel is counted with, however few it may use: its start takes more than its policy says."""


def at_once(policy: Policy, cores: int, memory: int) -> int:
    """Return how many kernels these cores and this much free memory carry, each at its limits; at least one.

    :param memory: in bytes; 0: nobody knows.
    """
    by_cores = int(cores / min(max(policy.cpus, LEAST_SHARE), cores))
    by_memory = memory // policy.memory if memory else by_cores
    return max(1, min(by_cores, by_memory))


def too_many(policy: Policy, asked: int, memory: int) -> str | None:
    """Return what to say to somebody who asked for so many; None: they fit into the memory."""
    if not memory or asked * policy.memory <= memory:
        return None
    return (
        f"{asked} kernels may use {format_size(policy.memory)} each, and {format_size(memory)} are free "
        "here: where they end, Linux chooses what to kill. Lower --jobs or --memory."
    )
