"""What a user should read beside an error, where Python's own words do not say whose limit was met."""

from collections.abc import Iterator

from sandbox_kernel.host.parts import Json
from sandbox_kernel.policy import Policy, format_size

MAX_WORDS = 10_000
"""Characters of an error that are looked at."""


def advice(policy: Policy, reply: Json) -> Iterator[str]:
    """Yield sentences on the limits that the error in a cell's reply may have met.

    The kernel may make such an error up. What it gains is a true sentence about its policy.
    """
    name, words = reply.get("ename"), str(reply.get("evalue"))[:MAX_WORDS]
    if name in ("MemoryError", "_ArrayMemoryError"):
        yield f"This kernel may use {format_size(policy.memory)} of memory ('memory')."
    elif (name == "BlockingIOError" and "Errno 11" in words) or "can't start new thread" in words:
        yield f"This kernel may have {policy.pids} processes and threads ('pids')."
    elif name == "OSError" and "Errno 30" in words and policy.workspace == "ro":
        yield "The notebook's folder is shared read-only with this kernel ('workspace')."
    elif name == "gaierror" or "Errno 101" in words or "name resolution" in words:
        yield "There is no network in a sandbox."
    elif name == "ModuleNotFoundError":
        yield "This kernel has the packages of its environment or image; install more there, outside."
