"""The profile of sandboxed IPython kernels: their output, their interrupts, and how they are made ready.

No module of ours: the guest copies it into the kernel's IPYTHONDIR, and ipykernel reads it as
its configuration, in the kernel's process, before the first cell. What becomes of output and of
interrupts has a file each, beside this one. Here is what is done once there is a kernel: an error
is formatted once, so that an interrupt is answered sooner, long texts are written fast, and what
cells will need is imported.

Code inside can undo it: nothing outside rests on this.
"""

from __future__ import annotations

import functools
import importlib
import math
import sys
import types
from collections.abc import Callable  # noqa: TC003 - read at run time by nobody, and cheap
from typing import Any

from jupyter_client.session import Session, json_packer

LONG = 1 << 20  # characters of a text from which on to load a faster writer of JSON pays at once
FEW = 1000  # values that are looked at to know whether a faster writer would write them the same

_PRELOAD: tuple[str, ...] = ()


def load_ipython_extension(shell: Any) -> None:
    """Make the kernel ready, before it says that it is."""
    format_once(shell)
    write_long_texts_fast(shell.kernel.session)
    for name in _PRELOAD:
        preload(name)


def preload(name: str) -> None:
    """Import a module for the cells to come; where that fails, their own import will say it again."""
    try:
        importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - a module may raise anything, and the kernel is of use without it
        reason = f"{type(error).__name__}: {error}"
        print(f"{name} could not be imported before the first cell: {reason}", file=sys.__stderr__)


def format_once(shell: Any) -> None:
    """Have an error formatted once.

    IPython 9 does it again for its own records: half the time in which a flood answers an interrupt.
    """
    format_again = getattr(shell, "_format_exception_for_storage", None)
    if format_again is None:
        return

    def as_shown(exception: BaseException, *arguments: Any, **options: Any) -> Any:
        shown = getattr(shell, "_last_traceback", None)
        if not shown or exception is not getattr(sys, "last_value", None):
            return format_again(exception, *arguments, **options)
        return {"ename": type(exception).__name__, "evalue": str(exception), "traceback": shown}

    shell._format_exception_for_storage = as_shown  # noqa: SLF001 - there is no other way in


def write_long_texts_fast(session: Session) -> None:
    """Have messages with long texts made in a fifth of the time, where msgspec is installed.

    Python's own writer of JSON looks at each character twice and copies the whole three times: of all that
    a long output takes from `display` to its reader, that is a third.
    """
    if session.pack is json_packer:  # somebody who has chosen another knows why
        session.pack = pack_long


def pack_long(message: Any) -> bytes:
    """Return what `json_packer` does, or the same without its spaces."""
    if _is_long(message) and is_plain(message) and (write := _fast_writer()):
        try:
            return write(message)
        except (UnicodeEncodeError, OverflowError):  # half of a pair of surrogates; who knows
            return json_packer(message)
    return json_packer(message)


def _is_long(message: Any) -> bool:
    """Return whether a text in a stream, or of a MIME type of an output, is long."""
    if type(message) is not dict:
        return False
    data = message.get("data")
    texts = (*message.values(), *data.values()) if type(data) is dict else message.values()
    return any(type(text) is str and len(text) >= LONG for text in texts)


def is_plain(message: Any) -> bool:
    """Return whether it is made of few values, all of JSON's own types: those all writers write alike."""
    waiting, seen = [message], 0
    while waiting:
        value = waiting.pop()
        kind = type(value)
        seen += 1 if kind not in (dict, list) else 1 + len(value)
        if seen > FEW:  # or to look would take as long as to write
            return False
        if kind is dict and all(type(name) is str for name in value):
            waiting += value.values()
        elif kind is list:
            waiting += value
        elif kind not in (str, int, bool, type(None)) and not (kind is float and math.isfinite(value)):
            return False
    return True


@functools.cache
def _fast_writer() -> Callable[[Any], bytes] | None:
    try:
        from msgspec.json import Encoder  # noqa: PLC0415 - most kernels never say anything so long
    except Exception:  # noqa: BLE001 - it may be a file of the user's, and then it may raise anything
        return None
    return Encoder().encode


load_subconfig("output.py")  # type: ignore[name-defined]  # noqa: F821 - IPython provides it
load_subconfig("interrupts.py")  # type: ignore[name-defined]  # noqa: F821

_module = sys.modules["_sandbox_profile"] = types.ModuleType("_sandbox_profile", __doc__)
_module.load_ipython_extension = load_ipython_extension  # type: ignore[attr-defined]

config = get_config()  # type: ignore[name-defined]  # noqa: F821
config.IPKernelApp.extensions = ["_sandbox_profile"]
