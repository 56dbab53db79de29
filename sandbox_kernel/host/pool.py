"""Sandboxes that are started before anybody asks for them, so that nobody waits for them.

Whoever has launched the same kind of kernel twice in this process (a server, a batch; also a
restart is a launch) will do so again: from then on one more is kept warm. Rules:

- One owner, ever. What is taken is given to nobody else, and nothing comes back.
- It is what would be started now: the same policy, command and variables, the same packages or
  image, the same folders (not others of their names), and no older than MAX_AGE.
- It holds nothing of an owner's: a launch with secrets neither takes one nor leaves a wish for one.
- Few of them, one is started at a time, and only where they leave most of the memory to others.
- Where so many are launched that the processors have no time for more, none is started beforehand.
- It ends soon after the last kernel of this process has, and with the process, however that ends.
"""

import logging
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from secrets import token_hex
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from sandbox_kernel.errors import SandboxError
from sandbox_kernel.host.audit import fingerprint
from sandbox_kernel.host.engines.base import CONTAINERS, Engine, Launch
from sandbox_kernel.host.engines.doors import find_doors
from sandbox_kernel.host.engines.grants import close_all, open_grants
from sandbox_kernel.host.engines.interpreter import look_at_interpreter
from sandbox_kernel.host.memory import memory
from sandbox_kernel.host.program import ProgramSandbox
from sandbox_kernel.host.sandbox import Sandbox
from sandbox_kernel.policy import Policy

log = logging.getLogger(__name__)

MAX_AGE: Final = 600.0
"""Seconds that one is kept: for a kernel's whole working day idle ones would only cost memory."""

UNUSED: Final = 5.0
"""Seconds after the end of the last kernel that somebody owned: a batch has begun the next by then, and
whoever has closed all notebooks wants nothing to stay."""

MAX_KINDS: Final = 64
"""Kinds of launches that are remembered: notebooks' folders times kernelspecs, for people."""

BREATH: Final = 0.06
"""Seconds from a launch to the start of the next of its kind: who has just been served has something to run,
and would wait for the processors that the start takes. Few starts are shorter."""

LAUNCHES: Final = 2
"""So many launches of a kind make another one likely: a script that runs one notebook pays nothing."""

PACE: Final = 4
"""Launches in a second, for each processor, beyond which the pool has nothing to give: to start one for later
takes the time from one that is waited for now, and costs a little more."""

SMALL: Final = 8 << 30
"""Bytes of memory below which a machine keeps none by itself: a kernel has some 60 MB, and its libraries'."""

SPARE: Final = 1 << 30
"""Bytes that must be available beside what a warm sandbox may use by its policy."""


class Kind(Struct, frozen=True):
    """What two launches have in common if one sandbox serves either."""

    engine: str
    software: str
    policy: Policy
    argv: tuple[str, ...]
    fork: bool
    program: bool
    directory: str
    variables: tuple[tuple[str, str], ...]
    places: tuple[tuple[str, int, int], ...]
    """What is shared or shown, with its device and inode: a name may come to mean another folder."""
    doors: tuple[tuple[str, int, int, int], ...]
    """Sockets and pipes in what is shared, each with what tells it from another of its name: those that have
    come since would not be covered. Where a program binds its socket anew, the cover goes with the old."""


def kind_of(engine: Engine, policy: Policy, launch: Launch) -> Kind:
    """Return the kind of a launch; may ask a daemon.

    :raises SandboxError: what starting it would raise: nothing can be granted, no daemon answers, …
    """
    variables = {name: os.environ[name] for name in policy.env if name in os.environ} | dict(launch.env)
    opened = open_grants(policy, launch.directory)
    try:
        grants = [one.grant for one in opened]
        places = [(one.grant.path, *_identity(one.fd)) for one in opened]
        environment = () if engine.name in CONTAINERS else look_at_interpreter(launch.argv[0]).directories
        # An environment that was made anew has the same packages, and the old one's files are gone.
        places += [(shown.path, *_identity(shown.real)) for shown in environment]
        doors = [_door(path) for path in find_doors(grants, (shown.real for shown in environment))]
    finally:
        close_all(opened)
    return Kind(
        engine.name,
        engine.software(policy) or fingerprint(launch.argv[0]) or "",
        policy,
        launch.argv,
        launch.fork,
        launch.program,
        "" if policy.workspace == "none" else str(launch.directory),
        tuple(sorted(variables.items())),
        tuple(places),
        tuple(doors),
    )


def _identity(place: int | str) -> tuple[int, int]:
    try:
        status = os.stat(place)  # noqa: PTH116 - of a descriptor as well
    except OSError:  # a part of an environment that was removed: starting it says it better
        return 0, 0
    return status.st_dev, status.st_ino


def _door(path: str) -> tuple[str, int, int, int]:
    """Return a door with its numbers, and its time: the numbers of one that was removed are given again."""
    try:
        status = os.lstat(path)
    except OSError:  # it was removed just now
        return path, 0, 0, 0
    return path, status.st_dev, status.st_ino, status.st_ctime_ns


class _Warm(Struct, frozen=True):
    sandbox: Sandbox
    since: float


class Pool:
    """The warm sandboxes of this process. All methods may be called from any thread."""

    def __init__(self) -> None:
        self.allowed: int | None = None
        """How many are kept; None: one, where the machine has memory for it."""
        self._lock = threading.Lock()
        self._warm: OrderedDict[Kind, _Warm] = OrderedDict()
        self._launches: OrderedDict[Kind, int] = OrderedDict()
        self._starting: Sandbox | None = None
        self._meant: threading.Timer | None = None
        """Starts the next one in a moment."""
        self._owned: set[Sandbox] = set()
        self._latest: deque[float] = deque(maxlen=PACE * (os.cpu_count() or 1))
        """When the last launches were."""
        self._timer: threading.Timer | None = None
        self._leaving: threading.Timer | None = None

    def __repr__(self) -> str:
        return f"<Pool of {len(self._warm)}>"

    @property
    def size(self) -> int:
        """How many are kept at most."""
        return self.allowed if self.allowed is not None else int(memory().total >= SMALL)

    def is_of_use(self) -> bool:
        """Note that there is a launch, and tell whether it is to look here, and to leave a wish."""
        now = time.monotonic()
        with self._lock:
            outrun = len(self._latest) == self._latest.maxlen and now - self._latest[0] < 1.0
            self._latest.append(now)
        return self.size > 0 and not outrun

    def take(self, kind: Kind) -> Sandbox | None:
        """Return a warm sandbox of that kind, for the caller to `adopt`, or to start one as ever."""
        with self._lock:
            found = self._warm.pop(kind, None)
        if found is None:
            return None
        if found.sandbox.death is None and time.monotonic() - found.since < MAX_AGE:
            return found.sandbox
        found.sandbox.kill()
        return None

    def owned(self, sandbox: Sandbox) -> None:
        """Note that somebody has this sandbox: while it lives, others like it may be wanted."""
        with self._lock:
            self._owned.add(sandbox)
            if self._leaving:  # it counts from the end of the last one
                self._leaving.cancel()
                self._leaving = None
        sandbox.ended.add_done_callback(lambda _: self._left(sandbox))

    def _left(self, sandbox: Sandbox) -> None:
        with self._lock:
            self._owned.discard(sandbox)
            self._leave_later()

    def _leave_later(self) -> None:
        kept = self._warm or self._starting or self._meant
        if not self._owned and kept and self._leaving is None:
            self._leaving = _later(UNUSED, self._drop_unused)

    def _drop_unused(self) -> None:
        with self._lock:
            self._leaving = None
            dropped = [] if self._owned else self._emptied()
        for sandbox in dropped:
            sandbox.kill()

    def _emptied(self) -> list[Sandbox]:
        """Return all that are kept or started, which are nobody's from now on."""
        all_ = [warm.sandbox for warm in self._warm.values()]
        if self._starting:
            all_.append(self._starting)
        if self._meant:
            self._meant.cancel()
        self._warm, self._starting, self._meant = OrderedDict(), None, None
        return all_

    def launched(self, engine: Engine, kind: Kind, launch: Launch) -> None:
        """Note that a launch has succeeded, and keep the next one warm if there has been one before it."""
        with self._lock:
            self._launches[kind] = self._launches.pop(kind, 0) + 1
            if len(self._launches) > MAX_KINDS:
                self._launches.popitem(last=False)
            if not self._is_wanted(kind):
                return
            # With the variables of its kind: the process's own may be another launch's by the time it starts.
            fresh = replace(launch, name=token_hex(8), env=dict(kind.variables))
            self._meant = _later(BREATH, lambda: self._start(engine, kind, fresh))

    def _start(self, engine: Engine, kind: Kind, launch: Launch) -> None:
        """Start what was meant to be, unless the pool was drained meanwhile; in the timer's thread."""
        with self._lock:
            if self._meant is not threading.current_thread():
                return
            self._meant = None
            make = ProgramSandbox if launch.program else Sandbox
            sandbox = self._starting = make(kind.policy, launch, engine, None)
        sandbox.start().add_done_callback(lambda done: self._started(kind, sandbox, done.exception()))

    def _is_wanted(self, kind: Kind) -> bool:
        if self._launches[kind] < LAUNCHES or kind in self._warm or self._starting or self._meant:
            return False
        if self.allowed == 0:
            return False
        there = memory()
        enough = self.allowed is not None or there.total >= SMALL
        return enough and there.available >= kind.policy.memory + SPARE

    def _started(self, kind: Kind, sandbox: Sandbox, failure: BaseException | None) -> None:
        """Keep it, in place of the oldest if there are too many; in its own thread."""
        over: list[Sandbox] = []
        meant = failure is None and _is_still(kind, sandbox)
        with self._lock:
            if self._starting is not sandbox or not meant:  # the pool was drained meanwhile
                over.append(sandbox)
            else:
                self._warm[kind] = _Warm(sandbox, time.monotonic())
            self._starting = None if self._starting is sandbox else self._starting
            most = (
                1 if self.allowed is None else self.allowed
            )  # there was memory for it, or it were not started
            while len(self._warm) > most:
                over.append(self._warm.popitem(last=False)[1].sandbox)
            self._look_later()
            self._leave_later()
        if failure is not None:  # the next launch of its kind will fail as well, and says so better
            log.debug("No sandbox could be kept warm: %s", failure)
        for each in over:
            each.kill()

    def _look_later(self) -> None:
        if self._warm and self._timer is None:
            self._timer = _later(MAX_AGE, self._drop_old)

    def _drop_old(self) -> None:
        with self._lock:
            self._timer = None
            old = [kind for kind, warm in self._warm.items() if time.monotonic() - warm.since >= MAX_AGE]
            dropped = [self._warm.pop(kind) for kind in old]
            self._look_later()
        for warm in dropped:
            warm.sandbox.kill()

    def drain(self) -> None:
        """End all that are kept and return when nothing of them is left."""
        with self._lock:
            ending = self._emptied()
            self._launches.clear()
            self._latest.clear()
            for timer in (self._timer, self._leaving):
                if timer:
                    timer.cancel()
            self._timer = self._leaving = None
        for each in ending:
            each.kill()
        for each in ending:
            each.close()

    def abandon(self) -> None:
        """In a forked child: they are the parent's."""
        self._lock = threading.Lock()  # some thread of the parent may hold the old one
        self._warm, self._launches = OrderedDict(), OrderedDict()
        self._starting, self._meant, self._owned, self._timer, self._leaving = None, None, set(), None, None


def _later(seconds: float, call: Callable[[], None]) -> threading.Timer | None:
    """Call later, in a thread of its own; None where none can be started, at the interpreter's end, say.

    Then what is kept waits for the next occasion, or for the end of this process.
    """
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    try:
        timer.start()
    except RuntimeError:
        return None
    return timer


def _is_still(kind: Kind, sandbox: Sandbox) -> bool:
    """Whether what has started is of the kind that was asked for: an image or a folder may have changed."""
    try:
        return kind_of(sandbox.engine, sandbox.policy, sandbox.launch) == kind
    except SandboxError:
        return False


POOL: Final = Pool()
"""The one of this process."""

os.register_at_fork(after_in_child=POOL.abandon)
