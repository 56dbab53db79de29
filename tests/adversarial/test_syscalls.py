"""Promise: the kernel's dangerous doors are shut: ptrace, io_uring, keyrings, bpf, odd sockets, set-id files.

Each attack runs twice behind the same wall: without the filter of system calls it succeeds, or is
refused for another reason; with the filter it is refused with the filter's own error. Where the
kernel would refuse it anyway (for want of a privilege) the difference cannot be seen from inside;
for these the filter itself is run.
"""

import json
import platform
import signal
import struct

import pytest

from sandbox_kernel.host.engines.bubblewrap import engine as engine_module
from sandbox_kernel.host.engines.bubblewrap.seccomp import load_filter
from sandbox_kernel.host.engines.bubblewrap.seccomp.compile import LibSeccomp
from sandbox_kernel.host.engines.bubblewrap.seccomp.rules import Architecture
from tests.adversarial.attacks.system_calls import CALLS, QUEUES, UNKNOWN
from tests.host.engines.bubblewrap.inside import python
from tests.host.engines.bubblewrap.seccomp.filters import ALLOW, ENOSYS, EPERM, ERRNO, RULES, Program

ALLOW_ALL = struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)  # one instruction: return SECCOMP_RET_ALLOW
ARCH = Architecture[platform.machine().upper()]

# What takes a privilege that nobody inside has: the kernel says EPERM itself.
PRIVILEGED = """
    acct bpf chroot clock_adjtime clock_settime delete_module fanotify_mark finit_module fsconfig fsmount
    fsopen fspick init_module kexec_file_load kexec_load lookup_dcookie mount mount_setattr move_mount
    open_by_handle_at perf_event_open pivot_root quotactl quotactl_fd reboot setdomainname sethostname
    settimeofday swapoff swapon syslog umount2 vhangup
"""
# What no program needs, and some exploit has used, or what slows the whole host down.
UNNEEDED = """
    adjtimex ioperm iopl modify_ldt nfsservctl process_mrelease remap_file_pages sync syncfs sysfs
    uselib ustat
"""
RAW_SOCKETS = {
    "raw IPv4": (2, 3, 1),
    "raw IPv6": (10, 3, 58),
    "AF_PACKET": (17, 3, 0x300),
    "AF_XDP": (44, 3, 0),
}

ATTACKER = """
    import ctypes, errno, json, os, pty, struct, sys, tempfile
    numbers, attacks = json.loads(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    iovec = ctypes.create_string_buffer(64)
    def call(name, *arguments):
        whole = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
        return libc.syscall(ctypes.c_long(numbers[name]), *whole)
    def attack(code):
        os.chdir(tempfile.mkdtemp())
        fd = os.open("file", os.O_CREAT | os.O_RDWR)
        tty = 0
        answer = eval(code)
        return "done" if answer >= 0 else errno.errorcode[ctypes.get_errno()]
    for name, code in attacks.items():
        reader, writer = os.pipe()
        child, terminal = pty.fork()
        if child == 0:
            try:
                os.write(writer, attack(code).encode())
            finally:
                os._exit(0)
        os.close(writer)
        print(json.dumps([name, os.read(reader, 100).decode()]), flush=True)
        os.close(terminal)
        os.close(reader)
        os.waitpid(child, 0)
"""


def orders() -> str:
    """Return what the attacker is told: the calls' numbers, and the attacks."""
    named = {code.split("'")[1] for code in CALLS.values() if code.startswith("call(")}
    numbers = {name: LibSeccomp().resolve(name) for name in named} | {"fchmodat2": 452}
    return json.dumps([numbers, CALLS])


def run_attacks(directory) -> dict[str, str]:
    """Return what came of every attack: "done" or the name of an error."""
    outcome = python(ATTACKER, directory, orders())
    assert outcome.status == 0, outcome
    return dict(json.loads(line) for line in outcome.out.splitlines())


@pytest.fixture(scope="module")
def unfiltered(tmp_path_factory):
    """All attacks behind the wall, with a filter that allows everything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_module, "load_filter", lambda: ALLOW_ALL)
        patch.setattr(engine_module, "abi", lambda: 0)  # the second wall refuses POSIX' queues, too
        return run_attacks(tmp_path_factory.mktemp("unfiltered"))


@pytest.fixture(scope="module")
def filtered(tmp_path_factory):
    """All attacks behind the wall as it is."""
    return run_attacks(tmp_path_factory.mktemp("filtered"))


@pytest.mark.parametrize("name", CALLS)
def test_an_attack_is_refused_by_the_filter(unfiltered, filtered, name):
    """The filter refuses what otherwise works, or fails for another reason."""
    assert filtered[name] == ("ENOSYS" if name in UNKNOWN else "EPERM")
    assert unfiltered[name] != filtered[name] or name in UNKNOWN


def test_the_attacks_are_real(unfiltered):
    """Without the filter most of the attacks succeed: the wall alone does not stop them."""
    assert sum(answer == "done" for answer in unfiltered.values()) > len(CALLS) / 2


def test_memory_that_belongs_to_nobody_is_there_for_the_taking(unfiltered):
    """Without the filter segments and queues are made that a watchdog, which counts processes, cannot see."""
    assert {unfiltered[name] for name in QUEUES} == {"done"}


@pytest.mark.parametrize("name", (PRIVILEGED + UNNEEDED).split())
def test_what_takes_a_privilege_or_is_not_needed_is_refused(name):
    """The filter itself answers EPERM, whether or not the kernel would."""
    number = LibSeccomp().resolve(name, ARCH)
    assert number < 0 or Program(load_filter(), ARCH).run(number) == ERRNO | EPERM


@pytest.mark.parametrize("arguments", RAW_SOCKETS.values(), ids=RAW_SOCKETS)
def test_raw_sockets_are_refused_by_the_filter_too(arguments):
    """Sockets that send and see whole packets are not on the list."""
    assert Program(load_filter(), ARCH).run(LibSeccomp().resolve("socket"), arguments) == ERRNO | EPERM


THREAD = 0x3D0F00  # what a C library makes a thread with
CLONED = {
    "a thread": (THREAD, ALLOW),
    "a process": (0x1200011, ALLOW),
    "a thread with descriptors of its own": (THREAD & ~0x400, ERRNO | EPERM),
    "a thread in a network namespace": (THREAD | 0x40000000, ERRNO | EPERM),
}


@pytest.mark.parametrize(("flags", "answer"), CLONED.values(), ids=CLONED)
def test_threads_share_their_process_s_descriptors(flags, answer):
    """With a table of its own a thread could hold files in memory that a watchdog does not see."""
    assert Program(load_filter(), ARCH).run(LibSeccomp().resolve("clone", ARCH), (flags,)) == answer


def test_calls_newer_than_the_list_are_unknown():
    """A number that no kernel had when the list was written gets ENOSYS."""
    highest = max(LibSeccomp().resolve(rule.name, ARCH) for rule in RULES.rules)
    answers = {Program(load_filter(), ARCH).run(number) for number in range(max(highest, 470) + 1, 600)}
    assert answers == {ERRNO | ENOSYS}


FOREIGN_X86_64 = {
    # mov eax, 20 (getpid of 32-bit programs); int 0x80; ret
    "32-bit": "b814000000cd80c3",
    # mov eax, 0x40000027 (getpid of x32 programs); syscall; ret
    "x32": "b8270000400f05c3",
}
RUN_CODE = """
    import ctypes, mmap, sys
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(bytes.fromhex(sys.argv[1]))
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()
"""


FOREIGN = FOREIGN_X86_64 if ARCH is Architecture.X86_64 else {}


@pytest.mark.parametrize("code", FOREIGN.values(), ids=FOREIGN)
def test_calls_of_other_architectures_end_the_process(tmp_path, monkeypatch, code):
    """The same numbers mean other calls there, so the filter ends the process with SIGSYS."""
    assert python(RUN_CODE, tmp_path, code).status == 128 + signal.SIGSYS
    monkeypatch.setattr(engine_module, "load_filter", lambda: ALLOW_ALL)
    assert python(RUN_CODE, tmp_path, code).status != 128 + signal.SIGSYS
