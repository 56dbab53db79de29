"""Every request to a sandboxed IPython kernel is answered, whenever an interrupt comes.

Part of the profile, as `ipython_kernel_config.py`, which has ipykernel read it.

ipykernel lets SIGINT raise KeyboardInterrupt from just before it handles a request to just after,
and user code is but a part of that. An interrupt that strikes in the rest costs the request its
reply, may cut a message in two, and on the first or last step ends the kernel. With this file an
interrupt raises where code that is not ipykernel's runs, as ever. Elsewhere it is held: until such
code begins, which it then prevents, or until the reply is made, which then says so. A request
whose handling fails in some other way is answered as well.

Between two requests ipykernel ignores SIGINT, and still does.

Code inside can undo it; the guard outside does not rest on it.
"""

from __future__ import annotations

import _thread
import asyncio
import os
import signal
import sys
import threading
from contextlib import contextmanager
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelbase import Kernel
from ipykernel.zmqshell import ZMQInteractiveShell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HELD: list[int] = []
"""What was held while the present request was handled: it is not forgotten, but told once."""


def hold(number: int, _frame: object) -> None:
    """Be the handler of SIGINT while ipykernel's own code runs."""
    _HELD.append(number)


def is_main_thread() -> bool:
    """Return whether signals are this thread's business; subshells have threads of their own."""
    return threading.current_thread() is threading.main_thread()


def exposed(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return `call` as one in which an interrupt raises, and before which one that was held does.

    Who calls it will catch KeyboardInterrupt. A second interrupt, or one after the last step of `call`,
    may raise on the way out; SIGINT is held again all the same.
    """

    @wraps(call)
    def expose(*arguments: Any, **options: Any) -> Any:
        if not is_main_thread() or signal.getsignal(signal.SIGINT) is not hold:
            return call(*arguments, **options)  # a call within another, or a handler that is the user's own
        try:
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                if _HELD:
                    raise KeyboardInterrupt
                return call(*arguments, **options)
            finally:
                signal.signal(signal.SIGINT, hold)
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, hold)
            raise

    return expose


def hold_throughout(dispatch: Callable[..., Any]) -> Callable[..., Any]:
    """Return `Kernel.dispatch_shell` as one that holds interrupts from a request's receipt to its idle."""

    @wraps(dispatch)
    async def dispatch_holding(self: Kernel, *arguments: Any, **options: Any) -> None:
        if not is_main_thread() or options.get("concurrent"):  # a comm's message, beside a cell that awaits
            await dispatch(self, *arguments, **options)
            return
        handler = signal.signal(signal.SIGINT, hold)
        _HELD.clear()
        try:
            await dispatch(self, *arguments, **options)
        except KeyboardInterrupt:  # just before a comm's handler, or just after
            signal.signal(signal.SIGINT, hold)
            self._publish_status("idle", "shell")  # type: ignore[no-untyped-call]
        finally:
            signal.signal(signal.SIGINT, handler)

    return dispatch_holding


def expose_handler(self: Kernel) -> None:
    """Be `Kernel.pre_handler_hook`: let interrupts into the handlers of comms, which owe no reply.

    The handlers of requests make replies, and what they call for these is exposed where it begins.
    """
    if is_main_thread():
        self.saved_sigint_handler = signal.getsignal(signal.SIGINT)
        if self.get_parent("shell")["header"]["msg_type"] not in self.msg_types:  # type: ignore[no-untyped-call]
            signal.signal(signal.SIGINT, signal.default_int_handler)


def answering(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Return `IPythonKernel.do_execute` as one that returns a reply, whatever is raised on the way."""

    @wraps(execute)
    async def execute_and_answer(self: IPythonKernel, *arguments: Any, **options: Any) -> dict[str, Any]:
        count = self.execution_count
        shell: Any = self.shell
        shell._last_traceback_during_displayhook = False  # noqa: SLF001 - as `run_cell`, where an `await` never goes
        try:
            reply: dict[str, Any] = await execute(self, *arguments, **options)
            if _HELD and is_main_thread() and reply.get("status") == "ok":
                reply = failed(self, KeyboardInterrupt(), count)
        except (KeyboardInterrupt, asyncio.CancelledError):  # the latter: before the first step of its task
            reply = failed(self, KeyboardInterrupt(), count)
        except Exception as error:
            self.log.exception("A cell was not executed in order.")
            reply = failed(self, error, count)
        if reply.get("ename") == "KeyboardInterrupt" and is_main_thread():
            forget_result(shell)
        return reply

    return execute_and_answer


def forget_result(shell: Any) -> None:
    """Forget a value that was interrupted while it was shown.

    ipykernel would take each traceback that is shown before the next value for a failure to show this one,
    and have a cell fail with the error "NoneType": one that runs a script, or times a line, and goes on.
    """
    shell.displayhook.msg = None


def failed(kernel: IPythonKernel, error: BaseException, count: int | None) -> dict[str, Any]:
    """Show what has become of the cell of that number; return the reply that says so."""
    if is_main_thread():
        signal.signal(signal.SIGINT, hold)  # one more interrupt may have kept it from being held again
    name, value = type(error).__name__, str(error)
    traceback = [f"{name}: {value}" if value else name]
    shell: Any = kernel.shell
    try:
        shell._showtraceback(type(error), error, traceback)  # noqa: SLF001 - as IPython shows its own
    except Exception:
        kernel.log.exception("An error could not be shown.")
    said = {"status": "error", "ename": name, "evalue": value, "traceback": traceback}
    return {**said, "execution_count": count, "user_expressions": {}, "payload": []}


def answering_at_once(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return what makes the content of another reply as one that can be interrupted and still makes one."""
    make = exposed(method)

    @wraps(method)
    def make_or_fail(*arguments: Any, **options: Any) -> Any:
        try:
            return make(*arguments, **options)
        except KeyboardInterrupt:
            return {"status": "error", "ename": "KeyboardInterrupt", "evalue": "", "traceback": []}

    return make_or_fail


def cancelling_at_once(cancel_on_sigint: Callable[..., Any]) -> Callable[..., Any]:
    """Return what interrupts an asynchronous cell as one that knows of an interrupt before its first step.

    And as one that wakes the event loop: an interrupt of a cell that awaits something would be heeded when
    that comes, for tornado takes the loop to be awake in its own thread.
    """

    @wraps(cancel_on_sigint)
    @contextmanager
    def cancel(self: IPythonKernel, future: asyncio.Future[Any]) -> Iterator[None]:
        with cancel_on_sigint(self, future):
            handle: Any = signal.getsignal(signal.SIGINT)
            loop = asyncio.get_running_loop()

            def handle_and_wake(number: int, frame: object) -> None:
                handle(number, frame)
                loop.call_soon_threadsafe(int)  # anything

            signal.signal(signal.SIGINT, handle_and_wake)
            if _HELD:
                future.cancel()
            yield

    return cancel


def hold_while_forking() -> None:
    """Have an interrupt that comes while code forks, as `!command` does, raise just after.

    Python calls functions of its libraries before and after a fork, and ignores what they raise: the
    interrupt was lost, and perhaps the release of a lock, for which other threads that log waited ever after.
    """
    if sys.version_info < (3, 10):  # as in some image; there `interrupt_main` takes no number
        return
    held: list[int] = []

    def keep(number: int, _frame: object) -> None:
        held[:] = [number]

    def begin() -> None:
        try:
            held.clear()
            if is_main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                signal.signal(signal.SIGINT, keep)
        except KeyboardInterrupt:
            keep(signal.SIGINT, None)

    def end() -> None:
        try:
            if is_main_thread() and signal.getsignal(signal.SIGINT) is keep:
                signal.signal(signal.SIGINT, signal.default_int_handler)
        except KeyboardInterrupt:
            keep(signal.SIGINT, None)

    # Registered after the libraries': `begin` is called before theirs, `end` after.
    os.register_at_fork(before=begin, after_in_parent=end, after_in_child=end)
    # A function in Python would have it raised right there. This is none: `max` calls `interrupt_main` for
    # the one that is held, if one is.
    os.register_at_fork(after_in_parent=partial(max, held, key=_thread.interrupt_main, default=None))


def change(owner: type, how: Callable[..., Any], *names: str) -> None:
    """Change methods of a class."""
    for name in names:
        setattr(owner, name, how(getattr(owner, name)))


change(Kernel, hold_throughout, "dispatch_shell")
Kernel.pre_handler_hook = expose_handler  # type: ignore[method-assign]
change(IPythonKernel, answering, "do_execute")
change(IPythonKernel, cancelling_at_once, "_cancel_on_sigint")
change(IPythonKernel, answering_at_once, "do_complete", "do_inspect", "do_history", "do_is_complete")
change(ZMQInteractiveShell, exposed, "run_cell", "transform_cell", "user_expressions")
hold_while_forking()
