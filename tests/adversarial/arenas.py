"""Where attacks are run: with no wall around them, and behind each engine's."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sandbox_kernel.policy import MiB
from tests.adversarial import attack as program
from tests.adversarial.attack import PACKAGE
from tests.adversarial.bait import DATAGRAMS, ROOT, WORLD
from tests.conformance.kernel import Kernel

MODULES = (
    *("files", "machine", "network", "privileges", "processes", "system_calls"),
    *("exhaustion", "neighbours", "supervisor", "traces"),
)
SMALL = {"memory": 160 * MiB, "pids": 64, "files": 128, "tmp": 16 * MiB}
"""A policy that an attack can use up without harm to the machine, were there no wall around it."""
PATIENCE = 60.0  # seconds for each attack; none needs one, gVisor's slowest takes three
PLAIN_TIMEOUT = 300.0  # seconds for all of them

RUN = """
    import pathlib, subprocess, sys, tempfile
    place = pathlib.Path(tempfile.mkdtemp())
    (place / "attack.py").write_text({program!r})
    (place / "order.json").write_text({order!r})
    command = [sys.executable, "-I", "-B", place / "attack.py", place / "order.json"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in running.stdout:
        print(line, end="", flush=True)
        if {planting}: break
"""
"""A cell: runs the program and tells what it tells, as it comes."""


def texts() -> dict[str, str]:
    """Return the modules that attacks are in, as they go inside."""
    folder = Path(__file__).with_name("attacks")
    return {f"{PACKAGE}.{name}": (folder / f"{name}.py").read_text() for name in MODULES}


def order_for(names: Iterable[str], bait: dict[str, Any], **more: Any) -> str:
    order = {"modules": texts(), "bait": bait, "names": list(names), "patience": PATIENCE, "planting": False}
    return json.dumps(order | more)


def outcomes(lines: str) -> dict[str, str]:
    """Return what a program told, attack by attack."""
    told = [json.loads(line) for line in lines.splitlines() if line.startswith("[")]
    return dict(told)


def run_plainly(names: Iterable[str], bait: dict[str, Any], *prefix: str, **more: Any) -> dict[str, str]:
    """Run attacks with nothing around them, or in namespaces of which they are root."""
    with _plainly(names, bait, *prefix, **more) as running:
        told, complaints = running.communicate(timeout=PLAIN_TIMEOUT)
    assert running.returncode == 0, told[-2000:] + complaints
    return outcomes(told)


@contextlib.contextmanager
def _plainly(
    names: Iterable[str], bait: dict[str, Any], *prefix: str, **more: Any
) -> Iterator[subprocess.Popen[str]]:
    with tempfile.TemporaryDirectory() as directory:
        order = Path(directory, "order.json")
        order.write_text(order_for(names, {**bait, "plain": True}, **more))
        command = [*prefix, sys.executable, "-I", "-B", program.__file__, str(order)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        home = {**os.environ, "HOME": str(bait.get("plain_home", Path.home()))}
        with subprocess.Popen(
            command, text=True, cwd=directory, start_new_session=True, env=home, **pipes
        ) as running:
            try:
                yield running
            finally:
                running.kill()


@contextlib.contextmanager
def planted_plainly(names: list[str], bait: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Have another process plant what attacks look for; at the end it is killed with what it started."""
    with _plainly(names, bait, planting=True) as running:
        assert running.stdout is not None
        line = running.stdout.readline()
        try:
            assert line, running.stderr and running.stderr.read()
            yield json.loads(line)[1]
        finally:
            os.killpg(running.pid, signal.SIGKILL)


def in_a_world_of_their_own(names: Iterable[str], bait: dict[str, Any]) -> dict[str, str]:
    """Run attacks in a network where every address answers."""
    addresses = {
        "tcp": [where for name, where in WORLD.items() if name not in DATAGRAMS],
        "udp": [where for name, where in WORLD.items() if name in DATAGRAMS],
        "abstract": bait["abstract"],
    }
    namespaces = ["unshare", "--net", "--mount", *([] if ROOT else ["--user", "--map-root-user"])]
    with tempfile.NamedTemporaryFile("w", prefix="resolv-") as file:
        file.write(f"nameserver {WORLD['names'][0]}\n")
        file.flush()
        os.chmod(file.name, 0o644)
        place = os.path.realpath("/etc/resolv.conf")
        bind = f'mount --bind {file.name} {place} && exec "$@"'
        prefix = [*namespaces, "sh", "-c", bind, "sh"]
        return run_plainly(names, {**bait, "servers": WORLD}, *prefix, addresses=addresses)


def run_in(kernel: Kernel, names: Iterable[str], bait: dict[str, Any]) -> tuple[dict[str, str], str]:
    """Run attacks in a kernel; return what came of them, and how the sandbox ended if it did."""
    code = _cell(names, bait, planting=False)
    ran = kernel.run(code, timeout=PLAIN_TIMEOUT)
    if ran.status == "ok":
        return outcomes(ran.text()), ""
    death = kernel.sandbox.ended.result(timeout=PATIENCE)
    return outcomes(ran.text()), "the_limit_on_memory" if death.kind == "memory" else death.sentence


def plant_in(kernel: Kernel, names: Iterable[str], bait: dict[str, Any]) -> dict[str, Any]:
    """Have a kernel plant what attacks of another look for; it stays until the kernel ends."""
    ran = kernel.run(_cell(names, bait, planting=True))
    assert ran.status == "ok", ran.reply["content"]
    planted: dict[str, Any] = outcomes(ran.text())["planted"]  # type: ignore[assignment]
    return planted


def _cell(names: Iterable[str], bait: dict[str, Any], *, planting: bool) -> str:
    order = order_for(names, bait, planting=planting)
    return textwrap.dedent(RUN).format(
        program=Path(program.__file__).read_text(), order=order, planting=planting
    )
