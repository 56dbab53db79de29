"""What a template imports, from where, and what must not come of it."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import shutil
import signal
import sys
import tempfile
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from typing import TYPE_CHECKING

from .calls import LeftError, capabilities, set_capabilities

if TYPE_CHECKING:
    from collections.abc import Iterator

KERNELS = (
    "ipykernel.ipkernel", "ipykernel.zmqshell", "ipykernel.debugger", "debugpy.server.api",
    "IPython.core.completerlib", "IPython.core.debugger", "IPython.core.logger", "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "tornado.platform.asyncio", "tornado.queues", "encodings.idna", "faulthandler", "gzip", "http.client",
    "pdb", "psutil", "pydoc", "sqlite3", "xmlrpc.client",
)  # fmt: skip
"""What a kernel has imported when its first cell ends, as far as it is there."""

WITHOUT_THREADS = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""What keeps libraries from starting threads as they are imported: pyarrow, and so pandas beside it."""

KERNELS_OWN = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
"""What a kernel sets before anything of its user's is imported, and matplotlib reads but once, as it is."""

SCRATCH = "sandbox-kernel-template-"

OURS = 4
"""The highest descriptor that is ours: the standard ones, the control socket, and what was printed."""

CAP_DAC_READ_SEARCH = 2


def import_all(modules: list[str], directories: list[str], uid: int | None) -> None:
    """Import what kernels need and what was asked for; where root does it, as somebody who may write nothing.

    Only from these directories, which no sandbox can write to. The search path may hold others, of
    projects that are worked on: what lies there is nothing to run outside of a wall.

    :raises LeftError: something cannot be imported.
    """
    scratch = tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-")
    if uid is not None:
        os.chown(scratch, uid, uid)
    try:
        with _only_from(directories), _with_variables(scratch), _as_somebody_else(uid):
            importlib.import_module("ipykernel.kernelapp")
            for name in KERNELS:
                with contextlib.suppress(ImportError):
                    importlib.import_module(name)
            for name in modules:
                importlib.import_module(name)
    except Exception as error:
        raise LeftError(f"its modules cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def _only_from(directories: list[str]) -> Iterator[None]:
    path, finders = sys.path[:], sys.meta_path[:]
    sys.path[:] = [entry for entry in path if _is_within(entry, directories)]
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, PathFinder]
    try:
        yield
    finally:
        sys.path[:], sys.meta_path[:] = path, finders


def _is_within(path: str, directories: list[str]) -> bool:
    real = os.path.realpath(path)
    return any(real == place or real.startswith(f"{place}/") for place in directories)


@contextlib.contextmanager
def _with_variables(scratch: str) -> Iterator[None]:
    """Let caches go where they are removed: a kernel's own home is not there yet. Have no threads begun."""
    homes = dict.fromkeys(("MPLCONFIGDIR", "XDG_CACHE_HOME", "TMPDIR"), scratch)
    variables = {**homes, **WITHOUT_THREADS, **KERNELS_OWN}
    kept = {name: os.environ[name] for name in variables if name in os.environ}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
        os.environ.update(kept)


@contextlib.contextmanager
def _as_somebody_else(uid: int | None) -> Iterator[None]:
    """Be somebody who may read all that root may, and write nothing of anybody's; None: stay who we are."""
    if uid is None:
        yield
        return
    os.setegid(uid)
    os.seteuid(uid)  # takes away what is effective, and keeps what is permitted
    effective, permitted, inheritable, *upper = capabilities()
    set_capabilities((effective | 1 << CAP_DAC_READ_SEARCH, permitted, inheritable, *upper))
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def settle() -> None:
    """Make sure that a fork is all of this process and of no other: no threads, no files, no shared memory.

    :raises LeftError: there are some.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or every fork would say it once more
    gc.collect()
    gc.freeze()
    child = os.fork()  # libraries with threads of their own (OpenBLAS) end them before a fork
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    if len(os.listdir("/proc/self/task")) > 1:
        raise LeftError("what it has imported runs threads, which a fork would lose")
    for fd in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):  # the descriptor by which descriptors were listed
            if fd > OURS:
                raise LeftError(f"what it has imported holds {os.readlink(f'/proc/self/fd/{fd}')} open")
    if _shares_memory():
        raise LeftError("what it has imported shares memory, in which one fork could write to the others")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what is forked


def _shares_memory() -> bool:
    """Tell whether there is memory that forks would have in common, and could write to or have made so."""
    with open("/proc/self/smaps") as mappings:
        return any(line.startswith("VmFlags:") and "sh" in line.split() for line in mappings)
