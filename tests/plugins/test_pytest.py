"""`pytest --sandbox`: notebooks under test run behind a wall, and nothing changes without the option."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox_kernel.notebooks.sandboxed import PROVISIONER
from tests.plugins.conftest import BEHIND, Write

BOOK = """
from testbook import testbook

@testbook("lib.ipynb", execute=True)
def test_behind(tb):
    assert tb.ref("double")(21) == 42

@testbook("fails.ipynb", execute=True)
def test_fails(tb):
    pass
"""
SETTINGS = "[pytest]\nfilterwarnings = error\n"


@pytest.fixture
def run(tmp_path: Path):
    """Runs pytest in the test's directory; returns its exit code, and what it said.

    Of the plug-ins that are installed it loads those that are named, for all of them take three seconds.
    """
    (tmp_path / "pytest.ini").write_text(SETTINGS)

    def run_pytest(*arguments: str, plugins: str = "", program: str = "-mpytest") -> tuple[int, str]:
        left_out = "no:sandbox_kernel" in arguments
        names = [] if left_out else ["sandbox_kernel", *plugins.split()]
        loaded = [word for name in names for word in ("-p", name)]
        done = subprocess.run(
            [sys.executable, program, *loaded, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "" if left_out else "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=100,
        )
        return done.returncode, done.stdout

    return run_pytest


def test_nbmake_and_testbook(run, notebook: Write, tmp_path: Path) -> None:
    """Notebooks of nbmake and functions of testbook are run sandboxed, also by the workers of xdist."""
    notebook("behind.ipynb", BEHIND)
    notebook("lib.ipynb", BEHIND, "def double(x): return 2 * x")
    notebook("fails.ipynb", BEHIND, "raise ValueError('on purpose')")
    (tmp_path / "test_book.py").write_text(BOOK)
    tests = ("behind.ipynb", "fails.ipynb", "test_book.py")
    code, said = run("--nbmake", "--sandbox=default", "-n1", *tests, plugins="nbmake xdist")
    assert code == 1
    assert "2 failed, 2 passed" in said
    assert said.count("on purpose") >= 2
    assert "AssertionError" not in said
    assert "sandbox: bubblewrap, profile default (memory 1 GiB, CPUs 1, network none, workspace ro)" in said


def test_nbval(run, notebook: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells of nbval are run sandboxed, with warnings as errors; kernels that stay outside are named."""
    for name, stanza in {
        "outside": '{"provisioner_name": "local-provisioner"}',
        "generous": '{"provisioner_name": "sandbox-provisioner", "config": {"memory": "64g"}}',
    }.items():
        spec = tmp_path / "kernels" / name / "kernel.json"
        spec.parent.mkdir(parents=True)
        told = f'"language": "python", "metadata": {{"kernel_provisioner": {stanza}}}'
        spec.write_text(f'{{"argv": ["x"], "display_name": "x", {told}}}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    notebook("behind.ipynb", BEHIND, "raise ValueError('on purpose')")
    code, said = run("--nbval-lax", "behind.ipynb", "--sandbox", plugins="nbval")
    assert code == 1
    assert "1 failed, 1 passed" in said
    assert "sandbox: kernel 'outside' is started by 'local-provisioner' and stays outside\n" in said
    assert "sandbox: kernel 'generous' keeps the policy of its own kernelspec\n" in said
    assert "on purpose" in said


SANDBOXES = """
import pytest
from sandbox_kernel.errors import SessionError

kept = []

def test_fresh(sandbox_kernel):
    kept.append(sandbox_kernel)
    assert sandbox_kernel.run("import platform; x = 1; platform.node()").value == "'sandbox'"

def test_fresh_again(sandbox_kernel):
    assert sandbox_kernel is not kept[0]
    assert sandbox_kernel.run("'x' in globals()").value == "False"
    with pytest.raises(SessionError, match="closed"):
        kept[0].run("x")

def test_several(sandbox_kernel_factory):
    limit = "import resource; resource.getrlimit(resource.RLIMIT_NOFILE)[0]"
    both = sandbox_kernel_factory(), sandbox_kernel_factory("default", files=333)
    assert [sandbox.run(limit).value for sandbox in both] == ["222", "333"]
"""


def test_fixtures(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test gets a sandbox of its own, also without the option; the factory takes settings."""
    monkeypatch.setenv("SANDBOX_KERNEL_FILES", "222")
    (tmp_path / "test_sandboxes.py").write_text(SANDBOXES)
    code, said = run("test_sandboxes.py")
    assert code == 0, said
    assert "3 passed" in said


def test_without_the_option(run, notebook: Write) -> None:
    """The same notebook fails: the option is what sandboxes."""
    notebook("behind.ipynb", BEHIND)
    code, said = run("--nbmake", "behind.ipynb", plugins="nbmake")
    assert code == 1
    assert "AssertionError" in said
    assert "sandbox:" not in said


def test_restored(run, tmp_path: Path) -> None:
    """What the session has set is taken back at its end."""
    (tmp_path / "test_set.py").write_text(f"""
import os
from jupyter_client.provisioning.factory import KernelProvisionerFactory

def test_set():
    assert os.environ["JUPYTER_DEFAULT_PROVISIONER_NAME"] == {PROVISIONER!r}
    assert os.environ["SANDBOX_KERNEL_PROFILE"] == "strict"
    assert KernelProvisionerFactory.instance().default_provisioner_name == {PROVISIONER!r}
""")
    program = tmp_path / "program.py"
    program.write_text("""
import os, sys
import pytest
from jupyter_client.provisioning.factory import KernelProvisionerFactory

def state():
    variables = {name: text for name, text in os.environ.items() if name.startswith(("JUPYTER", "SANDBOX"))}
    return variables, KernelProvisionerFactory.instance().default_provisioner_name

before = state()
code = pytest.main(sys.argv[1:])
assert state() == before
sys.exit(code)
""")
    code, said = run("--sandbox=strict", "test_set.py", program=str(program))
    assert code == 0, said
    assert "profile strict (memory 256 MiB" in said


@pytest.mark.parametrize(
    ("arguments", "variable", "sentence"),
    [
        (["--sandbox=stirct"], {}, "--sandbox: there is no profile 'stirct'; there are default and strict."),
        (
            ["--sandbox", "a.py"],
            {},
            "--sandbox takes what follows it for a profile; write --sandbox=default a.py.",
        ),
        (["--sandbox"], {"MEMORY": "3x"}, "--sandbox: SANDBOX_KERNEL_MEMORY: '3x' is not a size; write for"),
        (["--sandbox"], {"ENGINE": "docker"}, "--sandbox: "),
        (["--sandbox", "-p", "no:sandbox_kernel"], {}, "unrecognized arguments: --sandbox"),
    ],
)
def test_refusals(
    run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    variable: dict[str, str],
    sentence: str,
) -> None:
    """What cannot be is refused in a sentence, before any test runs; so is a wall that cannot be built."""
    (tmp_path / "a.py").touch()
    for name, value in variable.items():
        monkeypatch.setenv(f"SANDBOX_KERNEL_{name}", value)
    code, said = run(*arguments)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert sentence in said
    assert "Traceback" not in said


def test_nothing_is_imported_without_the_option() -> None:
    """Everybody's pytest loads the plugin; that imports nothing, of ours or of others."""
    plugin = "sandbox_kernel.plugins.pytest"
    code = f"import sys, pytest; old = {{*sys.modules}}; import {plugin}; print(*{{*sys.modules}} - old)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {*done.stdout.split()} == {
        "sandbox_kernel",
        "sandbox_kernel.plugins",
        "sandbox_kernel.plugins.pytest",
    }
    assert "JUPYTER_DEFAULT_PROVISIONER_NAME" not in os.environ
