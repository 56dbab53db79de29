"""`sandbox-kernel exec`: another program, with its kernels sandboxed."""

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox_kernel.cli.walls import beyond_reach
from sandbox_kernel.policy import Policy
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


def test_more_than_this_machine_has(sandbox_kernel: Run) -> None:
    """Sizes that nobody here has are granted, and spoken of; a profile's own are no news."""
    done = sandbox_kernel("exec", "--memory", "64t", "--", "echo", "started")
    assert (done.returncode, done.stdout) == (0, "started\n")
    (line,) = done.stderr.splitlines()
    assert line.startswith("sandbox-kernel: warning: memory is 64 TiB, but this machine has ")
    assert sandbox_kernel("exec", "--memory", "128m", "true").stderr == ""  # less than the default's tmp


@pytest.mark.parametrize(
    ("policy", "daemon", "told"),
    [
        ({"engine": "bubblewrap"}, "tcp://elsewhere:2376", ["memory", "files"]),
        ({"engine": "docker"}, "tcp://elsewhere:2376", []),
        ({"engine": "docker"}, "unix:///nowhere/docker.sock", ["memory"]),
        ({"engine": "auto"}, "tcp://elsewhere:2376", []),
        ({"engine": "auto"}, "unix:///nowhere/docker.sock", ["memory", "files"]),
        ({"engine": "auto", "image": "x"}, "unix:///nowhere/docker.sock", ["memory"]),
        ({"engine": "docker"}, "nonsense", []),
    ],
)
def test_whose_sizes_are_known(
    policy: dict[str, str], daemon: str, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another machine has is not known here, nor what a daemon may open."""
    monkeypatch.setenv("DOCKER_HOST", daemon)
    whole = Policy.from_settings({**policy, "memory": "64t", "files": 1_048_576})
    sentences = beyond_reach(whole, {"memory", "files"})
    roomy = resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= whole.files
    expected = [name for name in told if name != "files" or not roomy]
    assert [sentence.partition(" is ")[0] for sentence in sentences] == expected


def test_an_engine_that_is_not_here(sandbox_kernel: Run) -> None:
    """A wall that was asked for and cannot be built is said before the program starts."""
    done = sandbox_kernel("exec", "--engine", "docker", "--", "touch", "started")
    assert done.returncode == 2
    assert "/nowhere/docker.sock" in done.stderr
    assert not Path("started").exists()


def test_kernels_that_stay_outside_are_named(
    sandbox_kernel: Run, tmp_path: Path, notebook: Callable[..., Path]
) -> None:
    """A kernelspec that insists on another provisioner, or its own policy, is named: notebooks choose."""
    for name, stanza in {
        "outside": {"provisioner_name": "local-provisioner"},
        "generous": {"provisioner_name": "sandbox-provisioner", "config": {"memory": "64g"}},
        "plain": {"provisioner_name": "sandbox-provisioner"},
    }.items():
        spec = tmp_path / "jupyter" / "kernels" / name
        spec.mkdir(parents=True)
        metadata = {"kernel_provisioner": stanza}
        content = {"argv": ["python"], "display_name": "x", "language": "python", "metadata": metadata}
        (spec / "kernel.json").write_text(json.dumps(content))
    done = sandbox_kernel("exec", "true")
    assert done.returncode == 0
    assert "'outside'" in done.stderr
    assert "stays outside the sandbox" in done.stderr
    assert "kernel 'generous' keeps the policy of its own kernelspec." in done.stderr
    assert "'plain'" not in done.stderr
