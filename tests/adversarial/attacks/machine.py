"""Promise: code inside configures nothing of the machine, and reads none of its kernel's secrets.

Files are opened, and nothing is written: to open is what must fail.
"""

import contextlib
import glob
import os

from tests.adversarial.attack import OWN_KERNEL, attack, opened

SHUT = "EROFS EACCES EPERM ENOENT"
SOMETIMES = ("/proc/sys/kernel/modprobe", "/proc/sysrq-trigger", "/proc/kcore", "/dev/mem")
"""What small kernels are built without."""


def switch(path, ids, aim, flags=os.O_WRONLY, **differs):
    """Register the opening of one file."""

    def run(bait):
        return opened(path, flags)

    run.__name__ = path.lstrip("/").replace("/", "_").replace("-", "_")
    run.__doc__ = aim
    run.__module__ = __name__
    attack("escape", ids, refused=SHUT, root=True, absent=path in SOMETIMES, **differs)(run)


switch("/proc/sys/kernel/core_pattern", "F3", "Name the program that the host's root runs for every crash.")
switch("/proc/sys/kernel/modprobe", "F3", "Name the program that the host's root runs to load a module.")
switch("/proc/sys/kernel/hostname", "F4", "Rename the machine.")
switch("/proc/sys/kernel/panic", "F4", "Say what a panic does.")
switch("/proc/sys/kernel/randomize_va_space", "F4", "Switch random addresses off, for everybody.")
switch("/proc/sys/kernel/ns_last_pid", "F4", "Choose the number of the next process.")
switch("/proc/sys/vm/drop_caches", "F4", "Drop the host's caches.")
switch("/proc/sys/vm/overcommit_memory", "F4", "Change how the host promises memory.")
switch("/proc/sys/fs/file-max", "F4", "Limit the files of the host.")
switch("/proc/sysrq-trigger", "F4", "Reboot the machine.")
switch("/proc/irq/default_smp_affinity", "F4", "Move the host's interrupts.")
switch("/proc/kcore", "F4", "Read the host's memory.", os.O_RDONLY)
switch("/proc/kmsg", "F4", "Read the host's kernel log.", os.O_RDONLY)
switch("/dev/kmsg", "F9", "Read the host's kernel log from its device.", os.O_RDONLY)
switch("/dev/mem", "F9", "Read the host's memory from its device.", os.O_RDONLY)
switch("/dev/kvm", "F9", "Make a virtual machine.", os.O_RDWR)
switch("/dev/fuse", "F9", "Mount a file system of its own.", os.O_RDWR, gvisor=OWN_KERNEL)
switch("/dev/loop-control", "F9", "Make disks of files.", os.O_RDWR)


@attack("escape", "F4", nothing=True, root=True)
def find_an_open_switch(bait):
    """Look for any file below /proc/sys and /sys that opens for writing."""
    for tree in ("/proc/sys/kernel", "/proc/sys/vm", "/proc/sys/fs", "/sys/kernel", "/sys/class"):
        for top, _, names in os.walk(tree):
            for name in names:
                with contextlib.suppress(OSError):
                    return opened(f"{top}/{name}")
    return None


@attack("escape", "F4 F11", nothing=True, root=True)
def find_a_release_agent(bait):
    """Name the program that the host's root runs when a control group is empty (as CVE-2022-0492 did)."""
    for path in glob.glob("/sys/fs/cgroup/release_agent") + glob.glob("/sys/fs/cgroup/*/release_agent"):
        with contextlib.suppress(OSError):
            return opened(path)
    return None


@attack("escape", "F11", nothing=True, root=True)
def make_a_control_group(bait):
    """Make a group of its own, and leave that of its limits."""
    for place in ("/sys/fs/cgroup", *glob.glob("/sys/fs/cgroup/*/")):
        with contextlib.suppress(OSError):
            os.mkdir(f"{place}/{bait.name}")
            os.rmdir(f"{place}/{bait.name}")
            return f"made one in {place}"
    return None


@attack("escape", "F11 C2", nothing=True, root=True)
def raise_its_own_limit(bait):
    """Open the limits of its own control group for writing."""
    names = ("memory.limit_in_bytes", "memory.max", "pids.max", "cgroup.procs", "tasks", "cpu.cfs_quota_us")
    for name in names:
        for path in glob.glob(f"/sys/fs/cgroup/{name}") + glob.glob(f"/sys/fs/cgroup/*/{name}"):
            with contextlib.suppress(OSError):
                return opened(path)
    return None


@attack("escape", nothing=True, refused=SHUT, root=True)
def read_the_addresses_of_the_kernel(bait):
    """Read where the host's kernel lies, which every exploit of it needs."""
    with open("/proc/kallsyms", encoding="utf-8") as file:
        return (
            "read"
            if any(int(line.split()[0], 16) for line, _ in zip(file, range(100), strict=False))
            else None
        )


@attack("escape", "S8", nothing=True, refused=SHUT, root=True)
def read_the_keys_of_the_host(bait):
    """List keys of the user that this runs as, in /proc/keys."""
    with open("/proc/keys", encoding="utf-8") as file:
        return "listed" if file.read() else None
