"""What attacks look for: files, sockets, a process and servers of the host, with a secret in them."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox_kernel.host.engines.bubblewrap.seccomp.compile import LibSeccomp
from sandbox_kernel.host.front import Front
from sandbox_kernel.wire import Channel
from tests.adversarial.attacks.system_calls import CALLS

ROOT = os.geteuid() == 0
NOBODY = 65534
EVERYWHERE = {"root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy"}
EVERYWHERE |= {"www-data", "backup", "list", "irc", "gnats", "_apt", "nobody"}
"""Accounts that every Debian has, an image as well."""

VICTIM = """
import ctypes, time
ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)  # whoever may at all may trace this one
print("up", flush=True)
time.sleep(3600)
"""
DIRECT = ("shmctl", "mq_unlink", "fsopen", "open_by_handle_at", "finit_module", "bpf", "perf_event_open")
WORLD = {
    "internet": ("192.0.2.1", 80),
    "internet6": ("2001:db8::1", 80),
    "datagrams": ("192.0.2.1", 443),
    "datagrams6": ("2001:db8::1", 443),
    "metadata": ("169.254.169.254", 80),
    "metadata6": ("fd00:ec2::254", 80),
    "gateway": ("172.17.0.1", 80),
    "neighbour": ("10.0.0.1", 80),
    "host": ("10.0.0.2", 80),
    "names": ("192.0.2.53", 53),
    "loopback": ("127.0.0.1", 8888),
    "loopback6": ("::1", 8888),
    "loopback-datagrams": ("127.0.0.1", 8888),
}
"""The network of an unguarded process; what sandboxes really meet replaces the last four."""
DATAGRAMS = {"datagrams", "datagrams6", "names", "loopback-datagrams"}


@contextlib.contextmanager
def bait() -> Iterator[dict[str, Any]]:
    """Lay the bait out on this machine; yields what attacks are told of it."""
    with contextlib.ExitStack() as stack:
        name, secret = f"secret-{secrets.token_hex(8)}", secrets.token_hex(16)
        beside = Path(tempfile.mkdtemp(prefix="beside-"))
        beside.chmod(0o755)
        stack.callback(shutil.rmtree, beside)
        places = {"home": Path.home(), "beside": beside, "var": Path("/var/tmp"), "shm": Path("/dev/shm")}
        places |= {"etc": Path("/etc"), "run": Path("/run")} if ROOT else {}
        for place in places.values():
            stack.callback((place / name).unlink)
            (place / name).write_text(secret)
            (place / name).chmod(0o644)
        variable = f"HOST_TOKEN={secrets.token_hex(16)}"
        victim = stack.enter_context(_victim(name, variable, places["beside"] / name))
        yield {
            "name": name,
            "secret": secret,
            "secrets": {
                "etc": f"/etc/{name}",
                "run": f"/run/{name}",
                **{place: str(path / name) for place, path in places.items()},
            },
            "variable": variable,
            "victim_name": f"victim-of-{name}",
            "victim_pid": victim.pid,
            "terminal": stack.enter_context(_terminal()),
            "host_account": _account(),
            "numbers": _numbers(),
            **stack.enter_context(_sockets(beside)),
        }


@contextlib.contextmanager
def folders(bait: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Make a folder to be granted to read, and one to be written to."""
    top = Path(tempfile.mkdtemp(prefix="granted-"))
    ro, rw = top / "ro", top / "rw"
    try:
        for path in (top, ro, rw):
            path.mkdir(exist_ok=True)
            path.chmod(0o755)
        for name in ("data", "truncated", "removed", "renamed"):
            (ro / name).write_text("data")
        os.mkfifo(ro / "pipe")
        (ro / "link").symlink_to(bait["secrets"]["beside"])
        (ro / "link-to-beside").symlink_to(Path(bait["secrets"]["beside"]).parent)
        with (
            socket.socket(socket.AF_UNIX) as agent,
            open(os.open(ro / "pipe", os.O_RDWR), "rb"),  # somebody who listens at each door
        ):
            agent.bind(f"{ro}/agent.sock")
            agent.listen()
            _give(top)
            shutil.copy("/usr/bin/id", ro / "set-id")
            (ro / "set-id").chmod(0o4755)
            (ro / "agent.sock").chmod(0o777)
            (ro / "pipe").chmod(0o666)
            yield {"ro": str(ro), "rw": str(rw)}
    finally:
        shutil.rmtree(top)


def _give(top: Path) -> None:
    """Have the folders belong to nobody where root runs this: a container runs as their owner."""
    if ROOT:
        for path in (top, *top.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


@contextlib.contextmanager
def _victim(name: str, variable: str, file: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process of the host with a name, a variable and an open file."""
    environment = {"PATH": os.environ["PATH"], **dict([variable.split("=")])}
    with (
        file.open() as held,
        subprocess.Popen(
            [sys.executable, "-c", VICTIM, f"victim-of-{name}"],
            env=environment,
            stdin=held,
            stdout=subprocess.PIPE,
            text=True,
        ) as victim,
    ):
        try:
            assert victim.stdout is not None
            assert victim.stdout.readline() == "up\n"
            yield victim
        finally:
            victim.kill()


@contextlib.contextmanager
def _terminal() -> Iterator[str]:
    ours, theirs = os.openpty()
    try:
        yield os.ttyname(theirs)
    finally:
        os.close(ours)
        os.close(theirs)


@contextlib.contextmanager
def _sockets(beside: Path) -> Iterator[dict[str, Any]]:
    """Listen where the host's programs do."""
    abstract = f"host-{secrets.token_hex(8)}"
    servers = dict(WORLD)
    with contextlib.ExitStack() as stack:
        named = stack.enter_context(socket.socket(socket.AF_UNIX))
        named.bind(f"{beside}/daemon.sock")
        named.listen()
        os.chmod(f"{beside}/daemon.sock", 0o777)
        for kind, suffix in ((socket.SOCK_STREAM, ""), (socket.SOCK_DGRAM, "-datagrams")):
            one = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
            one.bind(f"\0{abstract}{suffix}")
            if kind is socket.SOCK_STREAM:
                one.listen()
        loopback = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        everywhere = stack.enter_context(socket.create_server(("0.0.0.0", 0)))
        datagrams = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        datagrams.bind(("127.0.0.1", 0))
        servers["loopback"] = loopback.getsockname()
        servers["loopback-datagrams"] = datagrams.getsockname()
        servers["host"] = (_own_address(), everywhere.getsockname()[1])
        if socket.has_dualstack_ipv6():
            six = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
            servers["loopback6"] = six.getsockname()[:2]
        front = Front.create()
        stack.callback(front.close)
        clients = stack.enter_context(socket.socket(socket.AF_UNIX))
        clients.bind(front.address(Channel.SHELL).removeprefix("ipc://"))
        clients.listen()
        yield {
            "socket": f"{beside}/daemon.sock",
            "front": clients.getsockname(),
            "abstract": abstract,
            "servers": servers,
        }


def _own_address() -> str:
    """Return the address that this machine has towards others, or its second loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect(WORLD["metadata"])  # sends nothing
        except OSError:
            return "127.0.0.2"
        return str(one.getsockname()[0])


def _account() -> str:
    """Return a line of /etc/passwd that an image has not got."""
    lines = Path("/etc/passwd").read_text().splitlines()
    own = [line for line in lines if line.split(":")[0] not in EVERYWHERE and "systemd" not in line]
    return own[-1] if own else "\n".join(lines)


def _numbers() -> dict[str, int]:
    named = {code.split("'")[1] for code in CALLS.values() if code.startswith("call(")}
    named |= {*DIRECT, "ptrace", "process_vm_readv", "pidfd_getfd", "kcmp", "name_to_handle_at", "unshare"}
    return {name: LibSeccomp().resolve(name) for name in named} | {"fchmodat2": 452}
