"""What several live kernels cost: memory of each, a slower round trip, the idling of their host."""

import secrets
from contextlib import ExitStack
from dataclasses import replace
from time import perf_counter, sleep
from typing import Final, Self

from sandbox_kernel.bench.cells import Samples, execute
from sandbox_kernel.bench.kernel import Kernel
from sandbox_kernel.bench.processes import (
    Memory,
    available_memory,
    command_of,
    container_of,
    everyone,
    memory_of,
    named,
    own_cpu,
    tree,
)
from sandbox_kernel.bench.subjects import Subject
from sandbox_kernel.bench.unmeasured import UnmeasuredError

GIB: Final = 1 << 30
MIB: Final = 1 << 20

ROOM: Final = 128 * MIB
"""Memory that a kernel may take at most before more of them are started: idle ones take half of it."""

ONCE: Final = 2
"""Kernels of a kind after which all is there that there is once: the second one starts a template."""

SETTLE: Final = 0.5
"""Seconds that new kernels get to do what they do after their first answer."""

_CALL_ITSELF: Final = "import ctypes; ctypes.CDLL(None).prctl(15, {name!r}, 0, 0, 0)"
"""A cell that gives its thread a name, which is seen from outside of a container (PR_SET_NAME)."""


class Crowd:
    """Some live kernels, and the processes that are there because of them."""

    def __init__(self, subject: Subject) -> None:
        self.kernels: list[Kernel] = []
        self._subject = subject
        self._stack = ExitStack()
        self._before = set(everyone())
        self._containers: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def grow(self, count: int) -> None:
        """Have so many, each of which has answered.

        :raises UnmeasuredError: they might not fit into this machine's memory.
        """
        missing = count - len(self.kernels)
        if available_memory() < missing * ROOM:
            raise UnmeasuredError(f"{count} kernels need {count * ROOM / GIB:.1f} GiB of free memory")
        for _ in range(missing):
            kernel = Kernel(self._subject)
            self._stack.callback(kernel.close)
            kernel.start()
            self.kernels.append(kernel)

    def find(self, root: int) -> None:
        """Find out what every kernel's own processes are, below `root` or in containers."""
        below = tree([root])
        for kernel in self.kernels:
            name = f"skb-{secrets.token_hex(4)}"
            kernel.run(_CALL_ITSELF.format(name=name.encode()))
            found = {container_of(pid) for pid in named(name) - below}
            self._containers |= found or self._user_space_kernels(below)

    def _user_space_kernels(self, below: set[int]) -> set[int]:
        """Return gVisor's new processes, whose inside nobody sees: on a quiet machine they are ours."""
        new = set(everyone()) - self._before - below
        return {pid for pid in new if "runsc" in command_of(pid)}

    def memory(self, root: int) -> Memory:
        """Return what `root`, its descendants and all containers hold."""
        sleep(SETTLE)
        return memory_of(tree([root, *self._containers]))


def memory(subject: Subject, count: int, root: int) -> Samples:
    """Kernels per GiB, and MiB that are private to each: idle, and with pandas imported.

    Of many kernels the first ones are left out of account, with what is there once however many there
    are: the client's process, a daemon, a template.
    """
    with Crowd(subject) as crowd:
        one, all_ = _grown(crowd, count, root)
        idle = _each(one, all_, count)
        found = {"per_gib": [GIB / idle.shared_out], "private": [idle.private / MIB]}
        try:
            for kernel in crowd.kernels[:ONCE]:
                kernel.run("import pandas")
        except UnmeasuredError:  # an image without it
            return found
        one = crowd.memory(root)
        for kernel in crowd.kernels[ONCE:]:
            kernel.run("import pandas")
        with_pandas = _each(one, crowd.memory(root), count, idle)
    found["per_gib_pandas"] = [GIB / with_pandas.shared_out]
    found["private_pandas"] = [with_pandas.private / MIB]
    if subject.forked:
        found["private_preloaded"] = [_preloaded(subject, count, root).private / MIB]
    elif not subject.sandboxed:
        found["private_preloaded"] = found["private_pandas"]
    return found


def _grown(crowd: Crowd, count: int, root: int) -> tuple[Memory, Memory]:
    """Return what few and what so many more kernels hold."""
    crowd.grow(ONCE)
    crowd.find(root)
    one = crowd.memory(root)
    crowd.grow(ONCE + count)
    crowd.find(root)
    return one, crowd.memory(root)


def _preloaded(subject: Subject, count: int, root: int) -> Memory:
    """Return what each kernel takes that has pandas from its template, and has asked for it."""
    with Crowd(replace(subject, preload="pandas")) as crowd:
        one, all_ = _grown(crowd, count, root)
        idle = _each(one, all_, count)
        for kernel in crowd.kernels[:ONCE]:
            kernel.run("import pandas")
        one = crowd.memory(root)
        for kernel in crowd.kernels[ONCE:]:
            kernel.run("import pandas")
        return _each(one, crowd.memory(root), count, idle, least=-MIB)


def _each(
    one: Memory,
    all_: Memory,
    count: int,
    below: Memory = Memory(0, 0),  # noqa: B008 - frozen
    *,
    least: int = 1,
) -> Memory:
    """Return what each of so many kernels took, on top of what it had taken `below`.

    :raises UnmeasuredError: that is less than the least that makes sense, in bytes.
    """
    shared_out = (all_.shared_out - one.shared_out) // count
    private = (all_.private - one.private) // count
    if min(shared_out, private) < least:
        raise UnmeasuredError("the machine's other programs gave back more memory than the kernels took")
    return Memory(shared_out + below.shared_out, private + below.private)


def growth(subject: Subject, counts: list[int], times: int, idle: float) -> Samples:
    """For each number of live kernels: milliseconds of a round trip, per cent of a core while all idle."""
    found: Samples = {}
    with Crowd(subject) as crowd:
        for count in counts:
            crowd.grow(count)
            sleep(SETTLE)
            execute(crowd.kernels[0], max(1, times // 10))
            found[f"execute_of_{count}"] = execute(crowd.kernels[0], times)["execute"]
            found[f"idle_of_{count}"] = [_idle_percent(idle)]
    return found


def _idle_percent(seconds: float) -> float:
    used, begun = own_cpu(), perf_counter()
    sleep(seconds)
    return (own_cpu() - used) / (perf_counter() - begun) * 100
