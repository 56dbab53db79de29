"""Keeps one cleaning process beside this one for as long as it has sandboxes."""

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

_SCRIPT = Path(__file__).with_name("janitor_process.py")


class Janitor:
    """Tells the cleaning process what there is; starts it for the first, ends it after the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def note(self, name: str, directory: Path | None = None, *, daemon: str | None = None) -> None:
        """Have the cgroups of that name, and the directory, cleared away should this process be killed.

        :param daemon: the socket of a daemon that has, or is about to have, a container of that name.
        :raises OSError: the cleaning process cannot be started.
        """
        with self._lock:
            self._noted[name] = f"+{name}\t{directory or ''}\t{daemon or ''}\n"
            if self._process and self._process.poll() is None:
                self._say(self._noted[name])
            else:  # the first, or somebody has killed it
                self._end()
                self._process = self._start()
                self._say("".join(self._noted.values()))

    def forget(self, name: str) -> None:
        """They were cleared away. Idempotent."""
        with self._lock:
            if self._noted.pop(name, None) is None:
                return
            self._say(f"-{name}\n")
            if not self._noted:
                self._end()

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={},
            bufsize=0,  # nothing half-written waits here when the process has gone
            start_new_session=True,  # a Ctrl-C in the terminal is for the host, not for its cleaner
        )

    def _say(self, text: str) -> None:
        if self._process and self._process.stdin:
            with contextlib.suppress(BrokenPipeError):  # somebody has killed it: the next note starts another
                self._process.stdin.write(text.encode(errors="surrogateescape"))

    def _end(self) -> None:
        process, self._process = self._process, None
        if process and process.stdin:
            process.kill()  # it has nothing to do, and need not look before it goes
            process.stdin.close()
            process.wait(timeout=60)

    def abandon(self) -> None:
        """In a forked child: drop the pipe, so that the parent's death is still seen."""
        process, self._process = self._process, None
        if process and process.stdin:
            os.close(process.stdin.fileno())
        self._noted.clear()
        self._lock = threading.Lock()


JANITOR = Janitor()
"""The one of this process. It holds nothing until the first sandbox starts."""
