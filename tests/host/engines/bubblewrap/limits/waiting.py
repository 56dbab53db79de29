"""Processes that wait to be told to go on, as a sandbox's first process does while limits are set."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sandbox_kernel.host.engines.bubblewrap.limits.processes import tree


@contextmanager
def waiting(code: str = "") -> Iterator[subprocess.Popen]:
    """Start a single process that runs Python code once it has read a line.

    The shell's `read` takes no byte more than that line; then it becomes the interpreter.
    """
    program = ["/bin/sh", "-c", 'read -r go && exec "$@"', "sh", sys.executable, "-c", textwrap.dedent(code)]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    try:
        yield process
    finally:
        for each in reversed(tree(process.pid)):  # its children outlive it: there is no pid namespace
            with suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGKILL)
        process.wait()
        process.stdin.close()
        process.stdout.close()


def go(process: subprocess.Popen) -> None:
    process.stdin.write("go\n")
    process.stdin.flush()
