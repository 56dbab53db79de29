"""How much of this process's memory sandboxes can take, as a number to plan with."""

from sandbox_kernel.host.budget import UNREAD
from sandbox_kernel.host.content import most_kept
from sandbox_kernel.host.guard import MAX_REPLY
from sandbox_kernel.host.ledger import MAX_PAST
from sandbox_kernel.host.reading import READING
from sandbox_kernel.policy import Policy

HELD = 24 << 20
"""Bytes that a sandbox holds besides: its thread, its sockets, and a small message that is being read."""


WORKING = 256 << 20
"""Bytes that reading one message takes besides, however small it is: four million values of three
bytes each, and the copies that are made of a figure before it stands in its frame."""


def most_memory(policy: Policy, *, sandboxes: int = 1) -> int:
    """Return the bytes that so many sandboxes make this process hold at most, whatever is in them.

    For each: a message that is being received, the output that its clients have not read, the
    headers that output may still belong to, what is known of its widgets and figures; and for all
    together: one large message that is being read. What waits to go *in* is not counted: clients
    decide on that.
    """
    largest = max(policy.message, MAX_REPLY)
    each = largest + policy.output + UNREAD + MAX_PAST + HELD + most_kept(policy)
    return sandboxes * each + READING * largest + WORKING
