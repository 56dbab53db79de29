"""The life of the guest, from its first word to its last.

    Hello → Start → the kernel is started → its messages are relayed → it ends → KernelExit

The kernel is started before what relays its messages is imported: the two then load side by side.

Whatever goes wrong, leaving `run` kills everything.
"""

from __future__ import annotations

import select
import sys

from sandbox_kernel import __version__
from sandbox_kernel.guest import kernel as kernels
from sandbox_kernel.guest.life import Init, Life, Lodger
from sandbox_kernel.guest.limits import visible_limits
from sandbox_kernel.guest.tunnel import HostGoneError, Tunnel
from sandbox_kernel.wire import (
    WIRE_VERSION,
    Channel,
    Event,
    Hello,
    KernelExit,
    Log,
    Message,
    RemoteProtocolError,
    Start,
    decode,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sandbox_kernel.guest.nursery import Nursery

FAREWELL_SECONDS = 5.0
"""How long the host may read nothing of what the guest still has to say. A host that lives
reads without pause; one that hangs must not keep a dead sandbox's memory."""


def run(stdin: int, stdout: int, *, as_init: bool, nursery: Nursery | None = None) -> int:
    """Serve one kernel, with the host at the other end of the two descriptors; close them.

    From the nursery, a kernel is taken that was forked elsewhere; if there is none, one is started.

    As init, this must be PID 1 of its own pid namespace, in its main thread. Otherwise it
    leaves the process it runs in alone: no handlers, no limits, no children but its own.

    Returns the exit status for the process: 0, or 1 if the host broke the protocol.

    :raises OSError: as init, it could not make itself untouchable; no kernel was started.
    """
    tunnel = Tunnel(stdin, stdout)
    life: Life = Init() if as_init else Lodger()
    try:
        _serve(tunnel, life, nursery)
    except HostGoneError:
        return 0
    except RemoteProtocolError as error:
        return _complain(tunnel, error)
    finally:
        life.kill_all()
        life.close()
        tunnel.close()
    return 0


def _serve(tunnel: Tunnel, life: Life, nursery: Nursery | None) -> None:
    tunnel.tell(Hello(WIRE_VERSION, __version__, ".".join(map(str, sys.version_info[:3])), visible_limits()))
    order, early = _await_start(tunnel, life)
    if order.program:
        _serve_program(tunnel, life, order, early)
        return
    try:
        kernel, complaint = kernels.start(order, lambda: life.prepare(order), nursery)
    except kernels.UnstartableError as error:
        _refuse(tunnel, error)
        return
    life.watch(kernel)
    if complaint:
        tunnel.tell(Log(f"The kernel could not be forked, and was started the usual way: {complaint}\n"))

    # Now, while the kernel loads, and not before.
    from sandbox_kernel.guest.service import Service  # noqa: PLC0415 - see above

    service = Service(tunnel, life, kernel, kernels.socket_prefix(order.runtime_dir))
    try:
        how = service.serve(early)
    finally:
        service.close()
    _report(tunnel, how)


def _serve_program(tunnel: Tunnel, life: Life, order: Start, early: list[Event]) -> None:
    # Only here: a kernel's guest does without.
    from sandbox_kernel.guest.program.service import ProgramService  # noqa: PLC0415
    from sandbox_kernel.guest.program.start import start  # noqa: PLC0415

    try:
        program = start(order, lambda: life.prepare(order))
    except kernels.UnstartableError as error:
        _refuse(tunnel, error)
        return
    life.watch(program)
    service = ProgramService(tunnel, life, program)
    try:
        how = service.serve(early)
    finally:
        service.close()
    _report(tunnel, how)


def _refuse(tunnel: Tunnel, error: kernels.UnstartableError) -> None:
    tunnel.tell(Log(f"{error}\n"))
    tunnel.tell(KernelExit(kernels.CANNOT_EXECUTE, 0, 0.0))
    _say_farewell(tunnel)


def _report(tunnel: Tunnel, how: kernels.Exit) -> None:
    """Say how it has ended, after all that it had said, which is less urgent than the report."""
    _say_farewell(tunnel)
    tunnel.tell(KernelExit(*how))
    _say_farewell(tunnel)


def _await_start(tunnel: Tunnel, life: Life) -> tuple[Start, list[Event]]:
    """Return the host's order, and what it sent right behind it."""
    poller = select.poll()
    for descriptor in (tunnel.stdin, *life.wakeups):
        poller.register(descriptor, select.POLLIN)
    while True:
        tunnel.flush()
        poller.poll()
        if life.woken():
            raise HostGoneError
        events = tunnel.receive()
        if events:
            return _order(events[0]), events[1:]


def _order(event: Event) -> Start:
    if not isinstance(event, Message) or event.channel is not Channel.SUPERVISOR:
        raise RemoteProtocolError("the first message is not for the supervisor")
    order = decode(event.parts)
    if not isinstance(order, Start):
        raise RemoteProtocolError(f"the first message is {type(order).__name__}, not Start")
    if order.version != WIRE_VERSION:
        raise RemoteProtocolError(f"the host speaks version {order.version}, this guest {WIRE_VERSION}")
    return order


def _complain(tunnel: Tunnel, error: RemoteProtocolError) -> int:
    try:
        tunnel.tell(Log(f"The guest does not understand the host: {error}.\n"))
        _say_farewell(tunnel)
    except (HostGoneError, RemoteProtocolError):
        pass  # nobody listens: the exit status says it too
    return 1


def _say_farewell(tunnel: Tunnel) -> None:
    """Write what is left, as long as the host reads it."""
    poller = select.poll()
    poller.register(tunnel.stdout, select.POLLOUT)
    tunnel.flush()
    while tunnel.outbox and poller.poll(1000 * FAREWELL_SECONDS):
        tunnel.flush()
