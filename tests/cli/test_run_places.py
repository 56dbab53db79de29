"""`sandbox-kernel run` and cells that would have it write elsewhere; the workspace is theirs to write."""

import os
import signal
import socket
import stat
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from sandbox_kernel.cli.new_folder import made
from sandbox_kernel.errors import NotebookError
from tests.cli.conftest import Run

Notebook = Callable[..., Path]

LINK = """
import os
if os.path.lexists({name!r}):
    os.unlink({name!r})
os.symlink({victim!r}, {name!r})
"""
PIPE = """
import os
if os.path.lexists({name!r}):
    os.unlink({name!r})
os.mkfifo({name!r})
"""
PLACES = {
    "default": ([], "a-executed.ipynb"),
    "file": (["-o", "out.ipynb"], "out.ipynb"),
    "directory": (["-o", "out"], "out/a.ipynb"),
    "in place": (["--inplace"], "a.ipynb"),
}


def is_result(path: Path) -> bool:
    nb = nbformat.read(path, as_version=4)
    return stat.S_ISREG(path.lstat().st_mode) and nb.metadata.sandbox_kernel.outcome == "ok"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("planting", [LINK, PIPE], ids=["link", "pipe"])
def test_what_a_cell_plants_at_the_results_name(
    sandbox_kernel: Run, notebook: Notebook, tmp_path: Path, place: str, planting: str
) -> None:
    """A cell may write where the result goes; a link or pipe of its own there is replaced, not followed."""
    options, name = PLACES[place]
    victim = tmp_path / "victim"
    victim.write_text("precious")
    Path("out").mkdir()
    source = notebook("a.ipynb", planting.format(name=name, victim=str(victim)))
    done = sandbox_kernel("run", source, *options, "--workspace", "rw")
    assert done.returncode == 0, done.stderr
    assert victim.read_text() == "precious"
    assert is_result(Path(name))


def test_links_of_earlier_runs(sandbox_kernel: Run, notebook: Notebook, tmp_path: Path) -> None:
    """A link at a name that nobody gave is replaced; one that the user names is followed."""
    victim, meant = tmp_path / "victim", tmp_path / "meant.ipynb"
    victim.write_text("precious")
    source = notebook("a.ipynb", "1")
    Path("a-executed.ipynb").symlink_to(victim)
    Path("named.ipynb").symlink_to(meant)
    assert sandbox_kernel("run", source).returncode == 0
    assert sandbox_kernel("run", source, "named.ipynb").returncode == 0
    assert victim.read_text() == "precious"
    assert is_result(Path("a-executed.ipynb"))
    assert is_result(meant)
    assert Path("named.ipynb").is_symlink()


def test_pipes(sandbox_kernel: Run, notebook: Notebook) -> None:
    """A pipe that the user names is given the finished notebook, once; so is /dev/stdout."""
    os.mkfifo("pipe")
    source, got = notebook("a.ipynb", "print('x')"), []
    reader = threading.Thread(target=lambda: got.append(Path("pipe").read_text()))
    reader.start()
    assert sandbox_kernel("run", source, "-o", "pipe").returncode == 0
    reader.join()
    shown = sandbox_kernel("run", source, "-o", "/dev/stdout")
    for text in (*got, shown.stdout):
        assert nbformat.reads(text, as_version=4).cells[0].outputs[0].text == "x\n"


def test_a_pipe_that_nobody_reads(started: Callable[..., subprocess.Popen[str]], notebook: Notebook) -> None:
    """SIGTERM ends a run that waits for the reader of a pipe."""
    os.mkfifo("pipe")
    program = started("run", notebook("a.ipynb", "1"), "-o", "pipe")
    assert program.stderr
    while "[1/1] ✓" not in (line := program.stderr.readline()):
        assert line
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(timeout=1)
    program.send_signal(signal.SIGTERM)
    _, errors = program.communicate(timeout=20)
    assert program.returncode == 130, errors
    assert "Cancelled by SIGTERM. Nobody read pipe to its end." in errors


@pytest.mark.parametrize("in_directory", [False, True])
def test_a_second_notebook_is_not_taken_for_the_result(
    sandbox_kernel: Run, notebook: Notebook, *, in_directory: bool
) -> None:
    """`run *.ipynb` replaces no notebook that a person wrote; -o does, and results are replaced freely."""
    source, other = notebook("a.ipynb", "1"), notebook("b.ipynb", "2")
    if in_directory:
        Path("out").mkdir()
        other = other.rename("out/a.ipynb")
    before, argument = other.read_bytes(), "out" if in_directory else "b.ipynb"
    done = sandbox_kernel("run", source, argument)
    assert done.returncode == 2
    assert "is not the result of a run. To run both" in done.stderr
    assert "To replace it, say -o" in done.stderr
    assert other.read_bytes() == before
    assert sandbox_kernel("run", source, "-o", argument).returncode == 0
    assert is_result(other)
    assert sandbox_kernel("run", source, argument).returncode == 0


def test_a_path_that_cannot_be_reached(sandbox_kernel: Run, notebook: Notebook) -> None:
    """It is named, with the system's reason; what a person has typed is no bug of ours."""
    for arguments in (["n" * 300 + ".ipynb"], [notebook("a.ipynb", "1"), "-o", "n" * 300 + "/x.ipynb"]):
        done = sandbox_kernel("run", *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "nnnn" in done.stderr
        assert "too long" in done.stderr


@pytest.mark.parametrize("inputs", ["a.ipynb", "-"])
@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("a.ipynb/", "a.ipynb/ is not a directory; make it first."),
        ("no/where/", "is not a directory; make it first."),
        ("results", "make the directory first, or write results.ipynb."),
        ("results/a", "make the directory first, or write results/a.ipynb."),
        ("a.txt", "make the directory first, or write a.txt.ipynb."),
    ],
)
def test_a_place_that_is_not_there(
    sandbox_kernel: Run, notebook: Notebook, inputs: str, output: str, words: str
) -> None:
    """What may have been meant as a directory is not to become a file, and the next result to replace it."""
    source = notebook("a.ipynb", "1")
    done = sandbox_kernel("run", inputs, "-o", output, input=source.read_text())
    assert done.returncode == 2
    assert words in done.stderr
    assert os.listdir() == ["a.ipynb"]


def test_a_new_folder(sandbox_kernel: Run, notebook: Notebook) -> None:
    """A name that ends in `/` says that it is a folder: it is made, and goes again if nothing was run."""
    source = notebook("a.ipynb", "1")
    refused = sandbox_kernel("run", source, "-o", "results/", "-k", "nonesuch")
    assert refused.returncode == 2
    nameless = sandbox_kernel("run", "-", "-o", "results/", input=source.read_text())
    assert (nameless.returncode, nameless.stderr.count("results/ is not a directory")) == (2, 1)
    assert os.listdir() == ["a.ipynb"]
    done = sandbox_kernel("run", source, "-o", "results/", "-q")
    assert done.returncode == 0, done.stderr
    assert os.listdir("results") == ["a.ipynb"]
    assert is_result(Path("results/a.ipynb"))


def test_a_new_folder_that_cells_have_replaced(tmp_path: Path) -> None:
    """What goes again is what was made, wherever a link in its place leads by then."""
    (tmp_path / "elsewhere" / "results").mkdir(parents=True)
    folder = tmp_path / "work" / "parent" / "results"
    folder.parent.mkdir()
    with made(folder):
        folder.parent.rename(tmp_path / "moved")
        folder.parent.symlink_to(tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere" / "results").is_dir()
    assert not (tmp_path / "moved" / "results").exists()


def test_a_new_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """The system's reason is told, and nothing stays open."""
    before = os.listdir("/proc/self/fd")
    with pytest.raises(NotebookError, match=r"cannot make .*: File exists\."), made(tmp_path):
        pass
    assert os.listdir("/proc/self/fd") == before


def test_names_of_notebooks(sandbox_kernel: Run, notebook: Notebook) -> None:
    """A new result may be called as notebooks are, and anything that is there already may take one."""
    source = notebook("a.ipynb", "1")
    Path("results").touch()
    for name in ("b.json", "results"):
        assert sandbox_kernel("run", source, "-o", name).returncode == 0
        assert is_result(Path(name))


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_a_notebook_is_a_file(sandbox_kernel: Run, kind: str) -> None:
    """What would be waited for, or has no end, is refused; who means it has standard input."""
    path = Path("x.ipynb")
    with socket.socket(socket.AF_UNIX) as made:
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "socket":
            made.bind(str(path))
        else:
            path.symlink_to("/dev/zero")
        done = sandbox_kernel("run", path)
    assert done.returncode == 2
    said = f"cannot read x.ipynb: it is a {kind}, not a file; say - and send it to standard input."
    assert done.stderr == f"sandbox-kernel: {said}\n"
