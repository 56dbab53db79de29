"""`sandbox-kernel exec`: another program, with its kernels sandboxed."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Run

SHOW = """
import json, os
ours = ("SANDBOX_KERNEL_", "JUPYTER_DEFAULT")
print(json.dumps({name: value for name, value in os.environ.items() if name.startswith(ours)}))
"""


def test_environment(sandbox_kernel: Run) -> None:
    """The command gets the policy and the provisioner in its environment, its own arguments untouched."""
    done = sandbox_kernel("exec", "--memory", "2g", "--cell-timeout", "5m", "--", sys.executable, "-c", SHOW)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "JUPYTER_DEFAULT_PROVISIONER_NAME": "sandbox-provisioner",
        "SANDBOX_KERNEL_MEMORY": "2g",
        "SANDBOX_KERNEL_CELL_TIMEOUT": "5m",
    }


def test_exit_codes(sandbox_kernel: Run) -> None:
    """The command's exit code is ours; 127 and 126 are those of a shell."""
    assert sandbox_kernel("exec", "--", "sh", "-c", "exit 7").returncode == 7
    missing = sandbox_kernel("exec", "nonesuch")
    assert (missing.returncode, missing.stderr) == (
        127,
        "sandbox-kernel: there is no command named 'nonesuch'.\n",
    )
    Path("data").write_text("x")
    assert sandbox_kernel("exec", "./data").returncode == 126
    assert sandbox_kernel("exec").returncode == 2


def test_options_of_the_command_are_its_own(sandbox_kernel: Run) -> None:
    """Options after the command belong to it, with and without --."""
    done = sandbox_kernel("exec", "echo", "--memory", "lots")
    assert (done.returncode, done.stdout) == (0, "--memory lots\n")


def test_programs_beside_our_interpreter(sandbox_kernel: Run, monkeypatch) -> None:
    """In an environment that is not activated its programs are found."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    done = sandbox_kernel("exec", "jupyter", "kernelspec", "list")
    assert done.returncode == 0, done.stderr


def test_refusals(sandbox_kernel: Run) -> None:
    """A policy that is not understood starts nothing."""
    done = sandbox_kernel("exec", "--memory", "lots", "--", "touch", "started")
    assert done.returncode == 2
    assert not Path("started").exists()


def test_an_engine_that_is_not_here(sandbox_kernel: Run) -> None:
    """A wall that was asked for and cannot be built is said before the program starts."""
    done = sandbox_kernel("exec", "--engine", "docker", "--", "touch", "started")
    assert done.returncode == 2
    assert "/nowhere/docker.sock" in done.stderr
    assert not Path("started").exists()


def test_kernels_that_stay_outside_are_named(
    sandbox_kernel: Run, tmp_path: Path, notebook: Callable[..., Path]
) -> None:
    """A kernelspec that insists on another provisioner is warned of."""
    spec = tmp_path / "jupyter" / "kernels" / "outside"
    spec.mkdir(parents=True)
    metadata = {"kernel_provisioner": {"provisioner_name": "local-provisioner"}}
    content = {"argv": ["python"], "display_name": "x", "language": "python", "metadata": metadata}
    (spec / "kernel.json").write_text(json.dumps(content))
    done = sandbox_kernel("exec", "true")
    assert done.returncode == 0
    assert "'outside'" in done.stderr
    assert "stays outside the sandbox" in done.stderr
