"""Hints after errors that the wall has probably caused."""

import os
from pathlib import Path

import pytest

from sandbox_kernel.cli.hints import hint
from sandbox_kernel.policy import GiB, Policy
from tests.cli.conftest import Run
from tests.cli.test_run import Notebook


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("OSError", "[Errno 30] Read-only file system: 'x.csv'", "--workspace rw"),
        ("OSError", "[Errno 30] Read-only file system: ", "/tmp, or to the folder in $SANDBOX_ARTIFACTS"),
        ("OSError", "[Errno 30] Read-only file system: 'x.png'", "--artifacts DIR"),
        ("OSError", "[Errno 28] No space left on device", "256 MiB each; --tmp"),
        (
            "BlockingIOError",
            "[Errno 11] Resource temporarily unavailable",
            "256 processes and threads; --pids",
        ),
        ("RuntimeError", "can't start new thread", "--pids"),
        ("OSError", "[Errno 24] Too many open files: 'x'", "1024 files open; --files"),
        ("MemoryError", "", "may use 1 GiB; --memory"),
        ("_ArrayMemoryError", "Unable to allocate 8.00 GiB for an array", "--memory"),
        ("", "Cell 1: Killed: used 1 GiB of 1 GiB memory.", "may use 1 GiB; --memory"),
        ("StdinNotImplementedError", "raw_input was called, but …", "answer input()"),
        ("KeyError", "'SANDBOX_ARTIFACTS'", "--artifacts DIR"),
        ("NameError", "name '__file__' is not defined", "Path.cwd()"),
        ("KeyError", "'PATH'", "--env PATH"),
        ("RuntimeError", "asyncio.run() cannot be called from a running event loop", "await main()"),
        ("gaierror", "[Errno -2] Name or service not known", "no network"),
        ("URLError", "<urlopen error [Errno -3] Temporary failure in name resolution>", "no network"),
        ("ModuleNotFoundError", "No module named 'seaborn'", "outside the sandbox"),
        ("FileNotFoundError", "[Errno 2] No such file or directory: '/data/x.csv'", "--mount"),
        (
            "CalledProcessError",
            "Command '['/venv/bin/python', '-m', 'pip', 'install', 'x']' returned non-zero exit status 1.",
            "install them outside",
        ),
    ],
)
def test_hints(name: str, text: str, words: str) -> None:
    """Each error that a limit causes is followed by the option that moves the limit."""
    assert words in (hint(name, text, Policy()) or "")


def test_hints_follow_the_policy() -> None:
    """A hint names what this policy allows, and no option that is set already."""
    assert "8 GiB" in (hint("MemoryError", "", Policy(memory=8 * GiB)) or "")
    assert "--workspace" not in (hint("OSError", "[Errno 30] x", Policy(workspace="rw")) or "")
    missing = "[Errno 2] No such file or directory: 'x.csv'"
    assert "--workspace ro" in (hint("FileNotFoundError", missing, Policy(workspace="none")) or "")


@pytest.mark.parametrize(
    ("policy", "text", "words"),
    [
        (
            {"profile": "strict"},
            "The cell's deadline of 2 s passed in cell 1.",
            "the profile strict gives each cell, its imports included, 2 s; --cell-timeout allows more.",
        ),
        (
            {"cell_timeout": "90s"},
            "Cell 3: The deadline of 1 min 30 s for a cell passed ('cell_timeout').",
            "this policy gives each cell, its imports included, 1 min 30 s; --cell-timeout allows more.",
        ),
        (
            {"profile": "strict"},
            "The session's deadline of 600 s passed while the kernel started.",
            "the profile strict gives the whole run 10 min; --session-timeout allows more.",
        ),
        ({}, "The notebook's deadline of 4 s passed in cell 2.", None),
    ],
)
def test_deadlines(policy: dict[str, str], text: str, words: str | None) -> None:
    """Who chose a profile may not know its deadlines; the hint says whose it was, and how to have another."""
    assert hint("", text, Policy.from_settings(policy)) == words


@pytest.mark.parametrize(
    ("name", "text"), [("ValueError", "MemoryError: x"), ("KeyError", "'GDP'"), ("", "")]
)
def test_no_hint(name: str, text: str) -> None:
    """Errors that have nothing to do with the wall are left alone."""
    assert hint(name, text, Policy()) is None


def test_hint_ends_the_run(sandbox_kernel: Run, notebook: Notebook) -> None:
    """The hint comes after the line that says how the run ended; the exit code stays, the notebook too."""
    done = sandbox_kernel("run", notebook("a.ipynb", "open('x.csv', 'w')"), "-q")
    assert done.returncode == 1
    ended, hinted = done.stderr.splitlines()[-2:]
    assert ended.startswith("error: Cell 1 raised OSError")
    assert hinted.startswith("hint: the notebook's folder is read-only here: write to /tmp")
    done = sandbox_kernel("run", notebook("b.ipynb", "raise MemoryError"), "-q")
    assert "error: Cell 1 raised MemoryError. 1 of 1 cells" in done.stderr
    assert done.stderr.endswith("hint: this kernel may use 1 GiB; --memory allows more.\n")


def test_hint_knows_jupyters_configuration(sandbox_kernel: Run, notebook: Notebook, tmp_path: Path) -> None:
    """It names what the kernel was really allowed, wherever that was said."""
    configuration = tmp_path / "configuration"
    configuration.mkdir()
    (configuration / "jupyter_config.py").write_text('c.SandboxProvisioner.memory = "300m"\n')
    done = sandbox_kernel(
        "run",
        notebook("a.ipynb", "raise MemoryError"),
        "-q",
        env=os.environ | {"JUPYTER_CONFIG_DIR": str(configuration)},
    )
    assert "hint: this kernel may use 300 MiB; --memory allows more." in done.stderr


def test_hint_for_a_kernel_with_a_policy_of_its_own(sandbox_kernel: Run, notebook: Notebook) -> None:
    """Options cannot change a kernel's own policy; the hint says what can."""
    assert sandbox_kernel("install", "--name", "small", "--memory", "200m").returncode == 0
    done = sandbox_kernel("run", notebook("a.ipynb", "raise MemoryError"), "-q", "-k", "small")
    assert "hint: this kernel may use 200 MiB; --memory allows more (options of `sandbox-kernel install" in (
        done.stderr
    )


def test_a_refusal_names_the_option_that_was_given(
    sandbox_kernel: Run, notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options reach the kernel through the environment; who gave one is not told of a variable."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "jupyter_config.py").write_text("c.SandboxProvisioner.max_memory = '512m'")
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    source = notebook("a.ipynb", "1")
    done = sandbox_kernel("run", source, "--memory", "2g")
    assert done.returncode == 2
    assert "sandbox-kernel: --memory asks for 2 GiB; the administrator allows at most 512 MiB" in done.stderr
    monkeypatch.setenv("SANDBOX_KERNEL_MEMORY", "2g")
    assert "sandbox-kernel: SANDBOX_KERNEL_MEMORY asks for 2 GiB" in sandbox_kernel("run", source).stderr


def test_pip_says_at_once_that_there_is_no_network(sandbox_kernel: Run, notebook: Notebook) -> None:
    """It ends in an error as everywhere without a network, but not after waiting, nor without the reason."""
    done = sandbox_kernel("run", notebook("a.ipynb", "!pip install x-y-z-of-nobody"), "-q", "--log-output")
    assert "Looking in indexes: https://a-sandbox-has-no-network" in done.stdout
    assert "Retrying" not in done.stdout
