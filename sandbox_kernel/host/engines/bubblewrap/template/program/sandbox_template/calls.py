"""System calls that Python does not know, and the one error of this program."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Any

CAPABILITY_VERSION_3 = 0x20080522

libc = ctypes.CDLL(None, use_errno=True)


class LeftError(Exception):
    """The template cannot be used, or a fork of it; the message says why, for a log."""


def checked(result: int, what: str) -> int:
    """Return what a call has returned.

    :raises OSError: it has failed.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def prctl(option: int, value: Any) -> None:
    """Change something about this process; the value is a number, or a pointer.

    :raises OSError: the kernel refuses.
    """
    value = ctypes.c_ulong(value) if isinstance(value, int) else value
    checked(libc.prctl(option, value, 0, 0, 0), f"prctl({option})")


def capabilities() -> tuple[int, ...]:
    """Return effective, permitted and inheritable capabilities: the lower halves, then the upper ones."""
    data = ctypes.create_string_buffer(24)
    checked(libc.capget(_header(), data), "capget")
    return struct.unpack("=6I", data.raw)


def set_capabilities(sets: tuple[int, ...]) -> None:
    """Set what `capabilities` returns.

    :raises OSError: the kernel refuses.
    """
    checked(libc.capset(_header(), struct.pack("=6I", *sets)), "capset")


def _header() -> bytes:
    return struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
