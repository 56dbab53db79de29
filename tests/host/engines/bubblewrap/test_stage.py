"""Root's last acts, one by one; what they lead to is tested from inside."""

import ctypes
import marshal
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox_kernel.errors import WorkspaceError
from sandbox_kernel.host.engines.bubblewrap import launch, stage
from sandbox_kernel.host.engines.bubblewrap.descriptors import descriptors
from sandbox_kernel.host.engines.bubblewrap.identity import Identity

ROOT = os.geteuid() == 0
SOMEBODY = Identity(1_900_000_007, 1_900_000_007, dropped=True)


def test_no_orders_no_start():
    """When its stdin ends before the orders are complete, the stage leaves quietly."""
    orders = marshal.dumps({"argv": ["/bin/true"]})
    for sent in (b"", orders[:-1]):
        done = subprocess.run(
            [sys.executable, "-I", "-S", launch.STAGE, str(len(orders)), "2"],
            input=sent,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


def test_a_shell_that_waits_takes_nothing_that_is_not_its_own(tmp_path):
    """An ordinary user's gate reads its one line; the bytes after it are there for what it becomes."""
    started, word = launch.open_for_user(["/bin/cat"], ())
    word()
    os.write(started.stdin, b"for the guest\n")
    os.set_blocking(started.stdout, True)
    assert os.read(started.stdout, 100) == b"for the guest\n"
    started.abandon()


def open_staged(argv, sources=()):
    with descriptors() as held:
        started, word = launch.open_for_root(argv, (), list(sources), SOMEBODY, held)
        try:
            word()
            os.set_blocking(started.stdout, True)
            os.set_blocking(started.stderr, True)
            out = b"".join(iter(lambda: os.read(started.stdout, 4096), b""))
            err = b"".join(iter(lambda: os.read(started.stderr, 4096), b""))
            return out.decode(), err.decode()
        finally:
            started.abandon()


def test_nothing_is_inherited_from_our_environment(monkeypatch):
    """What is started first has an empty environment: its own can be read while it waits for its word."""
    monkeypatch.setenv("SECRET_TOKEN", "s3cret-canary")
    started = launch.start_gate(["/bin/cat", "/proc/self/environ"], ())
    try:
        os.set_blocking(started.stdout, True)
        assert os.read(started.stdout, 4096) == b""
        assert started.process.wait(10) == 0
    finally:
        started.abandon()


if ROOT:

    def test_root_is_given_up():
        """What the stage becomes is somebody else, in no group, with an empty environment."""
        out, _ = open_staged(["/bin/cat", "/proc/self/status", "/proc/self/environ"])
        status = dict(line.split(":\t", 1) for line in out.splitlines())
        assert status["Uid"].split() == status["Gid"].split() == [str(SOMEBODY.uid)] * 4
        assert status["Groups"].strip() == ""
        assert int(status["CapEff"], 16) == 0

    def test_the_groups_of_root_are_given_up():
        """Groups beside its own would let what root becomes at the files of docker, shadow, disk, …"""
        before = os.getgroups()
        os.setgroups([*before, 42])
        try:
            out, _ = open_staged(["/bin/cat", "/proc/self/status"])
        finally:
            os.setgroups(before)
        assert "\nGroups:\t \n" in out

    def test_capabilities_that_are_left_stop_the_start():
        """Where changing the user takes no capability (service managers can set that), nothing starts."""
        from sandbox_kernel.errors import StartError

        libc, get_bits, set_bits, no_setuid_fixup = ctypes.CDLL(None), 27, 28, 1 << 2
        before = libc.prctl(get_bits, 0, 0, 0, 0)
        assert libc.prctl(set_bits, before | no_setuid_fixup, 0, 0, 0) == 0
        try:
            with pytest.raises(StartError, match="Capabilities were left after giving up root"):
                open_staged(["/bin/true"])
        finally:
            assert libc.prctl(set_bits, before, 0, 0, 0) == 0

    def test_the_host_keeps_its_mounts():
        """What the stage mounts is seen by what it becomes and by nobody else."""
        before = Path("/proc/self/mountinfo").read_text()
        out, _ = open_staged(["/bin/cat", "/proc/self/mountinfo"])
        assert " /tmp " in out.splitlines()[-1]
        assert Path("/proc/self/mountinfo").read_text() == before

    def test_bytes_after_the_orders_are_not_taken():
        """The stage reads as many bytes as its orders have."""
        with descriptors() as held:
            started, word = launch.open_for_root(["/bin/cat"], (), [], SOMEBODY, held)
            word()
            os.write(started.stdin, b"for the guest\n")
            os.set_blocking(started.stdout, True)
            assert os.read(started.stdout, 100) == b"for the guest\n"
            started.abandon()

    def test_a_file_system_that_does_not_map_owners(tmp_path):
        """For writing it is refused in a sentence; for reading it is shown as it is."""
        from sandbox_kernel.host.engines.bubblewrap.sources import Source

        for writable in (True, False):
            fd = os.open("/proc", os.O_PATH)  # procfs has no idmapped mounts
            os.set_inheritable(fd, True)
            source = Source(
                fd, "/data", directory=True, writable=writable, idmap=(1, 1, SOMEBODY.uid, SOMEBODY.gid)
            )
            with descriptors() as held:
                held.keep(fd)
                started, word = launch.open_for_root(["/bin/ls", "/tmp/0"], (fd,), [source], SOMEBODY, held)
                try:
                    if writable:
                        with pytest.raises(
                            WorkspaceError, match=r"^/data cannot be shared for writing by root"
                        ):
                            word()
                    else:
                        word()
                        os.set_blocking(started.stdout, True)
                        assert b"cpuinfo" in os.read(started.stdout, 1 << 16)
                finally:
                    started.abandon()

    def test_a_command_that_is_missing_is_said():
        """When bubblewrap vanishes between check and start, the error has the system's words."""
        from sandbox_kernel.errors import StartError

        with pytest.raises(StartError, match="No such file"):
            open_staged(["/nowhere/bwrap"])


def test_errors_of_the_c_library_become_ours():
    """A failed call is an OSError with its number and what was attempted."""
    ctypes.set_errno(0)
    with pytest.raises(OSError, match="open_tree: ") as error:
        stage._call("syscall", stage.OPEN_TREE, -1, b"", stage.AT_EMPTY_PATH, what="open_tree")
    assert error.value.errno
