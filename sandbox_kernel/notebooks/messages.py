"""A kernel's messages as they are read.

Their sender is hostile: what is not as the protocol says is skipped.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from queue import Empty
from time import monotonic
from typing import Any

ASK_AGAIN_SECONDS = 1.0
"""How long a first answer is waited for before the kernel is asked again: what was published before
we were connected is lost, and so is the end of a request."""

MALFORMED = (AssertionError, AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)
"""What comes of taking in a message that is not what the protocol says."""


@contextmanager
def skipping_malformed() -> Iterator[None]:
    """Go on after no message, or one that is not what the protocol says, whatever was wrong with it."""
    try:
        yield
    except (*MALFORMED, Empty):
        return


async def next_answer(channel: Any, asked: set[str], msg_type: str, **content: str) -> dict[str, Any]:
    """Return the next message of this type, and with this content, that answers one of the requests.

    :raises Empty: none came within ASK_AGAIN_SECONDS.
    """
    deadline = monotonic() + ASK_AGAIN_SECONDS
    while (left := deadline - monotonic()) > 0:
        with skipping_malformed():
            message: dict[str, Any] = await channel.get_msg(timeout=left)
            fits = content.items() <= message["content"].items() and message["msg_type"] == msg_type
            if fits and message["parent_header"].get("msg_id") in asked:
                return message
    raise Empty


def is_idle(message: dict[str, Any]) -> bool:
    """Tell whether the kernel says that it is done with a request."""
    return bool(message["msg_type"] == "status" and message["content"]["execution_state"] == "idle")


def moment(date: object) -> str:
    """Return a header's date as notebooks have it, and nbclient's own entries beside it."""
    return date.isoformat().replace("+00:00", "Z") if isinstance(date, datetime) else str(date)
