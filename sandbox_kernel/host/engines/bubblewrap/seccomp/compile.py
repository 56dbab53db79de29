"""Compiles the system call list with libseccomp; for developers, never needed to run a sandbox.

    python -m sandbox_kernel.host.engines.bubblewrap.seccomp.compile [DIRECTORY]

writes one `.bpf` per architecture, on any machine, for all of them, beside this module or elsewhere.
Needs the shared library libseccomp (Debian: libseccomp2), no headers and no Python binding.

In front of libseccomp's program go six instructions of our own, which answer ENOSYS to every
number above the highest that the list names: libseccomp itself can give one default error only.
"""

import ctypes
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox_kernel.host.engines.bubblewrap.seccomp import POLICY, filter_path
from sandbox_kernel.host.engines.bubblewrap.seccomp.rules import Architecture, Rule, Rules, parse

ACT_KILL_PROCESS = 0x80000000
ACT_ALLOW = 0x7FFF0000
ACT_ERRNO = 0x00050000
ATTR_ACT_BADARCH = 2
ATTR_CTL_OPTIMIZE = 8
BINARY_TREE = 2
CMP_MASKED_EQ = 7
UNKNOWN_CALL = -1
X32_BIT = 0x40000000
"""Set in the number of every x32 call; libseccomp's own program refuses these."""
ENOSYS = 38

INSTRUCTION = struct.Struct("<HBBI")
"""The kernel's struct sock_filter; both architectures are little-endian."""

# Instructions of the kernel's classic BPF, and where seccomp_data keeps what they load.
LOAD, JUMP_EQUAL, JUMP_GREATER, JUMP_GREATER_EQUAL, RETURN = 0x20, 0x15, 0x25, 0x35, 0x06
NUMBER_OFFSET, ARCH_OFFSET = 0, 4


class _Comparison(ctypes.Structure):
    """libseccomp's struct scmp_arg_cmp."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


class _Version(ctypes.Structure):
    _fields_ = (("major", ctypes.c_uint), ("minor", ctypes.c_uint), ("micro", ctypes.c_uint))


class LibSeccomp:
    """The few functions of the shared library that compiling takes.

    :raises OSError: the library is not installed, or it refuses what it is given.
    """

    def __init__(self) -> None:
        self._lib = ctypes.CDLL("libseccomp.so.2")
        self._lib.seccomp_init.restype = ctypes.c_void_p
        self._lib.seccomp_version.restype = ctypes.POINTER(_Version)
        self._lib.seccomp_arch_native.restype = ctypes.c_uint32

    @property
    def version(self) -> tuple[int, int, int]:
        """Return the library's version: another one may compile the same list to other bytes."""
        version = self._lib.seccomp_version().contents
        return version.major, version.minor, version.micro

    def resolve(self, name: str, arch: Architecture | None = None) -> int:
        """Return a call's number, here or on an architecture: negative where it has none."""
        encoded = name.encode()
        if arch is None:
            return int(self._lib.seccomp_syscall_resolve_name(encoded))
        return int(self._lib.seccomp_syscall_resolve_name_arch(ctypes.c_uint32(arch.token), encoded))

    @contextmanager
    def context(self, default: int) -> Iterator[ctypes.c_void_p]:
        """Yield an empty filter that answers everything with one action."""
        context = ctypes.c_void_p(self._lib.seccomp_init(ctypes.c_uint32(default)))
        try:
            yield context
        finally:
            self._lib.seccomp_release(context)

    def attribute(self, context: ctypes.c_void_p, name: int, value: int) -> None:
        """Set one of the filter's attributes."""
        _check(self._lib.seccomp_attr_set(context, name, ctypes.c_uint32(value)), f"attribute {name}")

    def only(self, context: ctypes.c_void_p, arch: Architecture) -> None:
        """Make the program one for this architecture alone, whatever this machine is."""
        native = self._lib.seccomp_arch_native()
        if native != arch.token:
            _check(self._lib.seccomp_arch_add(context, ctypes.c_uint32(arch.token)), arch.name)
            _check(self._lib.seccomp_arch_remove(context, ctypes.c_uint32(native)), "the native architecture")

    def add(self, context: ctypes.c_void_p, rule: Rule) -> None:
        """Add a rule; its number is this machine's, and libseccomp translates it."""
        action = ACT_ALLOW if rule.errno is None else ACT_ERRNO | rule.errno
        comparisons = (_Comparison * len(rule.conditions))(
            *(_Comparison(c.index, CMP_MASKED_EQ, c.mask, c.value) for c in rule.conditions)
        )
        number = self.resolve(rule.name)
        added = self._lib.seccomp_rule_add_array(
            context, ctypes.c_uint32(action), number, len(rule.conditions), comparisons
        )
        _check(added, rule.name)

    def export(self, context: ctypes.c_void_p) -> bytes:
        """Return the filter as the kernel's program."""
        with tempfile.TemporaryFile() as file:
            _check(self._lib.seccomp_export_bpf(context, file.fileno()), "export")
            file.seek(0)
            return file.read()


def compile_filter(rules: Rules, arch: Architecture) -> bytes:
    """Return the kernel's program for a list, on one architecture.

    Calls that the architecture or this libseccomp does not know are left out, as container
    runtimes leave them out: what is not named is refused.
    """
    lib = LibSeccomp()
    known = [rule for rule in rules.rules if lib.resolve(rule.name, arch) >= 0]
    with lib.context(ACT_ERRNO | rules.default_errno) as context:
        lib.only(context, arch)
        lib.attribute(context, ATTR_ACT_BADARCH, ACT_KILL_PROCESS)
        lib.attribute(context, ATTR_CTL_OPTIMIZE, BINARY_TREE)
        for rule in known:
            lib.add(context, rule)
        program = lib.export(context)
    return _newer_is_unknown(arch, max(lib.resolve(rule.name, arch) for rule in known)) + program


def _newer_is_unknown(arch: Architecture, highest: int) -> bytes:
    """Return instructions that answer ENOSYS to numbers above `highest` and fall through for the rest."""
    instructions = (
        (LOAD, 0, 0, ARCH_OFFSET),
        (JUMP_EQUAL, 0, 4, arch.token),
        (LOAD, 0, 0, NUMBER_OFFSET),
        (JUMP_GREATER_EQUAL, 2, 0, X32_BIT),
        (JUMP_GREATER, 0, 1, highest),
        (RETURN, 0, 0, ACT_ERRNO | ENOSYS),
    )
    return b"".join(INSTRUCTION.pack(*instruction) for instruction in instructions)


def _check(result: int, what: str) -> None:
    if result < 0:
        raise OSError(-result, f"libseccomp refused {what}")


def main(directory: Path) -> None:
    """Write the filters into a directory."""
    rules = parse(POLICY.read_text())
    for arch in rules.architectures:
        program = compile_filter(rules, arch)
        path = directory / filter_path(arch.machine).name
        path.write_bytes(program)
        sys.stdout.write(f"{path}: {len(program) // INSTRUCTION.size} instructions\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
