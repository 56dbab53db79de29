"""The last steps of a fork before it is a kernel: as if the guest had started it."""

from __future__ import annotations

import contextlib
import marshal
import os
import resource
import socket
import sys
import tempfile
from typing import TYPE_CHECKING, Any, NamedTuple

from .calls import LeftError, prctl

if TYPE_CHECKING:
    from collections.abc import Callable

PR_SET_NAME = 15

READY = b"ready"
STANDARD = 2
MOST = 1 << 18
"""Bytes of an order; the plain environment and a few secrets have some kilobytes."""


class Beginning(NamedTuple):
    """What was there before anything was imported."""

    variables: frozenset[str]
    path: frozenset[str]

    @classmethod
    def now(cls) -> Beginning:
        """Return what is there now."""
        return cls(frozenset(os.environ), frozenset(path for path in sys.path if os.path.exists(path)))


def obey(nursery: socket.socket, beginning: Beginning) -> None:
    """Tell the guest that we are here, take its order, and be what it would have started.

    :raises LeftError: the order is for something else.
    :raises OSError: it cannot be carried out.
    """
    nursery.send(b"%d" % os.getpid())
    data, fds, _, _ = socket.recv_fds(nursery, MOST, 1)
    if not data:
        os._exit(0)
    order = marshal.loads(data)  # noqa: S302 - from PID 1, before any code of a user's runs
    if order["argv"] != sys.orig_argv:
        raise LeftError("it was made for another command")
    os.setsid()
    _take_streams(fds[0], nursery.fileno())
    for what, most in order["limits"]:
        resource.setrlimit(what, (most, most))
    set_by_imports = {name: value for name, value in os.environ.items() if name not in beginning.variables}
    os.environ.clear()
    os.environ.update({**set_by_imports, **order["env"]})
    os.chdir(order["cwd"])
    # Of what is on the search path outside, some is not there inside.
    sys.path[:] = [path for path in sys.path if path not in beginning.path or os.path.exists(path)]
    _freshen()
    nursery.send(READY)
    nursery.close()


def _take_streams(output: int, kept: int) -> None:
    """Have the kernel's standard streams, and nothing else open but one descriptor."""
    null = os.open("/dev/null", os.O_RDONLY)
    for descriptor, place in ((null, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, place)
    # Those there are: up to the limit there may be a billion, and this C library no call for them all.
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > STANDARD and descriptor != kept:
            with contextlib.suppress(OSError):  # the one by which they were listed
                os.close(descriptor)


def _freshen() -> None:
    """Forget what a process of its own would not share, or would have found out anew."""
    prctl(PR_SET_NAME, os.path.basename(sys.executable).encode()[:15])
    sys.path_importer_cache.clear()
    tempfile.tempdir = None
    for name, forget in FORGET.items():
        if name in sys.modules:
            forget(sys.modules[name])


def _forget_directories(matplotlib: Any) -> None:
    """Have matplotlib ask once more where its configuration and its caches are."""
    for function in (matplotlib.get_configdir, matplotlib.get_cachedir):
        if hasattr(function, "cache_clear"):
            function.cache_clear()
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            if name == "called":
                cell.cell_contents = False


FORGET: dict[str, Callable[[Any], object]] = {
    "random": lambda random: random.seed(),
    "numpy.random": lambda random: random.seed(),
    "multiprocessing.process": lambda process: setattr(process.current_process(), "authkey", os.urandom(32)),
    "platform": lambda platform: setattr(platform, "_uname_cache", None),
    "matplotlib": _forget_directories,
}
"""Module → what makes it forget: seeds, keys, the host's name, names of directories that are gone."""
