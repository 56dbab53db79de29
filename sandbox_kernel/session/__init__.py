"""A line of code in a sandbox, for programs that would otherwise call `exec()` on what they were given.

    with Sandbox(memory="256m") as sandbox:
        result = sandbox.run("1 + 1")

An ordinary Jupyter client: it asks for a kernel by name, runs code on it cell by cell, and hands
out values. What it gets back was chosen by code that may be hostile: it is bounded, checked, and
never turned into objects by pickle.

`execution` has what a call returns, `brief` how that looks at a prompt, `settings` what a sandbox is
asked for, `kernel` how ours is found, `recorder` what becomes of messages, `session` the work itself
(asynchronous, in the one thread of `background`), `sandbox` and `asynchronous` the two faces that it is
offered with.
"""

from sandbox_kernel.notebooks import Outcome
from sandbox_kernel.session.asynchronous import AsyncSandbox
from sandbox_kernel.session.execution import CodeError, Execution, Image, Output
from sandbox_kernel.session.sandbox import Sandbox

__all__ = [
    "AsyncSandbox",
    "CodeError",
    "Execution",
    "Image",
    "Outcome",
    "Output",
    "Sandbox",
]
