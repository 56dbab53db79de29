"""The audit's records as events of a Jupyter Server, for whoever listens to those.

A server's kernel managers carry its event logger (jupyter_events). Others carry none, and
nothing is emitted. The logger belongs to the server's event loop, records come from the
sandbox's thread.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from sandbox_kernel.host.audit.records import SCHEMA, SCHEMA_ID


def event_sink(manager: object, loop: asyncio.AbstractEventLoop) -> Callable[[dict[str, Any]], None] | None:
    """Return what emits records, for any thread; None where there is no Jupyter Server."""
    logger: Any = getattr(manager, "event_logger", None)
    if logger is None or not hasattr(logger, "register_event_schema"):
        return None
    if SCHEMA_ID not in logger.schemas:
        logger.register_event_schema(SCHEMA)

    def emit(record: dict[str, Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed: the server has ended
            loop.call_soon_threadsafe(lambda: logger.emit(schema_id=SCHEMA_ID, data=record))

    return emit
