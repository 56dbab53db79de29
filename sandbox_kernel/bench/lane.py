"""A worker from outside: asks it, waits so long and no longer, and ends it."""

import json
import select
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from typing import IO, Any, Final

from sandbox_kernel.bench.subjects import Scratch, Subject
from sandbox_kernel.bench.unmeasured import UnmeasuredError

GOODBYE_SECONDS: Final = 20.0
"""How long a worker has to end its kernels: a hundred of them, at a fifth of a second."""


class Lane:
    """One subject's worker, started on first use, and again after it had to be ended."""

    def __init__(self, subject: Subject, place: Scratch) -> None:
        self.subject = subject
        self._place = place
        self._process: subprocess.Popen[str] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()

    def ask(self, name: str, timeout: float, **options: Any) -> Any:
        """Return what the worker has measured.

        :raises UnmeasuredError: it says why it could not, or did not answer in time and was ended.
        """
        process = self._process = self._process or self._start()
        try:
            line = self._answer(process, json.dumps({"do": name, **options}), timeout)
        except BaseException:
            self._end(signal.SIGTERM)
            raise
        said = json.loads(line)
        if "unmeasured" in said:
            raise UnmeasuredError(str(said["unmeasured"]).strip().replace("\n", " "))
        return said["samples"]

    def _answer(self, process: "subprocess.Popen[str]", asked: str, timeout: float) -> str:
        stdin, stdout, line = _pipe(process.stdin), _pipe(process.stdout), ""
        with suppress(BrokenPipeError):
            stdin.write(f"{asked}\n")
            stdin.flush()
            if not select.select([stdout], [], [], timeout)[0]:
                raise UnmeasuredError(f"no answer within {timeout:g} s")
            line = stdout.readline()
        if not line:
            raise UnmeasuredError(self._last_words())
        return line

    def _start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "sandbox_kernel.bench.worker", self.subject.to_json()]
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=self._place.work,
            env=self._place.environment,
        )

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return f"the measuring process ended: {lines[-1] if lines else 'without a word'}"

    def _end(self, signum: int | None = None) -> None:
        """End the worker: with its input, or a signal; one that does not heed that is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(BrokenPipeError), process:  # what it was asked last, it has not read
            if signum is not None:
                process.send_signal(signum)
            elif process.stdin:
                process.stdin.close()
            try:
                process.wait(GOODBYE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    def close(self) -> None:
        """End it, and its kernels. Idempotent."""
        self._end()
        self._log.close()


def _pipe(stream: IO[str] | None) -> IO[str]:
    """Return a stream of a process that was started with pipes."""
    if stream is None:
        raise TypeError("not a pipe")
    return stream
