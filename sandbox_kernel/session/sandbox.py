"""A sandbox for code that waits: threads, scripts, and also programs with an event loop of their own."""

import os
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

from sandbox_kernel.session.crossing import LIMIT, content_of, encoded, write_to
from sandbox_kernel.session.execution import Execution, Output
from sandbox_kernel.session.faces import Face, checked_code, checked_timeout
from sandbox_kernel.session.suspicion import believe

Result = TypeVar("Result")


class Sandbox(Face):
    """Runs code behind a wall, piece by piece, with what it defined kept in between.

    >>> with Sandbox(memory="256m", cell_timeout="10s") as sandbox:
    ...     sandbox.run("x = 20").outcome
    ...     sandbox.run("print('so'); 2 * x + 2").value
    <Outcome.OK: 'ok'>
    '42'

    What it may do is a policy (`sandbox_kernel.policy.Policy`), a profile's name ("default",
    "strict"), or settings by name, which also change either; `sandbox-kernel doctor` and the README
    list them. Variables SANDBOX_KERNEL_* have no say in it, unless the policy is
    `sandbox_kernel.policy.policy_from_environment(os.environ)`. Nothing of the host is inside but
    the Python that is running; `directory` is shared as the setting `workspace` says: "ro" unless
    told otherwise.

    It starts with `with`, or with its first call. All methods may be called from any thread; calls
    are run one after the other. While one waits, a loop that it was called in stands still: there
    `AsyncSandbox` is at home.

    :raises PolicyError: on construction, when a setting is not known or not usable; on the start,
        when it is above an administrator's maximum.
    """

    def __enter__(self) -> Self:
        """Start it.

        :raises SandboxError: it did not come up; the message says what to do.
        """
        try:
            self._wait(self._home.submit(self._own.start()))
        except BaseException:  # nobody will call __exit__
            self._home.submit(self._own.close())
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.close()

    def run(
        self,
        code: str,
        *,
        timeout: float | str | None = None,
        on_output: Callable[[Output], object] | None = None,
    ) -> Execution:
        """Run code, and return what became of it: its errors are in there, and raise nothing here.

        :param timeout: seconds until the code is interrupted, or a text such as "90s"; of this and the
            policy's `cell_timeout` the shorter one counts. Its state is kept if it reacts, else the sandbox
            is ended.
        :param on_output: called in this thread with each output as it comes; what it raises stops the code.
        :raises SandboxError: the sandbox did not come up, or is closed; an argument is unusable.
        """
        code, seconds, session = checked_code(code), checked_timeout(timeout), self._own
        if on_output is None:
            return self._wait(self._home.submit(session.run(code, seconds, None)))
        heard: SimpleQueue[Output | None] = SimpleQueue()
        future = self._home.submit(session.run(code, seconds, heard.put))
        future.add_done_callback(lambda _: heard.put(None))
        try:
            while (output := heard.get()) is not None:
                on_output(output)
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def put(self, name: str, value: Any, *, limit: int = LIMIT) -> None:
        """Make `value` the variable `name` inside.

        What crosses are JSON's types, bytes, numpy arrays, and (with pyarrow on both sides) Arrow tables
        and DataFrames. A tuple becomes a list. Nothing is pickled.

        :raises TransferError: the value does not cross, or would take more than `limit` bytes.
        """
        kind, data = encoded(name, value, limit)
        self._wait(self._home.submit(self._own.cross(lambda to: to.put_value(name, kind, data))))

    def get(self, expression: str, *, limit: int = LIMIT) -> Any:
        """Return the value of a variable, or of any expression, inside: of one of the types of `put`.

        It is what the code inside makes of it: check it as you would check a stranger's JSON.

        :raises TransferError: there is none, it does not cross, it has more than `limit` bytes, or
            it is not what it says that it is.
        """
        kind, data = self._wait(
            self._home.submit(self._own.cross(lambda of: of.get_value(expression, limit)))
        )
        return believe(kind, data)

    def put_file(
        self, path: str, content: bytes | bytearray | memoryview | os.PathLike[str], *, limit: int = LIMIT
    ) -> None:
        """Make a file inside: of bytes, or of the file out here that a `Path` names.

        :param path: counts from where the code is; folders on the way are made.
        :raises TransferError: it cannot be read or written, or has more than `limit` bytes.
        """
        data = content_of(content, limit)
        self._wait(self._home.submit(self._own.cross(lambda to: to.put_file(path, data))))

    def get_file(self, path: str, *, to: os.PathLike[str] | None = None, limit: int = LIMIT) -> bytes:
        """Return what a file inside has.

        :param to: a file out here that gets it as well; one that is there is replaced.
        :raises TransferError: it cannot be read or written, or has more than `limit` bytes.
        """
        data = self._wait(self._home.submit(self._own.cross(lambda of: of.get_file(path, limit))))
        if to is not None:
            write_to(to, data)
        return data

    def interrupt(self) -> None:
        """Interrupt the code that some other thread has running: it gets a KeyboardInterrupt."""
        self._wait(self._home.submit(self._own.interrupt()))

    def reset(self) -> None:
        """End all that runs inside, and go on with a fresh sandbox that knows nothing.

        :raises SandboxError: it did not come up, or this one is closed.
        """
        self._wait(self._home.submit(self._own.reset()))

    def close(self) -> None:
        """End it; nothing of it is left. Idempotent."""
        self._wait(self._home.submit(self._own.close()))

    def _wait(self, future: Future[Result]) -> Result:
        """Return what comes of it; whoever stops waiting (Ctrl-C) stops it."""
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise
