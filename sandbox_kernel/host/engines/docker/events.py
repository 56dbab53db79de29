"""What becomes of this process's containers, as their daemon tells it.

One thread per daemon listens for all containers of this process, from before the first is made
until the last is gone. A container that removes itself can tell nobody afterwards how it ended;
who is told while it happens need not be quicker than its removal.
"""

import contextlib
import os
import threading
from collections.abc import Mapping
from typing import Any, Final

from sandbox_kernel.errors import SandboxError
from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.daemon import Daemon, Events
from sandbox_kernel.host.engines.docker.leftovers import KERNEL, OWNER, labels

READY: Final = 5.0
"""Seconds that a launch waits for the daemon to listen; without it an end is explained less well."""

PAUSE: Final = 0.2
"""Seconds before a daemon that has gone is asked again."""


class Watch:
    """What is known of one container."""

    def __init__(self) -> None:
        self.oom_kills = 0
        self.exit_code: int | None = None
        self.signals: list[str] = []
        """Signals that somebody has sent through the daemon."""
        self.lost = False
        """Whether the daemon went away."""
        self.told = threading.Event()
        """That it has ended, or that nobody will tell."""
        self.gone = threading.Event()
        """That it was removed."""

    def __repr__(self) -> str:
        state = "gone" if self.gone.is_set() else "ended" if self.told.is_set() else "running"
        return f"<Watch {state} exit {self.exit_code} oom {self.oom_kills} signals {self.signals}>"

    def take(self, action: str, attributes: Mapping[str, Any]) -> None:
        """Note one event."""
        match action:
            case "oom":
                self.oom_kills += 1
            case "kill":
                self.signals.append(str(attributes.get("signal", "")))
            case "die" | "died":
                with contextlib.suppress(ValueError):
                    self.exit_code = int(attributes.get("exitCode", attributes.get("containerExitCode", "")))
                self.told.set()
            case "destroy" | "remove":
                self.told.set()
                self.gone.set()

    def lose(self) -> None:
        """Note that the daemon has gone."""
        self.lost = True
        self.told.set()


class Watcher:
    """Listens to one daemon for as long as there is something to listen for."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._watches: dict[str, Watch] = {}
        self._thread: threading.Thread | None = None
        self._listening = threading.Event()
        self._events: Events | None = None
        self._idle = threading.Event()

    def watch(self, name: str) -> Watch:
        """Watch the container of a launch that is about to be made."""
        with self._lock:
            watch = self._watches[name] = Watch()
            self._idle.clear()
            if self._thread is None:
                self._listening.clear()
                self._thread = threading.Thread(target=self._run, name="sandbox-events", daemon=True)
                self._thread.start()
            return watch

    def wait(self) -> None:
        """Wait until the daemon listens, or READY seconds."""
        self._listening.wait(READY)

    def forget(self, name: str) -> None:
        """Watch it no longer; after the last, end. Idempotent."""
        with self._lock:
            self._watches.pop(name, None)
            if not self._watches:
                self._idle.set()
                if self._events is not None:
                    self._events.close()

    def _run(self) -> None:
        while self._wanted():
            with contextlib.suppress(SandboxError):  # it is gone, and that is what the watches are told
                self._listen()
            self._listening.set()
            self._lose_all()
            self._idle.wait(PAUSE)

    def _wanted(self) -> bool:
        with self._lock:
            if not self._watches:
                self._thread = None
            return bool(self._watches)

    def _listen(self) -> None:
        daemon = Daemon(self._address)
        try:
            events = daemon.events(f"{OWNER}={labels('')[OWNER]}")
            with self._lock:
                self._events = events
                if not self._watches:
                    events.close()
            daemon.rest()
            self._listening.set()
            for event in events:
                self._dispatch(event)
        finally:
            with self._lock:
                self._events = None
            daemon.close()

    def _dispatch(self, event: Mapping[str, Any]) -> None:
        actor = event.get("Actor") or {}
        attributes = actor.get("Attributes") or {}
        watch = self._watches.get(str(attributes.get(KERNEL, "")))
        if watch is not None:
            watch.take(str(event.get("Action") or event.get("status") or ""), attributes)

    def _lose_all(self) -> None:
        with self._lock:
            for watch in self._watches.values():
                watch.lose()


_WATCHERS: dict[tuple[int, str], Watcher] = {}
_LOCK: Final = threading.Lock()


def watcher(address: Address) -> Watcher:
    """Return the watcher of this process for a daemon."""
    with _LOCK:
        return _WATCHERS.setdefault((os.getpid(), address.url), Watcher(address))
