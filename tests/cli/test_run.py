"""`sandbox-kernel run`, as a program, on the real sandbox."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from tests.cli.conftest import PROGRAM, Run, on_terminal
from tests.daemons.plugin import container_host

Notebook = Callable[..., Path]
WHERE = "import socket\nprint('host:', socket.gethostname())"
BUSY = "import time\nprint('busy', flush=True)\ntime.sleep(60)"


def outcome(path: Path) -> dict:
    return dict(nbformat.read(path, as_version=4).metadata.sandbox_kernel)


def printed(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "".join(output.get("text", "") for cell in cells for output in cell.outputs)


def test_ok(sandbox_kernel: Run, notebook: Notebook) -> None:
    """A notebook runs in a sandbox; the result is beside it, the notebook itself is as it was."""
    source = notebook("a.ipynb", WHERE, "6 * 7")
    before = source.read_bytes()
    done = sandbox_kernel("run", source)
    assert done.returncode == 0, done.stderr
    assert source.read_bytes() == before
    assert printed(source.with_name("a-executed.ipynb")) == "host: sandbox\n"
    assert done.stdout == ""
    assert "[2/2] ✓" in done.stderr
    assert "ok: 2 of 2 cells in" in done.stderr


def test_plain_kernels_are_sandboxed_too(sandbox_kernel: Run, notebook: Notebook) -> None:
    """With -k python3, whose kernelspec knows nothing of sandboxes, the run is in one all the same."""
    done = sandbox_kernel("run", notebook("a.ipynb", WHERE), "-k", "python3", "--log-output")
    assert (done.returncode, done.stdout) == (0, "host: sandbox\n"), done.stderr


def test_kernels_of_other_provisioners_are_refused(
    sandbox_kernel: Run, notebook: Notebook, tmp_path: Path
) -> None:
    """A kernel that would run outside any sandbox is not run."""
    spec = tmp_path / "jupyter" / "kernels" / "outside"
    spec.mkdir(parents=True)
    metadata = {"kernel_provisioner": {"provisioner_name": "local-provisioner"}}
    content = {"argv": ["python"], "display_name": "x", "language": "python", "metadata": metadata}
    (spec / "kernel.json").write_text(json.dumps(content))
    done = sandbox_kernel("run", notebook("a.ipynb", "1"), "-k", "outside")
    assert done.returncode == 2
    assert "outside any sandbox" in done.stderr


@pytest.mark.parametrize(
    ("code", "options", "exit_code", "words"),
    [
        ("1 / 0", [], 1, "error: Cell 1 raised ZeroDivisionError: division by zero."),
        (BUSY, ["--cell-timeout", "1"], 124, "timeout: The cell's deadline of 1 s passed in cell 1."),
        (BUSY, ["--timeout", "3s"], 124, "timeout: The notebook's deadline of 3 s passed in cell 1."),
        (BUSY, ["--session-timeout", "3"], 124, "timeout: The session's deadline of 3 s passed in cell 1."),
        (BUSY, ["--profile", "strict"], 124, "timeout: The cell's deadline of 2 s passed in cell 1."),
        ("x = bytearray(b'x') * (1 << 30)", ["--memory", "256m"], 137, "256 MiB"),
        ("import os; os.kill(os.getpid(), 11)", [], 138, "SIGSEGV"),
        ("import os; os._exit(0)", [], 138, "died: Cell 1:"),
    ],
)
def test_exit_codes(
    sandbox_kernel: Run, notebook: Notebook, code: str, options: list[str], exit_code: int, words: str
) -> None:
    """Each way to end has its exit code, one sentence, and a saved notebook that says the same."""
    done = sandbox_kernel("run", notebook("a.ipynb", code), "-q", *options)
    assert done.returncode == exit_code, done.stderr
    *_, ended = (line for line in done.stderr.splitlines() if not line.startswith("hint: "))
    assert words in ended
    assert ("hint: the profile strict gives each cell" in done.stderr) is ("strict" in options)
    assert outcome(Path("a-executed.ipynb"))["exit_code"] == exit_code
    assert "Traceback" not in done.stderr or exit_code == 1


def test_places(sandbox_kernel: Run, notebook: Notebook) -> None:
    """The result goes to a file, into a directory, in place of the notebook, or to standard output."""
    source = notebook("a.ipynb", "print('x')")
    Path("out").mkdir()
    assert sandbox_kernel("run", source, "second.ipynb").returncode == 0
    assert sandbox_kernel("run", source, "-o", "out").returncode == 0
    assert printed(Path("second.ipynb")) == printed(Path("out/a.ipynb")) == "x\n"
    shown = sandbox_kernel("run", "-", input=source.read_text())
    assert nbformat.reads(shown.stdout, as_version=4).cells[0].outputs[0].text == "x\n"
    assert sandbox_kernel("run", source, "--inplace").returncode == 0
    assert printed(source) == "x\n"


def test_kernel_starts_beside_the_notebook(sandbox_kernel: Run, notebook: Notebook) -> None:
    """Relative paths in a notebook start at the notebook, read-only unless granted otherwise."""
    Path("data").mkdir()
    Path("data/number.txt").write_text("42")
    source = notebook("data/a.ipynb", "print(open('number.txt').read())")
    assert sandbox_kernel("run", source, "-o", "out.ipynb").returncode == 0
    assert printed(Path("out.ipynb")) == "42\n"
    writing = notebook("data/b.ipynb", "open('new.txt', 'w').write('x')")
    assert sandbox_kernel("run", writing).returncode == 1
    assert sandbox_kernel("run", writing, "--workspace", "rw").returncode == 0
    assert Path("data/new.txt").read_text() == "x"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.ipynb", "--memroy", "1g"], "Did you mean '--memory'?"),
        (["a.ipynb", "--memory", "lots"], "--memory: 'lots' is not a size"),
        (["a.ipynb", "--pids", "1000000000"], "--pids: '1000000000' is too large; it must be at most"),
        (["a.ipynb", "--output-limit", "lots"], "--output-limit: 'lots' is not a size"),
        (["a.ipynb", "--timeout", "soon"], "'soon' is not a time"),
        (["missing.ipynb"], "cannot read missing.ipynb: No such file"),
        (["a.ipynb", "-k", "nonesuch"], "no kernel named 'nonesuch'"),
        (["a.ipynb", "-o", "a.ipynb"], "say --inplace"),
        (["a.ipynb", "b.ipynb", "--inplace"], "Name one place"),
        (["a.ipynb", "--cwd", "missing"], "cannot start in missing"),
        (["a.ipynb", "--output", "1m"], "--output-limit limits what a cell may print"),
        (["a.ipynb", "10 MB"], "--output-limit limits what a cell may print"),
        (
            ["a.ipynb", "missing/b.ipynb"],
            "cannot write missing/b.ipynb: there is no folder missing; make it first.",
        ),
        ([], "Missing argument 'NOTEBOOK'"),
    ],
)
def test_refusals(sandbox_kernel: Run, notebook: Notebook, arguments: list[str], words: str) -> None:
    """Wrong use is one sentence and exit code 2; nothing runs."""
    notebook("a.ipynb", "1")
    done = sandbox_kernel("run", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("sandbox-kernel: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(Path.cwd().glob("*-executed.ipynb"))


def test_misspelt_variable(sandbox_kernel: Run, notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy variable of the environment that is misspelt is refused, with the nearest name."""
    monkeypatch.setenv("SANDBOX_KERNEL_MEMROY", "1g")
    done = sandbox_kernel("run", notebook("a.ipynb", "1"))
    assert done.returncode == 2
    assert "SANDBOX_KERNEL_MEMORY" in done.stderr


def test_options_do_not_change_a_kernels_own_policy(sandbox_kernel: Run, notebook: Notebook) -> None:
    """A kernel with a policy of its own keeps it; options that would change it are refused."""
    assert sandbox_kernel("install", "--name", "small", "--memory", "200m").returncode == 0
    source = notebook("a.ipynb", "x = bytearray(b'x') * (300 << 20)")
    done = sandbox_kernel("run", source, "-k", "small", "--memory", "2g")
    assert done.returncode == 2
    assert "has a policy of its own, which --memory cannot change" in done.stderr
    done = sandbox_kernel("run", source, "-k", "small", "--output-limit", "1m")
    assert "which --output-limit cannot change" in done.stderr
    done = sandbox_kernel("run", source, "-k", "small")
    assert done.returncode == 137
    assert "200 MiB" in done.stderr


@pytest.mark.parametrize("said_by", ["notebook", "kernel"])
def test_other_languages_need_a_kernel(
    sandbox_kernel: Run, notebook: Notebook, tmp_path: Path, said_by: str
) -> None:
    """A notebook in another language is not fed to Python, also where only its kernel says which."""
    spec = tmp_path / "jupyter" / "kernels" / "ir"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text('{"argv": ["R"], "display_name": "R", "language": "R"}')
    source = notebook("a.ipynb", "x <- 1")
    nb = nbformat.read(source, as_version=4)
    nb.metadata["kernelspec"] = {"name": "ir", "display_name": "R"}
    if said_by == "notebook":
        nb.metadata["kernelspec"].update(name="unknown", language="R")
    nbformat.write(nb, source)
    done = sandbox_kernel("run", source)
    assert done.returncode == 2
    assert "is written in R" in done.stderr


@pytest.mark.parametrize(("named", "said"), [("projenv", True), ("python3", False)])
def test_another_kernel_than_the_notebooks(
    sandbox_kernel: Run, notebook: Notebook, named: str, *, said: bool
) -> None:
    """That the notebook names another kernel is said, except for python3, which most name."""
    source = notebook("a.ipynb", "1")
    nb = nbformat.read(source, as_version=4)
    nb.metadata["kernelspec"] = {"name": named, "language": "python", "display_name": "x"}
    nbformat.write(nb, source)
    done = sandbox_kernel("run", source)
    assert done.returncode == 0, done.stderr
    assert ("names kernel 'projenv' and runs on 'sandboxed-python'" in done.stderr) is said


@pytest.mark.parametrize("both", ["", "2>&1"])
def test_reader_that_goes_away(notebook: Notebook, both: str) -> None:
    """When nobody reads the output any more, nor the progress, the run goes on and is saved."""
    source = notebook("a.ipynb", *["print('x' * 100_000)"] * 3)
    command = f"'{PROGRAM}' run --log-output '{source}' {both} | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert outcome(Path("a-executed.ipynb"))["outcome"] == "ok"


HOSTILE = r"""
import sys
print("\x1b]52;c;aGFjaw==\x07\x1b]0;owned\x07\x1b[2J\x1b[Hmine \x9b31m \x1b[31mred\x1b[0m")
print("\x1b]8;;http://evil\x07link\x1b]8;;\x07 \x1bP+q\x1b\\ \x1b[6n \x1bc", file=sys.stderr)
raise ValueError("\x1b]0;owned\x07")
"""


@pytest.mark.parametrize("options", [[], ["--log-output"]])
def test_hostile_output_on_a_terminal(notebook: Notebook, options: list[str]) -> None:
    """No sequence that a kernel prints reaches the terminal, colours excepted."""
    sent = on_terminal("run", notebook("a.ipynb", HOSTILE), *options)
    assert "ValueError" in sent
    for dangerous in ("\x1b]", "\x1b[2J", "\x1b[6n", "\x1bc", "\x1bP", "\x9b", "\x07"):
        assert dangerous not in sent
    if options:
        assert "mine" in sent
        assert "\x1b[31m" in sent


def test_live_line_on_a_terminal(notebook: Notebook) -> None:
    """On a terminal, progress is a live line that is gone at the end; each cell leaves one line."""
    sent = on_terminal("run", notebook("a.ipynb", "import time; time.sleep(0.5)", "2"))
    assert "starting sandboxed-python" in sent
    assert "[2/2]" in sent
    assert sent.rstrip().endswith("a-executed.ipynb\x1b[0m")


def test_output_in_a_file_progress_on_the_terminal(notebook: Notebook) -> None:
    """With standard output in a file, what cells print goes there, and progress to the terminal."""
    with Path("log").open("w+") as log:
        sent = on_terminal("run", "--log-output", notebook("a.ipynb", "print('printed')"), stdout=log)
        log.seek(0)
        assert log.read() == "printed\n"
    assert "[1/1]" in sent


def test_output_that_is_lost_is_told_of(sandbox_kernel: Run, notebook: Notebook) -> None:
    """What a limit has dropped is said in the terminal, of that cell alone, also when quiet."""
    path = notebook("a.ipynb", "1", "for _ in range(40):\n    print('x' * 100_000, flush=True)", "2")
    done = sandbox_kernel("run", path, "-q", "--output-limit", "1m", "--memory", "64t")
    assert done.returncode == 0, done.stderr
    (warning,) = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert "memory is 64 TiB, but this machine has" in warning  # which is said as soon as it is known
    [line] = [line for line in done.stderr.splitlines() if "dropped" in line]
    assert line.startswith("cell 2: ")
    why = "the policy of this kernel allows a cell 1 MiB (--output-limit)"
    assert line.endswith(f"MiB of output dropped: {why}")
    cells = nbformat.read("a-executed.ipynb", as_version=4).cells
    assert [("output_lost" in cell.metadata.sandbox_kernel) for cell in cells] == [False, True, False]


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_more_files_than_a_daemon_has(
    sandbox_kernel: Run, notebook: Notebook, request: pytest.FixtureRequest, engine: str
) -> None:
    """Where a daemon may not grant as many, the option is refused in a sentence of ours."""
    host = container_host(request, engine)
    environment = {**os.environ, "DOCKER_HOST": host, "CONTAINER_HOST": host}
    options = ["--engine", engine, "--files", "1048576"]
    done = sandbox_kernel("run", notebook("a.ipynb", "1"), "-q", *options, env=environment)
    assert "rlimit" not in done.stderr
    refusal = "sandbox-kernel: --files is 1048576, but"
    assert done.returncode == 0 or (done.returncode == 2 and done.stderr.startswith(refusal)), done.stderr
