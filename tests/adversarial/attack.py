"""What an attack is, and the program that runs many of them, one after the other, where it is sent.

This module and those of `tests.adversarial.attacks` go inside as text: they import the standard
library only. An attack is a function that gets the bait and

- returns a sentence: it reached its aim, and says how;
- returns None: nothing stopped it, and it found nothing;
- raises: an OSError's name is what it was refused with.

Each runs in a process and a directory of its own. Whatever else happens in it, such as a NameError, is
"broken": no attack counts as refused because it was written wrong.
"""

import contextlib
import ctypes
import errno
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace

PACKAGE = "tests.adversarial.attacks"
WON = "won: "
NOTHING = "nothing"
KINDS = (
    "escape",
    "network",
    "exhaustion",
    "tunnel",
    "browser",
    "persistence",
    "interference",
    "control path",
)
REFUSALS = frozenset(["EACCES", "EPERM", "EROFS", "ENOENT", "ENOSYS"])
"""With what a wall refuses, unless an attack names something else."""

UNKNOWN_TO_GVISOR = REFUSALS | frozenset(
    ["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENODEV", "ENOTTY", "EAFNOSUPPORT", "EPROTONOSUPPORT"]
)
"""With what gVisor's kernel refuses besides: it has not got all that Linux has."""
OUT_OF_MEMORY = "the_limit_on_memory"
"""A sandbox that was ended for it: in gVisor a fork bomb is too much memory, as well."""
OWN_KERNEL = "our list of system calls is not applied inside (its own kernel is the wall)"
Run = Callable[[SimpleNamespace], "str | None"]


@dataclass(frozen=True)
class Attack:
    """One attack, where it is run, and with what it may be refused."""

    name: str
    """Its module and function: "files.read_shadow"."""
    kind: str
    ids: str
    """The cases of the threat catalogue that it is: "F1 F8", or empty."""
    aim: str
    run: Run
    refused: frozenset[str]
    root: bool = False
    """Without a wall only root gets there: it is shown to work by root."""
    absent: bool = False
    """Some machines' kernels have no such thing: there nothing can be shown, and it is not counted."""
    plant: Callable[[SimpleNamespace], object] | None = None
    """Run before, and where another sandbox is: what the attack looks for."""
    arena: str = "wide"
    """The policy of the sandbox: "wide" is the default one, "small" one that is soon used up."""
    differs: dict[str, str] = field(default_factory=dict)
    """Engines behind whose wall it may reach its aim, and the words with which SECURITY.md says so."""

    def is_refused(self, engine: str, outcome: str) -> bool:
        """Say whether an engine's wall has held."""
        if engine == "gvisor" and outcome in UNKNOWN_TO_GVISOR:
            return True
        return outcome in self.refused or (self.arena == "small" and outcome == OUT_OF_MEMORY)


ATTACKS: dict[str, Attack] = {}


def attack(
    kind: str,
    ids: str = "",
    *,
    refused: str = "",
    nothing: bool = False,
    root: bool = False,
    absent: bool = False,
    plant: Callable[[SimpleNamespace], object] | None = None,
    arena: str = "wide",
    **differs: str,
) -> Callable[[Run], Run]:
    """Register a function as an attack; what differs is named by engine."""
    allowed = (frozenset(refused.split()) or REFUSALS) | ({NOTHING} if nothing else set())

    def register(run: Run) -> Run:
        name = f"{run.__module__.rpartition('.')[2]}.{run.__name__}"
        if name in ATTACKS:
            raise ValueError(f"two attacks are called {name}")
        aim = (run.__doc__ or "").strip()
        ATTACKS[name] = Attack(name, kind, ids, aim, run, allowed, root, absent, plant, arena, differs)
        return run

    return register


# What attacks are made of.

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def call(bait: SimpleNamespace, name: str, *arguments: object) -> int:
    """Make a system call by its name; raises OSError as those of `os` do."""
    whole = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    ctypes.set_errno(0)
    return checked(libc.syscall(ctypes.c_long(bait.numbers[name]), *whole))


def checked(result: int) -> int:
    """Return what a C function answered, or raise what it set errno to."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def opened(path: str, flags: int = os.O_WRONLY) -> str:
    """Open a file, change nothing, say so."""
    os.close(os.open(path, flags | os.O_NONBLOCK))
    return f"opened {path}"


def victim(bait: SimpleNamespace) -> int:
    """Return the process of the host that must not be reached; raises ESRCH where it is not seen."""
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        if is_victim(bait, pid):
            return pid
    raise ProcessLookupError(errno.ESRCH, "no such process")


def is_victim(bait: SimpleNamespace, pid: int) -> bool:
    """Say whether a process that is seen is the one of the host."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        return bait.victim_name.encode() in file.read()
    return False


# The program.


def main(order_file: str) -> None:
    """Run what the order says; print a line of JSON for each: [name, outcome]."""
    with open(order_file, encoding="utf-8") as file:
        order = json.load(file)
    load(order["modules"])
    bait = SimpleNamespace(**order["bait"])
    if order.get("addresses"):
        sys.modules[f"{PACKAGE}.network"].become_the_world(order["addresses"])
    if order["planting"]:
        planted = {name: _plant(ATTACKS[name], bait) for name in order["names"]}
        say(["planted", planted])
        signal.pause()
    for name in order["names"]:
        bait.planted = order["bait"].get("planted", {}).get(name)
        say([name, outcome_of(ATTACKS[name], bait, order["patience"])])


def load(modules: dict[str, str]) -> None:
    """Make modules of texts, as if they had been imported: this one is one of them."""
    ours = sys.modules[__name__]
    packages = {"tests": ModuleType("tests"), "tests.adversarial": ModuleType("tests.adversarial")}
    sys.modules.update(packages, **{"tests.adversarial.attack": ours})
    for name, text in modules.items():
        module = ModuleType(name)
        exec(compile(text, name, "exec"), module.__dict__)
        sys.modules[name] = module


def say(what: list[object]) -> None:
    print(json.dumps(what), flush=True)


def _plant(one: Attack, bait: SimpleNamespace) -> object:
    """Return what was planted, None where even that was refused."""
    try:
        return one.plant(bait) if one.plant else None
    except (OSError, AttributeError):
        return None


def outcome_of(one: Attack, bait: SimpleNamespace, patience: float) -> str:
    """Run one attack in a process of its own, with all that it starts."""
    reader, writer = os.pipe()
    directory = tempfile.mkdtemp()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.setpgid(0, 0)
        os.chdir(directory)
        os.write(writer, attempt(one, bait).encode()[:4000])
        os._exit(0)
    os.close(writer)
    said = _listen(reader, patience)
    os.close(reader)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    shutil.rmtree(directory, ignore_errors=True)
    if said is None:
        return "hung"
    if not said and os.WIFSIGNALED(status):
        return f"killed_by_{signal.Signals(os.WTERMSIG(status)).name}"
    return said or f"broken: ended with status {status}"


def attempt(one: Attack, bait: SimpleNamespace) -> str:
    """Return what came of an attack, in one line."""
    try:
        told = one.run(bait)
    except OSError as error:
        return errno.errorcode.get(error.errno, repr(error)) if error.errno else type(error).__name__
    except (MemoryError, RuntimeError) as error:
        return type(error).__name__
    except BaseException:
        return "broken: " + traceback.format_exc(limit=-3)
    return NOTHING if told is None else WON + str(told)


def _listen(reader: int, patience: float) -> str | None:
    """Return what a child said before it closed its end, None if it goes on for too long."""
    end, text = time.monotonic() + patience, b""
    while (left := end - time.monotonic()) > 0:
        if select.select([reader], [], [], left)[0]:
            data = os.read(reader, 4096)
            text += data
            if not data or text:
                return text.decode(errors="replace")
    return None


if __name__ == "__main__":
    main(sys.argv[1])
