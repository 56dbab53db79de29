"""`sandbox-kernel doctor`."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox_kernel.cli import examination
from sandbox_kernel.cli.app import run_command
from tests.cli.conftest import Run


def test_report(sandbox_kernel: Run) -> None:
    """Where sandboxes start, doctor says how each limit is kept, and exits with 0."""
    done = sandbox_kernel("doctor", "--json")
    assert done.returncode == 0, done.stdout
    report = json.loads(done.stdout)
    assert (report["ok"], report["problems"]) == (True, [])
    assert {"memory", "cpus", "pids", "network"} <= {entry["limit"] for entry in report["enforcement"]}
    assert all(entry["detail"] for entry in report["enforcement"])
    assert "sandboxed-python" in report["kernels"]
    graded = {wall["engine"]: wall["grade"] for wall in report["walls"]}
    assert graded["bubblewrap"] in {"C", "D"}
    assert report["grade"] in set(graded.values())
    assert all(setting["advice"] for setting in report["settings"])
    assert all(hole["names"] and hole["sandboxes"] for hole in report["holes"])
    assert report["versions"]["ipykernel"] != "missing"
    shown = sandbox_kernel("doctor")
    assert shown.returncode == 0
    assert "A sandbox started" in shown.stdout
    assert "what an exploit of the Linux kernel would meet" in shown.stdout
    assert (
        "Policy of kernels without one of their own: profile default, engine auto, image none" in shown.stdout
    )


@pytest.mark.parametrize(
    ("stanza", "words"),
    [
        ({"provisioner_name": "sandbox-provisioner", "config": {"memroy": "1g"}}, "did you mean"),
        ({"provisioner_name": "sandbox-provisoner"}, "names the provisioner 'sandbox-provisoner'"),
        (
            {"provisioner_name": "sandbox-provisioner", "config": {"engine": "docker"}},
            "/nowhere/docker.sock",
        ),
        (None, "is not a JSON object"),
    ],
)
def test_kernels_that_do_not_start(
    sandbox_kernel: Run, tmp_path: Path, stanza: dict[str, object] | None, words: str
) -> None:
    """An installed kernel of ours that would be refused, or that Jupyter hides, is a problem."""
    directory = tmp_path / "jupyter" / "kernels" / "broken"
    directory.mkdir(parents=True)
    metadata = {"kernel_provisioner": stanza}
    spec = {"argv": ["python"], "display_name": "x", "language": "python", "metadata": metadata}
    (directory / "kernel.json").write_text(json.dumps(spec) if stanza else "{sandbox")
    done = sandbox_kernel("doctor", "--json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["trial"].startswith("A sandbox started")
    (problem,) = report["problems"]
    assert problem.startswith(f"kernel 'broken' in {directory}")
    assert words in problem


def test_without_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where sandboxes cannot start, doctor says what to install, and does not exit with 0."""
    monkeypatch.setenv("PATH", str(Path("empty").absolute()))
    code = """
from sandbox_kernel.host.engines.bubblewrap import bwrap
bwrap.USUAL = ()
from sandbox_kernel import cli
from sandbox_kernel.cli import examination
examination.USUAL = ()
cli.main(["doctor", "--json"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert (report["ok"], report["versions"]["bubblewrap"]) == (False, "missing")
    assert any("apt install bubblewrap" in problem for problem in report["problems"])


def test_policy_that_cannot_be(sandbox_kernel: Run) -> None:
    """A policy that is not understood is wrong use."""
    assert sandbox_kernel("doctor", "--memory", "lots").returncode == 2


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes files of this user's configuration of Jupyter."""
    directory = tmp_path / "configuration"
    directory.mkdir()
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(directory))

    def write(**files: str) -> None:
        for name, text in files.items():
            (directory / f"{name}.py").write_text(text)

    return write


def test_what_jupyters_configuration_says(sandbox_kernel: Run, configured: Callable[..., None]) -> None:
    """Doctor shows what kernels really get: from any program, and from JupyterLab, which reads more."""
    configured(
        jupyter_config="c.SandboxProvisioner.memory = '300m'\nc.SandboxProvisioner.max_pids = 77",
        jupyter_lab_config="c.SandboxProvisioner.cpus = 0.6\nc.SandboxProvisioner.files = 200",
        jupyter_server_config="c.SandboxProvisioner.memory = '400m'\nc.SandboxProvisioner.files = 300",
    )
    done = sandbox_kernel("doctor")
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    (usual,) = [line for line in lines if line.startswith("Policy of kernels without one of their own: ")]
    assert "memory 300 MiB, cpus 1, pids 77" in usual
    assert "In JupyterLab, by its configuration: memory 400 MiB, cpus 0.6, files 300" in lines


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("jupyter_config", "max_memory = '512m'", "--memory asks for 2 GiB; the administrator allows"),
        ("jupyter_server_config", "memroy = '1g'", "JupyterLab starts no sandboxes: "),
        ("jupyter_server_config", "engine = ", "jupyter_server_config.py cannot be read"),
        (
            "jupyter_server_config",
            "engine = 'docker'",
            "starts no sandboxes: Docker does not",
        ),
    ],
)
def test_configuration_with_which_nothing_starts(
    configured: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    file: str,
    text: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each file's mistake is a problem, of all programs or of JupyterLab alone, in one sentence."""
    monkeypatch.setenv("SANDBOX_KERNEL_MEMORY", "1g")  # so that it is put back
    configured(**{file: f"c.SandboxProvisioner.{text}"})
    assert run_command(["doctor", "--json", "--memory", "2g"]) == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert words in problem


ABSURD = ["--memory", "64t", "--cpus", "4096", "--pids", "4194304", "--files", "1048576", "--tmp", "64t"]


def test_more_than_a_machine_has(sandbox_kernel: Run) -> None:
    """What nobody here has is granted, for a limit out of reach harms nobody; and it is said."""
    done = sandbox_kernel("doctor", "--json", "--engine", "bubblewrap", *ABSURD)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["trial"].startswith("A sandbox started")
    told = {warning.partition(" is ")[0]: warning for warning in report["warnings"]}
    assert "memory is 64 TiB, but this machine has" in told["memory"]
    assert "cpus is 4096, but" in told["cpus"]


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ("--memory=900000g", "at most 64 TiB"),
        ("--cpus=10000", "at most 4096"),
        ("--pids=1000000000", "at most 4194304"),
        ("--tmp=1000000000000000", "at most 64 TiB"),
        ("--pids=99999999999999999999", "has too many digits"),
        ("--memory=99999999999999999999g", "has too many digits"),
    ],
)
def test_more_than_any_machine_has(size: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is beyond all machines is a slip, and refused in one sentence."""
    assert run_command(["doctor", size]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


@pytest.mark.parametrize("terminal", [False, True])
def test_long_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool
) -> None:
    """A terminal gets lines that end between words; a pipe has a line for each thing that is said."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1" if terminal else "")
    examination.show(examination.Report(policy={f"setting{n}": "value" for n in range(20)}))
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    [first] = [number for number, line in enumerate(lines) if line.startswith("Policy of kernels")]
    if terminal:
        assert max(map(len, lines)) <= 80
        assert lines[first].endswith("value, ")
    else:
        assert lines[first].endswith("setting19 value")
