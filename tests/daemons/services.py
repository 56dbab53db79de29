"""Docker and Podman as programs: started by hand, in directories of their own, and ended.

Nothing of the machine's own daemons is touched or needed: socket, images, containers and
settings are ours. There is no bridge and no packet filter, for sandboxes have no network.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

RUN = Path("/run/sandbox-kernel-test")
STATE = Path("/var/lib/sandbox-kernel-test")
UP_WITHIN = 60.0  # seconds until a daemon answers; on an idle machine it takes two
DOWN_WITHIN = 30.0


class MissingError(Exception):
    """This machine has not what it takes; says what."""


@dataclass
class Service:
    """A daemon that listens on a socket of ours."""

    name: str
    command: list[str | Path]
    env: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def socket(self) -> Path:
        return RUN / f"{self.name}.sock"

    @property
    def exec_root(self) -> Path:
        """Where what it has running leaves its sockets and process numbers."""
        return RUN / f"{self.name}-exec"

    @property
    def work(self) -> Path:
        """Its current directory: Podman's monitors leave a file `oom` in theirs."""
        return RUN / f"{self.name}-work"

    @property
    def host(self) -> str:
        """Its address, as DOCKER_HOST has it."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it, and return when it answers."""
        # Whatever has that number now (a test that adopts orphans may not have buried the last one),
        # a dockerd would take it for its own and wait for it.
        (self.exec_root / "containerd" / "containerd.pid").unlink(missing_ok=True)
        self.work.mkdir(exist_ok=True)
        with (STATE / f"{self.name}.log").open("wb") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.env},
                cwd=self.work,
                start_new_session=True,
            )
        deadline = time.monotonic() + UP_WITHIN
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise MissingError(f"{self.name} does not start: {self.last_words()}")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether it takes requests."""
        with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
            connection.settimeout(5)
            connection.connect(str(self.socket))
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: d\r\n\r\n")
            return b" 200 " in connection.recv(100)
        return False

    def last_words(self) -> str:
        return " ".join((STATE / f"{self.name}.log").read_text(errors="replace").split("\n")[-4:]).strip()

    def stop(self) -> None:
        """End it in good order, and then what it had running and did not end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(DOWN_WITHIN)
            except subprocess.TimeoutExpired:
                self.kill()
        end_left(str(self.exec_root))

    def kill(self) -> None:
        """End it as a crash would: kill -9. The containers go on, their containerd dies with it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def end_left(exec_root: str) -> None:
    """End what a daemon that was killed has left: the shims that name its exec root, and all below them.

    Its successor forgets those whose containers ended while nobody listened.
    """
    every = dict(_processes())
    ours = f"{exec_root}/containerd/containerd.sock".encode()
    left = {pid for pid, (_, command) in every.items() if ours in command.split(b"\0")}
    while below := {pid for pid, (parent, _) in every.items() if parent in left} - left:
        left |= below
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _processes() -> Iterator[tuple[int, tuple[int, bytes]]]:
    """Yield all processes with their parents and command lines."""
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            yield int(path.name), (parent, (path / "cmdline").read_bytes())


def need(*programs: str) -> None:
    """Return if we may run daemons, and these programs are here.

    :raises MissingError: says what is missing.
    """
    if os.geteuid() != 0:
        raise MissingError("only root starts a daemon of its own")
    for program in programs:
        if shutil.which(program, path=SEARCHED) is None:
            raise MissingError(f"{program} is not installed")


SEARCHED = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def dockerd(name: str = "docker", *listen: str) -> Service:
    """Return a Docker daemon, with gVisor where that is installed; not started yet.

    :raises MissingError: it cannot run here.
    """
    need("dockerd", "containerd", "runc")
    settings = STATE / f"{name}.json"
    RUN.mkdir(mode=0o755, parents=True, exist_ok=True)
    STATE.mkdir(mode=0o755, parents=True, exist_ok=True)
    gvisor = shutil.which("runsc")
    # The kvm platform needs what few machines give, and hangs on some that seem to.
    arguments = ["--platform=ptrace", "--network=none"]
    runtimes = {"runsc": {"path": gvisor, "runtimeArgs": arguments}} if gvisor else {}
    settings.write_text(json.dumps({"runtimes": runtimes}))
    command: list[str | Path] = [
        *("dockerd", "--config-file", settings, "--data-root", STATE / name),
        *("--exec-root", RUN / f"{name}-exec", "--pidfile", RUN / f"{name}.pid"),
        *("--bridge=none", "--iptables=false", "--ip6tables=false", "--shutdown-timeout=5"),
        *("--host", f"unix://{RUN / name}.sock"),
        *(part for address in listen for part in ("--host", address)),
    ]
    return Service(name, command, {"PATH": SEARCHED})


def podman() -> Service:
    """Return Podman's service; not started yet.

    :raises MissingError: it cannot run here.
    """
    need("podman", "conmon", "runc")
    RUN.mkdir(mode=0o755, parents=True, exist_ok=True)
    STATE.mkdir(mode=0o755, parents=True, exist_ok=True)
    settings = STATE / "containers.conf"
    # crun, which Debian prefers, refuses control groups that are half of version 1.
    settings.write_text(
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        '[containers]\nlog_driver = "none"\n'
    )
    command: list[str | Path] = [
        *("podman", "--root", STATE / "podman", "--runroot", RUN / "podman-runroot"),
        *("--tmpdir", RUN / "podman-tmp"),
        *("system", "service", "--time=0", f"unix://{RUN / 'podman'}.sock"),
    ]
    return Service("podman", command, {"PATH": SEARCHED, "CONTAINERS_CONF": str(settings)})
