"""Functions of the C library that Python does not offer, called without the module `ctypes`.

Its Python part takes every sandbox's first process four milliseconds to import, a third of all that it
imports; the interpreter's own module below it, one.
"""

from __future__ import annotations

import _ctypes
import os


class _Word(_ctypes._SimpleCData):  # type: ignore[type-arg]  # noqa: SLF001 - there is no other
    _type_ = "l"


class _Number(_ctypes._SimpleCData):  # type: ignore[type-arg]  # noqa: SLF001 - there is no other
    _type_ = "i"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Number


_LIBRARY = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]


def call(name: str, *values: int | bytes | None, what: str = "") -> int:
    """Return what a function returns that returns a whole number: it is passed longs, and pointers to bytes.

    :param what: what it is called in an error, if not by its name.
    :raises OSError: it returns -1.
    """
    function = _Function(_ctypes.dlsym(_LIBRARY, name))
    result: int = function(*(_Word(value) if isinstance(value, int) else value for value in values))
    if result == -1:
        number = _ctypes.get_errno()
        raise OSError(number, f"{what or name}: {os.strerror(number)}")
    return result
