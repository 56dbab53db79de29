"""A program of its own, inside: raises the second wall around itself, and goes on as what it was told.

    python -I -B raise_wall.py ATTRIBUTES NUMBER [PATH ACCESS]... PROGRAM [ARGUMENT]...

PROGRAM is a Python file, or -c and code, which go on in this process; or else a program, which takes
its place. Nothing goes on if the wall could not be raised: who starts this has found out before
that the kernel can. Standard library only.
"""

from __future__ import annotations

import _ctypes
import os
import stat
import struct
import sys

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
PATH_BENEATH = 1
ON_FILES = 0b1100_0000_0000_0111
"""Execute, write, read, truncate, ioctl: all that can be said about something that is no directory."""


class _Word(_ctypes._SimpleCData):  # type: ignore[type-arg]  # noqa: SLF001 - there is no other
    _type_ = "l"


class _Number(_ctypes._SimpleCData):  # type: ignore[type-arg]  # noqa: SLF001 - there is no other
    _type_ = "i"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Number


# `ctypes`, which is above it, would take four milliseconds to import. A program of its own shares nothing.
_LIBRARY = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]


def call(number: int, what: str, *values: int | bytes) -> int:
    """Make a system call of Landlock's; leave with a sentence when it fails."""
    function = _Function(_ctypes.dlsym(_LIBRARY, "syscall"))
    done: int = function(*(_Word(value) if isinstance(value, int) else value for value in (number, *values)))
    if done < 0:
        reason = os.strerror(_ctypes.get_errno())
        os.write(
            2, ("The second wall (Landlock) could not be raised: " + what + ": " + reason + "\n").encode()
        )
        os._exit(1)
    return done


def raise_wall(attributes: bytes, rules: list[tuple[str, int]]) -> None:
    """Forbid what the attributes name, but below these paths what they allow."""
    ruleset = call(CREATE_RULESET, "the rules", attributes, len(attributes), 0)
    for path, access in rules:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
        of_its_kind = -1 if stat.S_ISDIR(os.fstat(beneath).st_mode) else ON_FILES
        rule = struct.pack("=Qi", access & of_its_kind, beneath)
        call(ADD_RULE, path, ruleset, PATH_BENEATH, rule, 0)
        os.close(beneath)
    call(RESTRICT_SELF, "for this process", ruleset, 0)
    os.close(ruleset)


def go_on(words: list[str]) -> None:
    """Be the program from here on."""
    sys.argv[:] = words
    name = words[0]
    if name == "-c":
        code = sys.argv.pop(1).encode()
    elif name.endswith(".py"):
        with open(name, "rb") as file:  # noqa: PTH123 - pathlib costs 10 ms to import
            code = file.read()
    else:
        os.execv(name, words)  # noqa: S606
    scope = {"__name__": "__main__", "__file__": name}
    exec(compile(code, name, "exec"), scope)  # noqa: S102 - our own guest


def main() -> None:
    """Read the words, raise the wall, go on."""
    count = int(sys.argv[2])
    words = sys.argv[3 : 3 + 2 * count]
    rules = [(words[at], int(words[at + 1])) for at in range(0, len(words), 2)]
    raise_wall(bytes.fromhex(sys.argv[1]), rules)
    go_on(sys.argv[3 + 2 * count :])


if __name__ == "__main__":
    main()
