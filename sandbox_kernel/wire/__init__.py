"""The byte stream between guest and host, as values: feed bytes, take messages.

Both sides use this same package. It does no I/O and needs the standard library only;
Python 3.9 is enough, since an image's interpreter may be older than the host's.
"""

from sandbox_kernel.wire.decoder import Decoder, Event, PiecewiseDecoder, Whole
from sandbox_kernel.wire.errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from sandbox_kernel.wire.frames import (
    CHUNK_BYTES,
    EXCLUSIVE_BYTES,
    MAX_PARTS,
    MAX_SUPERVISION_BYTES,
    WIRE_VERSION,
    Begun,
    Channel,
    Message,
    Oversized,
    Part,
    Piece,
)
from sandbox_kernel.wire.growing import Growing
from sandbox_kernel.wire.outbox import MAX_BUFFERS, Outbox
from sandbox_kernel.wire.supervision import (
    MAX_LOG_CHARACTERS,
    SECRETS,
    Counters,
    Hello,
    KernelExit,
    Log,
    Ready,
    Signal,
    Start,
    Supervision,
    decode,
    encode,
)

__all__ = [
    "CHUNK_BYTES",
    "EXCLUSIVE_BYTES",
    "MAX_BUFFERS",
    "MAX_LOG_CHARACTERS",
    "MAX_PARTS",
    "MAX_SUPERVISION_BYTES",
    "SECRETS",
    "WIRE_VERSION",
    "Begun",
    "Channel",
    "Counters",
    "Decoder",
    "Event",
    "Growing",
    "Hello",
    "KernelExit",
    "LocalProtocolError",
    "Log",
    "Message",
    "Outbox",
    "Oversized",
    "Part",
    "Piece",
    "PiecewiseDecoder",
    "ProtocolError",
    "Ready",
    "RemoteProtocolError",
    "Signal",
    "Start",
    "Supervision",
    "Whole",
    "decode",
    "encode",
]
