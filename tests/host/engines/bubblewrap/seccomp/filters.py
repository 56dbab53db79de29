"""What a filter does, by two ways that share nothing: run the program, or read the list."""

import struct

from sandbox_kernel.host.engines.bubblewrap.seccomp import POLICY
from sandbox_kernel.host.engines.bubblewrap.seccomp.rules import Architecture, parse

ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS = 1, 38
RULES = parse(POLICY.read_text())


class Program:
    """A filter, run as the kernel's classic BPF machine runs it."""

    def __init__(self, code: bytes, arch: Architecture) -> None:
        self.instructions = list(struct.iter_unpack("<HBBI", code))
        self.arch = arch

    def run(self, number: int, arguments=(), arch: int | None = None) -> int:
        """Return the action for a system call."""
        arguments = [argument & (1 << 64) - 1 for argument in (*arguments, 0, 0, 0, 0, 0, 0)[:6]]
        data = struct.pack(
            "<IIQ6Q", number & 0xFFFFFFFF, self.arch.token if arch is None else arch, 0, *arguments
        )
        accumulator = position = 0
        while True:
            code, if_true, if_false, k = self.instructions[position]
            position += 1
            match code:
                case 0x20:
                    (accumulator,) = struct.unpack_from("<I", data, k)
                case 0x54:
                    accumulator &= k
                case 0x05:
                    position += k
                case 0x15:
                    position += if_true if accumulator == k else if_false
                case 0x25:
                    position += if_true if accumulator > k else if_false
                case 0x35:
                    position += if_true if accumulator >= k else if_false
                case 0x06:
                    return k
                case _:
                    raise AssertionError(f"instruction {code:#x} is not one that libseccomp writes")


def says(rules, highest: int, number: int, arguments) -> int:
    """Return the action that the list asks for; `rules` are those of this number."""
    if number > highest:
        return ERRNO | ENOSYS
    for rule in rules:
        if all(arguments[c.index] & c.mask == c.value for c in rule.conditions):
            return ALLOW if rule.errno is None else ERRNO | rule.errno
    return ERRNO | RULES.default_errno
