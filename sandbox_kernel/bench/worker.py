"""The process that holds one subject's kernels, and measures what it is told to.

`python -m sandbox_kernel.bench.worker SUBJECT` takes one JSON object a line, `{"do": NAME, …options}`,
and answers each with one: `{"samples": …}`, or `{"unmeasured": sentence}`. It ends with its input.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from sandbox_kernel.bench import batch, cells, many, programs, starts, trace
from sandbox_kernel.bench.container import new_kernel
from sandbox_kernel.bench.kernel import Kernel
from sandbox_kernel.bench.subjects import Subject
from sandbox_kernel.bench.unmeasured import UnmeasuredError

ON_A_KERNEL: Final[dict[str, Callable[..., cells.Samples]]] = {
    "open": lambda _: {},
    "execute": cells.execute,
    "complete": cells.complete,
    "prints": cells.prints,
    "output": cells.output,
    "input": cells.take_in,
    "widgets": cells.widgets,
    "interrupt": cells.interrupt,
    "restart": cells.restart,
}
"""What one live kernel is asked for, by name."""

ON_A_SUBJECT: Final[dict[str, Callable[..., Any]]] = {
    "start": starts.warm,
    "pool": starts.pooled,
    "cold": starts.cold,
    "memory": partial(many.memory, root=os.getpid()),
    "growth": many.growth,
    "programs": programs.programs,
    "batch": batch.batch,
    "trace": trace.trace,
}
"""What starts kernels of its own."""


class Worker:
    """Keeps a kernel alive between two measurements, unless one has failed on it."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._kernel: Kernel | None = None

    def measure(self, name: str, options: dict[str, Any]) -> Any:
        """Return what was measured."""
        if name in ON_A_SUBJECT:
            return ON_A_SUBJECT[name](self._subject, **options)
        try:
            return ON_A_KERNEL[name](self._live(), **options)
        except BaseException:
            self.close()
            raise

    def _live(self) -> Kernel:
        if self._kernel is None:
            self._kernel = new_kernel(self._subject)
            self._kernel.start()
        return self._kernel

    def close(self) -> None:
        """End the kernel."""
        kernel, self._kernel = self._kernel, None
        if kernel is not None:
            kernel.close()


def answer(worker: Worker, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to one line: whatever goes wrong in a measurement is an answer as well."""
    name = asked.pop("do")
    try:
        return {"samples": worker.measure(name, asked)}
    except UnmeasuredError as error:
        return {"unmeasured": str(error)}
    except Exception as error:  # noqa: BLE001 - kernels fail in every way; the next figure is measured all the same
        return {"unmeasured": str(error) or repr(error)}


def main() -> None:
    """Serve until the input ends. SIGTERM ends the kernels as well."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the one who asks
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # or what a plain kernel writes would be taken for an answer
    worker = Worker(Subject.from_json(sys.argv[1]))
    try:
        for line in sys.stdin:
            said.write(json.dumps(answer(worker, json.loads(line))) + "\n")
            said.flush()
    finally:
        worker.close()


if __name__ == "__main__":
    main()
