"""What the lines say. Pure: no file, no clock; the schema beside this (v1.yaml) says it to programs.

A line is JSON in ASCII: whatever a text holds, it holds no newline, and no control character
that a terminal could obey.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sandbox_kernel.policy import Policy

VERSION: Final = 1

MAX_TEXT: Final = 300
"""Characters of a name, a path's end or a sentence: real ones have less."""

MAX_CODE: Final = 32 * 1024
"""Characters of a cell's code that are kept: a cell of a thousand lines. The hash is that of all of it."""

MAX_LINE: Final = 512 * 1024
"""Bytes of a line: a cell's code at six bytes a character, a policy with its mounts, and room."""

SCHEMA: Final = Path(__file__).with_name("v1.yaml")
SCHEMA_ID: Final = "https://github.com/sandbox-kernel/sandbox-kernel/events/audit/v1"

Record = dict[str, Any]


def policy_digest(policy: Policy) -> str:
    """Return the SHA-256 of a policy's settings as canonical JSON: sorted names, no spaces."""
    text = json.dumps(policy.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def code_digest(code: str) -> str:
    """Return the SHA-256 of a cell's code in UTF-8."""
    return f"sha256:{hashlib.sha256(code.encode('utf-8', 'surrogatepass')).hexdigest()}"


def moment(seconds: float) -> str:
    """Return a time in seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def capped(value: object) -> str | None:
    """Return a text that is one line and not too long; None stays None."""
    if value is None:
        return None
    text = " ".join(str(value).split())
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def record(event: str, session: str, now: float, **fields: object) -> Record:
    """Return a record of this schema."""
    return {"v": VERSION, "time": moment(now), "event": event, "session": session, **fields}


def line(record: Mapping[str, object]) -> bytes:
    """Return a record as its line; one that is too long goes without its largest field."""
    text = _json(record)
    while len(text) > MAX_LINE:
        largest = max(record, key=lambda name: len(_json(record[name])))
        record = {**record, largest: None, "cut": largest}
        text = _json(record)
    return text.encode("ascii") + b"\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))
