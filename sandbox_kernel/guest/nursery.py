"""Where a kernel comes from that was forked outside and has found its way in.

The host may have put a process into the sandbox that has imported all that a kernel needs, behind
the same walls as this one. It waits at the other end of a socket that the guest was started with.
"""

from __future__ import annotations

# `socket` takes five milliseconds to import, of which nothing is needed here.
import _socket
import marshal
import os
import sys

from sandbox_kernel.guest.calls import call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sandbox_kernel.wire import Start

PATIENCE = 10.0
"""Seconds for the fork to arrive, which takes milliseconds; less than it waits itself."""

_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # on every architecture

MOST = 8192
"""Bytes of one answer."""

READY = b"ready"


class StillbornError(Exception):
    """There is no forked kernel, and one must be started; the message says why, "" if none was to be."""


class Nursery:
    """The socket to a forked kernel."""

    def __init__(self, descriptor: int, wall: bytes) -> None:
        """Take the socket, and say where the sandbox is.

        It is told by a descriptor of this process: a number could be another's by the time it is used.

        :param wall: Landlock's attributes of the bound that our own wall lacks, so that we can signal a
            kernel which raises its own; empty where there is no Landlock of that kind.
        """
        self._wall = wall
        os.set_inheritable(descriptor, False)
        self._socket = _socket.socket(fileno=descriptor)
        self._socket.settimeout(PATIENCE)
        here = os.pidfd_open(os.getpid())
        try:
            self._send(b"here", here)
        except OSError:  # nobody is there; `take` will say so
            pass
        finally:
            os.close(here)

    def take(self, order: Start, argv: list[str], limits: list[tuple[int, int]], output: int) -> int:
        """Return the number of the process that has become the kernel, a child of ours.

        :raises StillbornError: there is none; what may have been on its way has gone or will go.
        """
        try:
            number = self._heard()
            told = {"argv": argv, "env": order.env, "cwd": order.cwd, "limits": limits}
            self._send(marshal.dumps(told), output)
            answer = self._heard()
        except OSError as error:
            raise StillbornError(str(error)) from error
        finally:
            self._socket.close()
        if answer != READY:
            raise StillbornError(answer.decode(errors="replace"))
        return int(number)

    def raise_wall(self) -> None:
        """Bound the signals of a kernel that is started here after all; runs in its process.

        :raises OSError: the kernel refuses; then it must not run.
        """
        if self._wall:
            what = "the second wall (Landlock)"
            ruleset = call("syscall", _CREATE_RULESET, self._wall, len(self._wall), 0, what=what)
            call("syscall", _RESTRICT_SELF, ruleset, 0, what=what)
            os.close(ruleset)

    def _send(self, data: bytes, descriptor: int) -> None:
        rights = descriptor.to_bytes(4, sys.byteorder)
        self._socket.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])

    def _heard(self) -> bytes:
        said = self._socket.recv(MOST)
        if not said or said.startswith(b"!"):
            raise StillbornError(said[1:].decode(errors="replace"))
        return said
