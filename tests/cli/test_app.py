"""The command line as a whole."""

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox_kernel import __version__
from sandbox_kernel.cli.app import COMMANDS, run_command
from tests.cli.conftest import Run


def test_help(sandbox_kernel: Run) -> None:
    """Help names every command and the exit codes; each command's help has examples or says it all."""
    shown = sandbox_kernel("--help").stdout
    for name in COMMANDS:
        assert f"  {name} " in shown
        assert sandbox_kernel(name, "--help").returncode == 0
    for code in ("124", "130", "137", "138"):
        assert code in shown


def test_short_help_is_the_commands_own() -> None:
    """The list of commands says of each what its own help says."""
    for name, text in COMMANDS.items():
        module = __import__(f"sandbox_kernel.cli.{name}", fromlist=["command"])
        assert module.command.short_help == text


def test_version(sandbox_kernel: Run) -> None:
    """--version shows the version."""
    assert sandbox_kernel("--version").stdout == f"sandbox-kernel, version {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["rnu"], ["--nonsense"]])
def test_wrong_use(sandbox_kernel: Run, arguments: list[str]) -> None:
    """Wrong use is exit code 2, without a traceback."""
    done = sandbox_kernel(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_jupyter_finds_it() -> None:
    """`jupyter sandbox` is the same program, under that name."""
    jupyter = Path(sys.executable).with_name("jupyter-sandbox")
    done = subprocess.run([jupyter, "run", "--help"], capture_output=True, text=True, check=True, timeout=60)
    assert "Usage: jupyter sandbox run" in done.stdout


def test_bugs_have_an_exit_code_of_their_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake of ours is not taken for a notebook's."""

    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("sandbox_kernel.cli.ps.list_running", broken)
    assert run_command(["ps"]) == 70
    assert "this is a bug" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("written", "meant"), [("rum", "run"), ("docter", "doctor"), ("instal", "install"), ("lst", None)]
)
def test_a_misspelt_command(written: str, meant: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    """The command that was probably meant is named, where one is near."""
    assert run_command([written]) == 2
    told = f"; did you mean {meant}?" if meant else "."
    assert capsys.readouterr().err.splitlines()[0] == f"sandbox-kernel: there is no command {written!r}{told}"
