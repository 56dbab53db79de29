"""The second wall as a table, for every ABI; nothing is run here."""

import struct
import sys

import pytest

from sandbox_kernel.host.engines.bubblewrap.landlock import ruleset, within
from sandbox_kernel.host.engines.bubblewrap.operations import Bind, Empty, Fresh, ReadOnly, Symlink, Tmpfs
from sandbox_kernel.host.engines.bubblewrap.report import second_wall

STEPS = [
    Bind("/usr", "/usr"),
    Symlink("/bin", "usr/bin"),
    Fresh("proc", "/proc"),
    Empty("/proc/acpi", directory=True),
    Fresh("dev", "/dev"),
    Tmpfs("/tmp", 1 << 20),
    Bind("/data/a", "/data/a", writable=True),
    Bind("/data/b", "/data/b"),
    ReadOnly("/"),
]

# From the kernel's include/uapi/linux/landlock.h.
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
MAKE_CHAR, MAKE_BLOCK, REFER, TRUNCATE, IOCTL_DEV = 1 << 6, 1 << 11, 1 << 13, 1 << 14, 1 << 15
FIRST = 0x1FFF
HANDLED = {
    2: FIRST | REFER,
    3: FIRST | REFER | TRUNCATE,
    4: FIRST | REFER | TRUNCATE,
    5: FIRST | REFER | TRUNCATE | IOCTL_DEV,
    6: FIRST | REFER | TRUNCATE | IOCTL_DEV,
    7: FIRST | REFER | TRUNCATE | IOCTL_DEV,
    99: FIRST | REFER | TRUNCATE | IOCTL_DEV,
}


@pytest.mark.parametrize(("abi", "handled"), HANDLED.items())
def test_everything_that_an_abi_knows_is_forbidden(abi, handled):
    """No more, or the kernel would refuse the rules; later ones know at least what the last known one did."""
    walls = ruleset(STEPS, abi)
    assert walls.files == handled
    assert walls.scopes == (0b11 if abi >= 6 else 0)


@pytest.mark.parametrize("abi", HANDLED)
def test_what_is_allowed_where(abi):
    """Looking everywhere; writing in memory and in what was granted; requests to devices in /dev alone."""
    handled = HANDLED[abi]
    full = handled & ~(MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV)
    assert dict(ruleset(STEPS, abi).rules) == {
        "/": EXECUTE | READ_FILE | READ_DIR,
        "/dev": (READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | IOCTL_DEV) & handled,
        "/tmp": full,
        "/data/a": full,
    }


@pytest.mark.parametrize(("abi", "size"), [(2, 8), (3, 8), (4, 8), (5, 8), (6, 24), (7, 24), (99, 24)])
def test_the_attributes_have_the_size_that_the_abi_takes(abi, size):
    """The kernel refuses a structure that it does not know; a shorter one it fills up with nothing."""
    walls = ruleset(STEPS, abi)
    attributes = walls.attributes(abi)
    assert len(attributes) == size
    assert struct.unpack("=QQQ", attributes.ljust(24, b"\0")) == (walls.files, 0, walls.scopes)


@pytest.mark.parametrize("abi", [0, 1])
def test_without_a_useful_landlock_there_is_no_second_wall(abi):
    """ABI 1 would forbid to move files between folders."""
    assert ruleset(STEPS, abi) is None


def test_a_guest_needs_no_second_python():
    """What raises the wall goes on as the guest; anything else is started by it."""
    walls = ruleset([], 2)
    head = [walls.attributes(2).hex(), "1", "/", str(EXECUTE | READ_FILE | READ_DIR)]
    python = sys.executable
    assert within(walls, 2, "/w.py", python, [python, "-I", "-S", "-B", "/guest.py"]) == [
        *(python, "-I", "-S", "-B", "/w.py", *head, "/guest.py")
    ]
    assert within(walls, 2, "/w.py", python, ["/bin/sh", "-c", "x"]) == [
        *(python, "-I", "-S", "-B", "/w.py", *head, "/bin/sh", "-c", "x")
    ]


@pytest.mark.parametrize(
    ("version", "by", "words"),
    [
        (0, "namespace", "this kernel has none"),
        (1, "namespace", "an early one"),
        (2, "Landlock ABI 2", "Later kernels add"),
        (6, "Landlock ABI 6", "cannot be opened"),
    ],
)
def test_doctor_says_which_it_is(version, by, words):
    """And that nothing is wrong without it."""
    entry = second_wall(version)
    assert (entry.by, entry.weak) == (by, False)
    assert words in entry.detail
