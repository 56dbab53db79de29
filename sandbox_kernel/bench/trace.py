"""Where the milliseconds of a start and the microseconds of a round trip go.

Measured from outside: the worker that traces wraps some functions of the host side, which it knows
by name only, and notes when they are entered and left. Nothing in the product knows of it, and a
kernel that is not traced pays nothing. A function that has another name by now is told as missing;
its time is then in the stage of the next one.

Linux has one monotonic clock for host and guest, so a cell can say itself when it ran. gVisor's
clock is its own: what it says there is left out.
"""

import functools
import inspect
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic_ns
from typing import Any, Final

from sandbox_kernel.bench.container import new_kernel
from sandbox_kernel.bench.kernel import Kernel
from sandbox_kernel.bench.subjects import Subject

REQUEST, REPLY, RAN = "request", "first reply", "cell ran"

_PROVISIONER: Final = "sandbox_provisioner.provisioner:SandboxProvisioner"
_SANDBOX: Final = "sandbox_kernel.host.sandbox:Sandbox"
_TUNNEL: Final = "sandbox_kernel.host.tunnel:Tunnel"
_GUARD: Final = "sandbox_kernel.host.guard:Guard"

_EXPRESSION: Final = "__import__('time').monotonic_ns()"


@dataclass(frozen=True, slots=True)
class Probe:
    """A function of the product, and what it means that it is entered or left."""

    place: str
    """Module:Class."""
    function: str
    entered: str = ""
    left: str = ""
    of: str = ""
    """Only for an argument of this kind: a message's class, or its channel."""
    after: str = ""
    """Only once this has happened."""


START_PROBES: Final = (
    Probe(_PROVISIONER, "pre_launch", entered="provisioner asked"),
    Probe(_PROVISIONER, "launch_kernel", entered="policy read", left="provisioner done"),
    Probe(_SANDBOX, "_start_process", entered="sockets bound", left="wall built"),
    Probe(_TUNNEL, "_supervised", entered="guest said hello", of="Hello"),
    Probe(_TUNNEL, "_supervised", entered="kernel ready", of="Ready"),
)

TRIP_PROBES: Final = (
    Probe(_GUARD, "from_client", entered="host has request"),
    Probe(_TUNNEL, "_write_guest", left="host has passed it on", after="host has request"),
    Probe(_GUARD, "from_guest", entered="host has reply", of="SHELL"),
)

PROBES: Final = (*START_PROBES, *TRIP_PROBES)


@dataclass(slots=True)
class Notes:
    """What happened when, in nanoseconds; of several of a kind the first."""

    taken: dict[str, int] = field(default_factory=dict)

    def note(self, event: str) -> None:
        """Write it down."""
        self.taken.setdefault(event, monotonic_ns())


class Hooks:
    """The wrapped functions."""

    def __init__(self, probes: tuple[Probe, ...]) -> None:
        self.missing: list[str] = []
        self.notes = Notes()
        for probe in probes:
            module, _, name = probe.place.partition(":")
            owner = getattr(sys.modules.get(module), name, None)
            function = getattr(owner, probe.function, None)
            if function is None:
                self.missing.append(f"{name}.{probe.function}")
            else:
                setattr(owner, probe.function, self._wrapped(function, probe))

    def _wrapped(self, function: Callable[..., Any], probe: Probe) -> Callable[..., Any]:
        def entered(arguments: tuple[Any, ...]) -> bool:
            wanted = not probe.of or any(_kind(each) == probe.of for each in arguments)
            wanted = wanted and (not probe.after or probe.after in self.notes.taken)
            if wanted and probe.entered:
                self.notes.note(probe.entered)
            return wanted and bool(probe.left)

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapped(*arguments: Any, **options: Any) -> Any:
                leaves = entered(arguments)
                try:
                    return await function(*arguments, **options)
                finally:
                    if leaves:
                        self.notes.note(probe.left)

        else:

            @functools.wraps(function)
            def wrapped(*arguments: Any, **options: Any) -> Any:
                leaves = entered(arguments)
                try:
                    return function(*arguments, **options)
                finally:
                    if leaves:
                        self.notes.note(probe.left)

        return wrapped


def _kind(argument: object) -> str:
    """Return what a probe may ask an argument to be: its channel's name, or its class's."""
    channel = getattr(argument, "channel", None)
    return str(getattr(channel, "name", type(argument).__name__))


def trace(subject: Subject, starts: int, trips: int) -> dict[str, Any]:
    """Return the stages of a start (in ms) and of a round trip (in µs), medians, and what was missing.

    Each stage is named by what ends it.
    """
    kernel = new_kernel(subject)
    try:
        kernel.start()  # the first brings in the modules that are to be wrapped
    finally:
        kernel.close()
    hooks = Hooks(PROBES if subject.sandboxed else ())
    started = [_start(subject, hooks) for _ in range(starts)]
    kernel = new_kernel(subject)
    try:
        kernel.start()
        for _ in range(trips // 10):
            kernel.run("pass")
        tripped = [_trip(kernel, hooks) for _ in range(trips)]
    finally:
        kernel.close()
    return {
        "start": stages(started, 1e6),
        "round_trip": stages(tripped, 1e3),
        "missing": sorted(set(hooks.missing)),
    }


def _start(subject: Subject, hooks: Hooks) -> Notes:
    kernel = new_kernel(subject)
    notes = hooks.notes = Notes()
    notes.note(REQUEST)
    try:
        kernel.start()
        notes.note(REPLY)
    finally:
        kernel.close()
    return _only(notes, START_PROBES)


def _trip(kernel: Kernel, hooks: Hooks) -> Notes:
    notes = hooks.notes = Notes()
    notes.note(REQUEST)
    asked = kernel.client.execute("pass", user_expressions={"ran": _EXPRESSION})
    reply = kernel.answer(asked)
    notes.note(REPLY)
    told = reply["content"]["user_expressions"].get("ran", {}).get("data", {}).get("text/plain", "0")
    if notes.taken[REQUEST] < (ran := int(told)) < notes.taken[REPLY]:
        notes.taken[RAN] = ran
    _read_until_idle(kernel, asked)
    return _only(notes, TRIP_PROBES)


def _read_until_idle(kernel: Kernel, asked: str) -> None:
    """Leave nothing for the next trip; what came on iopub was no part of this one."""
    while True:
        message = kernel.client.get_iopub_msg(timeout=10)
        idle = message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"
        if idle and message["parent_header"].get("msg_id") == asked:
            return


def _only(notes: Notes, probes: tuple[Probe, ...]) -> Notes:
    wanted = {REQUEST, REPLY, RAN, *(name for probe in probes for name in (probe.entered, probe.left))}
    return Notes({name: when for name, when in notes.taken.items() if name in wanted})


def stages(runs: list[Notes], unit: float) -> list[tuple[str, float]]:
    """Return the stages in the order in which they usually come, each with its median length."""
    offsets: dict[str, list[int]] = {}
    for notes in runs:
        begun = notes.taken[REQUEST]
        for event, when in notes.taken.items():
            offsets.setdefault(event, []).append(when - begun)
    usual = sorted((statistics.median(found), event) for event, found in offsets.items())
    before, told = 0.0, []
    for offset, event in usual:
        if event != REQUEST:
            told.append((event, (offset - before) / unit))
            before = offset
    return told
