"""One template, as its host knows it: how it is started, asked for a fork, and ended.

It is an ordinary child of this process, outside of every wall, and runs nothing but our own
interpreter's packages: the very code that this process itself may import. Nobody's secrets, no
notebook's folder and no sandbox's name ever reach it.
"""

import contextlib
import marshal
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from sandbox_kernel.host.engines.bubblewrap.identity import trial_identity
from sandbox_kernel.host.environment import TEMPORARY

BEGIN: Final = str(Path(__file__).with_name("begin.py"))
PROGRAM: Final = str(Path(__file__).with_name("program"))

READY: Final = b"ready"
FORK: Final = b"fork"

PATIENCE: Final = 30.0
"""Seconds for a template's imports; large libraries on a busy machine take some."""

MOST: Final = 4096
"""Bytes of an answer: a number, or a sentence."""


SCRATCH: Final = "sandbox-kernel-template-"
"""How the names of directories begin that a template has while it imports; its process id follows."""


def clear_scratch(pid: int | None = None) -> list[str]:
    """Remove what a template that was killed has left, or all that have been; return what that was."""
    mine = {os.geteuid(), trial_identity().uid}
    removed = []
    for place in Path(TEMPORARY).glob(f"{SCRATCH}{pid or '*'}-*"):
        owner = place.name.removeprefix(SCRATCH).partition("-")[0]
        if Path("/proc", owner).exists():
            continue
        with contextlib.suppress(FileNotFoundError):  # another host was quicker, or its template
            if place.lstat().st_uid in mine:
                shutil.rmtree(place, ignore_errors=True)
                removed.append(str(place))
    return removed


class TemplateError(Exception):
    """A template cannot be used; the message says why, for a log. The launch goes another way."""


class Recipe(Struct, frozen=True):
    """All that kernels forked from one template have in common."""

    argv: tuple[str, ...]
    """The kernel's own words, as they are inside: with the path of its connection file."""
    env: tuple[tuple[str, str], ...]
    modules: tuple[str, ...]
    """What is imported besides what a kernel needs."""
    directories: tuple[str, ...]
    """Where modules are imported from, as these really are; no sandbox can write to them."""
    packages: str
    """Says when something was installed or removed."""
    uid: int | None
    """Who imports, where this process is root."""
    inherited: tuple[str, ...]
    """What a process has from its parent, as `inherited` says."""


INHERITED: Final = frozenset({"Umask", "SigBlk", "SigIgn", "Cpus_allowed", "Mems_allowed"})
"""Lines of /proc/PID/status that a process has from its parent."""


def inherited() -> tuple[str, ...]:
    """Return what a process that this thread starts has from it, be it the first of a sandbox or a template.

    A template from before this thread's process has changed it would make forks that differ from PID 1.
    """
    own = Path("/proc/thread-self")
    status = (own / "status").read_text().splitlines()
    return (
        *(line for line in status if line.partition(":")[0] in INHERITED),
        (own / "limits").read_text(),
        (own / "cgroup").read_text(),
        str(os.getpriority(os.PRIO_PROCESS, 0)),
    )


class Walls(Struct, frozen=True):
    """What a forked kernel must know to end up behind the same walls as PID 1."""

    uid: int | None
    """Who to become, where root starts it."""
    namespaces: int
    """CLONE_NEW…, of PID 1's namespaces to enter."""
    landlock: tuple[bytes, list[tuple[str, int]]] | None
    seccomp: bytes

    def written(self) -> bytes:
        """Return it as the template reads it."""
        return marshal.dumps(
            {
                "uid": self.uid,
                "namespaces": self.namespaces,
                "landlock": self.landlock,
                "seccomp": self.seccomp,
            }
        )


class Forked(Struct):
    """A process that waits for the word to enter a sandbox. It ends when this is closed without."""

    pid: int
    word: socket.socket
    walls: Walls
    has_gone: bool = False

    def go(self) -> None:
        """Let it enter, behind its walls; it has been put under the sandbox's limits."""
        with contextlib.suppress(OSError):  # it has ended, or will: the guest hears of it
            self.word.send(self.walls.written())
        self.word.setblocking(False)
        self.has_gone = True

    def complaint(self) -> str | None:
        """Return why it has not become a kernel, "" if it has, or is gone; None while it is on its way."""
        try:
            return self.word.recv(MOST).decode(errors="replace").removeprefix("!")
        except BlockingIOError:
            return None
        except OSError:
            return ""

    def close(self) -> None:
        """Close our end."""
        self.word.close()


class Template:
    """A process that forks kernels. Not for use by two threads at a time."""

    def __init__(self, recipe: Recipe) -> None:
        """Start it; it can be used once `is_ready`.

        :raises TemplateError: no process can be started.
        """
        self._ready, self._begun = False, time.monotonic()
        self._control, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(PATIENCE)
        output, written = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", BEGIN, str(far.fileno()), str(output), PROGRAM, *recipe.argv],
                stdin=subprocess.DEVNULL, stdout=written, stderr=written, env=dict(recipe.env), cwd="/",
                pass_fds=(far.fileno(), output), start_new_session=True,
            )  # fmt: skip
            orders = {"modules": recipe.modules, "directories": recipe.directories, "uid": recipe.uid}
            self._control.send(marshal.dumps(orders))
        except OSError as error:
            self._control.close()
            raise TemplateError(f"no process can be started: {error.strerror}") from error
        finally:
            far.close()
            os.close(output)
            os.close(written)

    def __repr__(self) -> str:
        return f"<Template {self._process.pid}>"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def is_ready(self, wait: float) -> bool:
        """Return whether it has imported everything; waits for that so many seconds at most.

        :raises TemplateError: it cannot be used, or takes too long.
        """
        if self._ready:
            return True
        if self._heard_within(wait):
            answer = self._answer()
            if answer != READY:
                raise TemplateError(answer.decode(errors="replace"))
            self._ready = True
        elif time.monotonic() - self._begun > PATIENCE:
            raise TemplateError(f"it was not ready after {PATIENCE:g} s")
        return self._ready

    def _heard_within(self, wait: float) -> bool:
        poll = select.poll()
        poll.register(self._control.fileno(), select.POLLIN)
        return bool(poll.poll(wait * 1000))

    def fork(self, walls: Walls, nursery: int) -> Forked:
        """Return a new process of it.

        :param nursery: a socket to the guest, of which the process gets a copy.
        :raises TemplateError: it has ended, or has no room for a process.
        """
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        near.settimeout(PATIENCE)
        forked = Forked(0, near, walls)
        try:
            socket.send_fds(self._control, [FORK], [nursery, far.fileno()])
            forked.pid = self._number()
        except OSError as error:
            forked.close()
            raise self._gone() from error
        except BaseException:
            forked.close()
            raise
        finally:
            far.close()
        return forked

    def close(self) -> None:
        """End it, and return when it is gone. What it has forked lives on."""
        self._control.close()
        self._process.kill()
        self._process.wait()
        clear_scratch(self.pid)

    def abandon(self) -> None:
        """In a forked child: let go of what would keep it alive after its owner, the parent."""
        self._control.close()
        self._process.returncode = 0  # not ours to wait for

    def _number(self) -> int:
        answer = self._answer()
        if not answer.isdigit():
            raise TemplateError(answer.decode(errors="replace"))
        return int(answer)

    def _answer(self) -> bytes:
        try:
            answer = self._control.recv(MOST)
        except ConnectionError as error:  # it had not read all that it was told
            raise self._gone() from error
        except OSError as error:
            raise TemplateError(f"it does not answer: {error}") from error
        if not answer:
            raise self._gone()
        return answer

    def _gone(self) -> TemplateError:
        """Return what to raise when nobody is at the other end."""
        self._process.kill()
        return TemplateError(f"it has ended with status {self._process.wait()}")
