"""Plain Python behind the wall, without a kernel."""

import asyncio
import io
import os
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import pytest

from sandbox_kernel.errors import SandboxError
from sandbox_kernel.host.pool import PACE, POOL, Pool
from sandbox_kernel.notebooks import Outcome
from sandbox_kernel.policy import Policy
from sandbox_kernel.session import program as programs
from sandbox_kernel.session.program import NotPlainError, Program
from tests.daemons.plugin import container_host

STRICT = {"profile": "strict", "engine": "bubblewrap"}

Act = Callable[[Program], Awaitable[Any]]


def policy(**settings: object) -> Policy:
    return Policy.from_settings({**STRICT, **settings})


def tried(act: Act, **settings: object) -> Any:
    """Return what comes of doing something with a program."""

    async def main() -> Any:
        async with Program(policy(**settings)) as program:
            return await act(program)

    return asyncio.run(main())


def test_a_script_runs_as_a_program() -> None:
    """Its arguments, exit() and event loops are a program's; its streams are apart."""

    async def act(program: Program) -> None:
        said = await program.run(
            "import asyncio, sys\n"
            "async def main(): return 7\n"
            "print(sys.argv, __name__, asyncio.run(main()))\n"
            "print('warned', file=sys.stderr)"
        )
        assert (said.stdout, said.stderr) == ("['submission.py'] __main__ 7\n", "warned\n")
        assert said.ok
        ended = await program.run("x = 1\nexit(2)")
        assert (ended.outcome, str(ended.error)) == (Outcome.ERROR, "SystemExit: 2")
        assert (await program.run("print(x)")).stdout == "1\n"
        with pytest.raises(NotPlainError, match="SyntaxError"):
            await program.run("!ls")

    tried(act)


def test_it_is_behind_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the host's is seen, its process is nobody's to reach, the limits are there."""
    monkeypatch.setenv("SANDBOX_TEST_MARKER", "seen")

    async def act(program: Program) -> str:
        return str((await program.run(LOOK)).stdout)

    seen = dict(line.split(" ", 1) for line in tried(act).splitlines())
    assert seen["interfaces"] == "['lo']"
    assert seen["pid1"] == "PermissionError"
    assert seen["seccomp"] == "2"
    assert seen["uid"] != "0"
    assert seen["files"] == str(policy().files)
    assert seen["marker"] == "None"


LOOK = """
import os, resource, socket
def tried(act):
    try:
        return act()
    except OSError as error:
        return type(error).__name__
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
print("interfaces", [name for _, name in socket.if_nameindex()])
print("pid1", tried(lambda: os.listdir("/proc/1/fd")))
print("seccomp", status["Seccomp"].strip())
print("uid", os.getuid())
print("files", resource.getrlimit(resource.RLIMIT_NOFILE)[1])
print("marker", os.environ.get("SANDBOX_TEST_MARKER"))
"""


@pytest.mark.parametrize(
    ("code", "outcome", "cause"),
    [
        ("import os; os._exit(4)", Outcome.DIED, "exit status 4"),
        ("import os; os.kill(os.getpid(), 11)", Outcome.DIED, "SIGSEGV"),
        ("x = bytearray(1 << 30)", Outcome.MEMORY, "256 MiB"),
        ("import os\nwhile True: os.write(4, b'x' * 65536)", Outcome.DIED, "an answer of more than 4 MiB"),
        ("import os\nwhile True: os.write(4, b'x\\n' * 30000)", Outcome.DIED, "break the rules"),
    ],
)
def test_ends_are_explained(code: str, outcome: Outcome, cause: str) -> None:
    """Whatever ends it; later calls are told once more."""

    async def act(program: Program) -> None:
        ended = await program.run(code)
        assert (ended.outcome, ended.ok) == (outcome, False), ended.cause
        assert cause in ended.cause
        again = await program.run("1")
        assert again.outcome is outcome
        assert "earlier call" in again.cause

    tried(act, cell_timeout=60)


def test_deadlines() -> None:
    """A call's own, the policy's, and code that does not heed an interrupt."""

    async def act(program: Program) -> None:
        own = await program.run("while True: pass", timeout=0.2)
        assert (own.outcome, own.cause) == (Outcome.TIMEOUT, "The deadline of 0.2 s passed.")
        policys = await program.run("import time; time.sleep(60)")
        assert policys.outcome is Outcome.TIMEOUT
        assert "'cell_timeout'" in policys.cause
        deaf = await program.run(
            "while True:\n try: time.sleep(60)\n except BaseException: pass", timeout=0.2
        )
        assert (deaf.outcome, deaf.cause) == (Outcome.TIMEOUT, "The deadline of 0.2 s passed.")
        assert "earlier call" in (await program.run("1")).cause

    grace = programs.GRACE
    try:
        programs.GRACE = 3.0  # type: ignore[misc]
        tried(act, cell_timeout=2)
    finally:
        programs.GRACE = grace  # type: ignore[misc]


def test_who_does_not_outlive_an_interrupt_has_met_its_deadline() -> None:
    """It did not die by itself."""

    async def act(program: Program) -> None:
        ended = await program.run("import os\nos.execv('/bin/sleep', ['sleep', '60'])")
        assert ended.outcome is Outcome.TIMEOUT
        assert "'cell_timeout'" in ended.cause

    tried(act, cell_timeout=1)


def test_output_is_cut() -> None:
    """At the policy's budget, and the cut is told."""

    async def act(program: Program) -> None:
        flood = await program.run("print('x' * 3_000_000)")
        assert flood.ok
        assert 900_000 < len(flood.stdout) <= 1 << 20
        assert flood.truncated is not None
        assert (await program.run("print('y')")).truncated is None

    tried(act)


def test_nobody_gets_the_answer_to_a_cancelled_call() -> None:
    """What has been asked and is not waited for is ended with its process."""

    async def act(program: Program) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await program.run("import time\ntime.sleep(1)\nprint('first')")
        later = await program.run("print('second')")
        assert (later.outcome, later.stdout) == (Outcome.CANCELLED, "")

    tried(act)


def test_a_cancelled_call_leaves_nothing(no_leftovers: object) -> None:
    """Nor does one that is cancelled as it starts."""

    async def one(seconds: float) -> None:
        async with asyncio.timeout(seconds), Program(policy()) as program:
            await program.run("while True: pass")

    async def main() -> None:
        for seconds in (0.001, 0.01, 0.05, 0.1, 0.5):
            with pytest.raises(TimeoutError):
                await one(seconds)

    asyncio.run(main())


def test_a_cancelled_end_is_an_end(no_leftovers: object) -> None:
    """Wherever it is cancelled: nothing runs on, and no directory is left."""

    async def main() -> None:
        for steps in range(4):
            program = await Program(policy()).__aenter__()
            ending = asyncio.create_task(program.__aexit__(None, None, None))
            for _ in range(steps):
                await asyncio.sleep(0)
            ending.cancel()
            await asyncio.wait({ending})
            if not steps:  # it had not begun
                await program.__aexit__(None, None, None)

    asyncio.run(main())


def test_what_cannot_start_says_why() -> None:
    """As for any sandbox."""
    with pytest.raises(SandboxError, match="Docker does not answer"):
        tried(lambda program: program.run("1"), engine="docker")


def test_administrators_bind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they bind kernels."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    (tmp_path / "jupyter_config.py").write_text("c.SandboxProvisioner.max_memory = '128m'\n")

    async def act(program: Program) -> Any:
        return await program.run("x = bytearray(200 << 20)")

    assert "128 MiB" in tried(act, cell_timeout=60).cause


def test_one_is_kept_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the next of its kind; a kernel's is another kind."""
    monkeypatch.setattr("sandbox_kernel.host.pool.SMALL", 0)
    POOL.drain()  # which tests before this one may have outrun
    taken = []
    monkeypatch.setattr(POOL, "take", lambda kind: taken.append(kind) or Pool.take(POOL, kind))

    async def main() -> str:
        out = []
        for _ in range(4):
            async with Program(policy()) as program:
                out.append((await program.run("import os; print(len(os.listdir('/proc/self/fd')))")).stdout)
                while not POOL._warm and len(out) > 1:
                    await asyncio.sleep(0.02)
        return "".join(out)

    try:
        assert len(set(asyncio.run(main()).splitlines())) == 1
        assert len(taken) == 4
        assert all(kind.program for kind in taken)
    finally:
        POOL.drain()


def test_a_pool_that_is_outrun_keeps_out() -> None:
    """Where launches follow faster than the processors start them, none is started for later."""
    pool = Pool()
    pool.allowed = 1
    many = PACE * (os.cpu_count() or 1)
    assert [pool.is_of_use() for _ in range(many + 3)] == [True] * many + [False] * 3
    pool.drain()
    assert pool.is_of_use()


@pytest.mark.parametrize("engine", ["docker", "gvisor", "podman"])
def test_in_containers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    """Whatever builds the wall, a program is run, interrupted and buried alike."""
    monkeypatch.setenv("DOCKER_HOST", container_host(request, engine))
    wall = {"engine": "docker", "runtime": "runsc"} if engine == "gvisor" else {"engine": engine}

    async def act(program: Program) -> None:
        said = await program.run("import os, sys\nprint(os.getpid(), sys.argv)\nprint('e', file=sys.stderr)")
        assert said.stdout.endswith("['submission.py']\n")
        assert said.stderr == "e\n"
        assert (await program.run("while True: pass", timeout=0.5)).outcome is Outcome.TIMEOUT
        died = await program.run("x = bytearray(1 << 30)")
        assert died.outcome is Outcome.MEMORY, died.cause

    tried(act, **wall, cell_timeout=60)


def test_in_an_image_without_our_guest(docker_host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guest is sent ahead, and lies where a program cannot read it: so its runner is handed on."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    name = "sandbox-kernel-test/without-guest"
    recipe = b"FROM sandbox-kernel/python\nLABEL org.sandbox-kernel.guest=other\nUSER 0\nRUN rm -r /opt/*\n"
    with closing(docker.APIClient(docker_host)) as client:
        built = list(
            client.build(fileobj=io.BytesIO(recipe), tag=name, rm=True, decode=True, network_mode="none")
        )
        assert not [event for event in built if "error" in event], built

        async def act(program: Program) -> None:
            assert (await program.run("import sys; print(sys.argv)")).stdout == "['submission.py']\n"
            assert (await program.run("import _sandbox_runner as r; r.show('x')")).displays[0].text == "x"

        try:
            tried(act, engine="docker", image=name, cell_timeout=60)
        finally:
            client.remove_image(name, force=True)
