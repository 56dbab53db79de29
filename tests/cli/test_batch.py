"""`sandbox-kernel run` with many notebooks, as a program, on the real sandbox."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import nbformat
import pytest

from sandbox_kernel.cli.app import run_command
from tests.cli.conftest import Run, on_terminal
from tests.leftovers import Census

Notebook = Callable[..., Path]
Started = Callable[..., subprocess.Popen[str]]
BUSY = "import time\ntime.sleep(600)"
FIGURE = """
import struct, zlib
from IPython.display import Image, display
def part(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
header = part(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
pixel = part(b"IDAT", zlib.compress(b"\\0\\0"))
display(Image(b"\\x89PNG\\r\\n\\x1a\\n" + header + pixel + part(b"IEND", b"")))
"""
ERROR = "raise ValueError('\\x1b]0;owned\\x07 <script>\\ud800')"


def printed(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", ()))


def statuses(report: str | Path = "r.json") -> dict[str, str]:
    runs = json.loads(Path(report).read_text())["runs"]
    return {run["notebook"] + (f" {run['label']}" if run["label"] else ""): run["status"] for run in runs}


def test_many(sandbox_kernel: Run, notebook: Notebook) -> None:
    """Folders and notebooks run in one command; each has its result, and the reports tell of all."""
    for folder in ("d/a", "d/b", "d/.hidden"):
        Path(folder).mkdir(parents=True)
    notebook("d/a/x.ipynb", "print('a')", FIGURE)
    notebook("d/b/x.ipynb", "print('b')", ERROR)
    notebook("d/.hidden/x.ipynb", ERROR)
    Path("d/b/none.ipynb").write_text("no notebook")
    os.mkfifo("d/pipe.ipynb")
    named = notebook(os.fsdecode(b"n\n\x1b[2J\xff<b>.ipynb"), "print('c')")
    Path("s.py").write_text("print(open(__file__).read())")
    reports = [f"--report={kind}=out/r.{kind}" for kind in ("html", "json", "junit")]
    done = sandbox_kernel(
        "run", "d", named.name, "s.py", "-o", "out", "--jobs", "2", *reports, errors="replace"
    )
    assert done.returncode == 1, done.stderr
    assert "d/pipe.ipynb is left out: it is no file." in done.stderr
    assert "5 runs in" in done.stderr
    assert "3 ok, 1 error, 1 refused" in done.stderr
    assert "html report → out/r.html\njson report → out/r.json\njunit report → out/r.junit\n" in done.stderr
    assert not set(done.stderr) & {"\x1b", "\x07", "\r"}
    assert done.stdout == ""
    assert [printed(Path(f"out/d/{name}/x.ipynb")) for name in "ab"] == ["a\n", "b\n"]
    assert printed(Path("out/s.ipynb")) == "print(open(__file__).read())\n"
    assert sorted(statuses("out/r.json").values()) == ["error", "ok", "ok", "ok", "refused"]
    [suite] = ET.parse("out/r.junit").getroot()
    assert (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["errors"]) == ("5", "1", "1")
    page = Path("out/r.html").read_text()
    assert page.count("data:image/png;base64,") == 1
    assert 'href="./d/a/x.ipynb"' in page
    assert "<script>" not in page


def test_parameters_and_a_terminal(notebook: Notebook) -> None:
    """Each set of a manifest makes a run with its own name and artifacts; a terminal shows what runs."""
    code = "import os\nopen(os.environ['SANDBOX_ARTIFACTS'] + '/f', 'w').write(str(x))\nprint(x, y)"
    notebook("a.ipynb", "x = 0\ny = 0", code)
    nb = nbformat.read("a.ipynb", as_version=4)
    nb.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(nb, "a.ipynb")
    Path("m.csv").write_text("notebook,x\na.ipynb,1\na.ipynb,two\n")
    sent = on_terminal("run", "m.csv", "-o", "out", "-p", "y", "5", "--artifacts", "art")
    assert "2/2" in sent
    assert "2 runs in" in sent
    assert "warning" not in sent
    assert printed(Path("out/a--x=1.ipynb")) == "1 5\n"
    assert printed(Path("out/a--x=two.ipynb")) == "two 5\n"
    assert [Path(f"art/a--x={x}/f").read_text() for x in ("1", "two")] == ["1", "two"]


def test_killed_and_resumed(
    sandbox_kernel: Run, started: Started, notebook: Notebook, no_leftovers: Census
) -> None:
    """kill -9 in the middle leaves nothing but finished results; what is not among them, --resume runs."""
    notebook("a.ipynb", "print(n)")
    Path("m.yaml").write_text(f"[{{notebook: a.ipynb, grid: {{n: {[*range(12)]}}}}}]")
    program = started("run", "m.yaml", "-o", "out", "--jobs", "3")
    assert program.stderr
    while "[ 4/12] ✓" not in (line := program.stderr.readline()):
        assert line
    program.kill()
    program.communicate()
    assert no_leftovers.settle(bury=True) == set()
    before = {path.name: path.read_bytes() for path in Path("out").glob("*.ipynb")}
    done = sandbox_kernel("run", "m.yaml", "-o", "out", "--jobs", "3", "--resume", "--report", "json=r.json")
    assert done.returncode == 0, done.stderr
    found = statuses()
    unchanged = [name for name, status in found.items() if status == "unchanged"]
    assert 4 <= len(unchanged) < 12
    assert set(found.values()) == {"ok", "unchanged"}
    assert f"{len(unchanged)} of 12 are done and unchanged." in done.stderr
    assert {printed(path) for path in Path("out").glob("*.ipynb")} == {f"{n}\n" for n in range(12)}
    for name in unchanged:
        result = f"a--{name.split()[1]}.ipynb"
        assert Path("out", result).read_bytes() == before[result]
    assert no_leftovers.settle(bury=True) == set()


@pytest.mark.parametrize("times", [1, 2])
def test_interrupted(started: Started, notebook: Notebook, no_leftovers: Census, times: int) -> None:
    """Ctrl-C keeps what is finished, cancels what runs, and writes the reports; a second one is quicker."""
    for name, code in (("a", "print('a')"), ("b", BUSY), ("c", BUSY), ("d", BUSY)):
        notebook(f"{name}.ipynb", code)
    names = [f"{name}.ipynb" for name in "abcd"]
    program = started("run", *names, "-o", "out", "--jobs", "2", "--report", "json=r.json")
    assert program.stderr
    while "[1/4] ✓" not in (line := program.stderr.readline()):
        assert line
    program.send_signal(signal.SIGINT)
    if times == 2:
        assert "Stopping" in program.stderr.readline()
        program.send_signal(signal.SIGINT)
    _, errors = program.communicate(timeout=30)
    assert program.returncode == 130, errors
    assert printed(Path("out/a.ipynb")) == "a\n"
    found = statuses()
    assert found["a.ipynb"] == "ok"
    assert found["b.ipynb"] == "cancelled"
    assert found["d.ipynb"] == "not run"
    assert "1 ok" in errors
    assert "stopped early: Cancelled by SIGINT." in errors
    assert no_leftovers.settle(bury=True) == set()


SECOND_TIME = """
import os, time
first = not os.path.exists('seen')
open('seen', 'w').close()
time.sleep(600 if first else 0)
print('done')
"""


def descendants(pid: int) -> Iterator[tuple[int, str]]:
    """Yield number and name of each process below that one; some may have gone meanwhile."""
    with contextlib.suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, children.read_text().split()):
                yield child, Path(f"/proc/{child}/comm").read_text().strip()
                yield from descendants(child)


def test_lost(sandbox_kernel: Run, started: Started, notebook: Notebook, no_leftovers: Census) -> None:
    """A notebook whose sandbox somebody else kills is run again, in another one."""
    notebook("a.ipynb", SECOND_TIME)
    program = started(
        "run", "a.ipynb", "-o", "out", "--jobs", "1", "--workspace", "rw", "--report", "json=r.json"
    )
    while not Path("seen").exists():
        assert program.poll() is None
        time.sleep(0.05)
    bwrap = next(pid for pid, name in descendants(program.pid) if name == "bwrap")
    os.kill(bwrap, signal.SIGKILL)
    _, errors = program.communicate(timeout=60)
    assert program.returncode == 0, errors
    assert "It is tried again in" in errors
    assert printed(Path("out/a.ipynb")) == "done\n"
    [run] = json.loads(Path("r.json").read_text())["runs"]
    assert (run["status"], run["attempts"]) == ("ok", 2)
    assert no_leftovers.settle(bury=True) == set()


PLANT = """
import os
os.rename('out/sub', 'out/moved')
os.symlink({victim!r}, 'out/sub')
os.remove('y.ipynb')
os.symlink({secret!r}, 'y.ipynb')
"""


def test_cells_that_plant_links(sandbox_kernel: Run, notebook: Notebook, tmp_path: Path) -> None:
    """With a workspace to write, one run's cells lead no other one astray."""
    victim, secret = tmp_path / "victim", tmp_path / "secret.ipynb"
    victim.mkdir()
    notebook("secret.ipynb", "'precious'").rename(secret)
    Path("sub").mkdir()
    notebook("a.ipynb", PLANT.format(victim=str(victim), secret=str(secret)))
    notebook("sub/x.ipynb", "1")
    notebook("y.ipynb", "2")
    options = ["-o", "out", "--jobs", "1", "--workspace", "rw", "--report", f"json={tmp_path / 'r.json'}"]
    done = sandbox_kernel("run", ".", "--resume", *options)
    assert done.returncode == 2, done.stderr
    assert f"--resume believes the results in {Path.cwd() / 'out'}, which the notebooks' code" in done.stderr
    assert statuses(tmp_path / "r.json") == {"a.ipynb": "ok", "sub/x.ipynb": "refused", "y.ipynb": "refused"}
    assert "y.ipynb: since the batch began, it has become a link." in done.stderr
    assert not list(victim.iterdir())
    assert "precious" not in "".join(path.read_text() for path in Path("out").rglob("*.ipynb"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.ipynb", "b.ipynb", "c.ipynb"], "cannot read b.ipynb: No such file"),
        (["a.ipynb", "a.ipynb", "-o", "r.ipynb"], "the results of many notebooks need a folder"),
        (["a.ipynb", "a.ipynb", "-o", "no/where"], "no is not a directory; make it first."),
        (["a.ipynb", "a.ipynb", "-o", "-"], "the results of many notebooks need a folder"),
        (["a.ipynb", "-", "-o", "out"], "- is no file of this machine"),
        (["a.ipynb", "s3://b/c.ipynb", "-o", "out"], "s3://b/c.ipynb is no file of this machine"),
        ([".", "--inplace"], "--inplace replaces one notebook"),
        ([".", "--log-output"], "--log-output shows one notebook"),
        ([".", "--prepare-only"], "--prepare-only prepares one notebook"),
        ([".", "--artifacts", "art"], "needs a folder of results; name one with -o."),
        ([".", "-o", "out", "--artifacts", "a.zip"], "those of many notebooks need a folder"),
        ([".", "--cwd", "nowhere"], "cannot start in nowhere"),
        ([".", "--report", "jsno=x"], "did you mean json=FILE?"),
        ([".", "--report", "html"], "write html=FILE or json=FILE or junit=FILE."),
        ([".", "--report", "html=a", "--report", "html=b"], "is there twice"),
        (
            [".", "-o", "out", "--artifacts", "art", "--report", "html=no/where"],
            "cannot write no/where: No such file",
        ),
        ([".", "-o", "out", "--artifacts", "no/art"], "cannot put artifacts into no/art"),
        ([".", "--report", "html=no/where"], "cannot write no/where: No such file"),
        ([".", "-k", "nonesuch"], "no kernel named 'nonesuch'"),
        ([".", "--jobs", "many"], "'many' is not a valid integer"),
        (
            ["--manifest", "m.yaml"],
            "m.yaml, line 1: 'rnus' is nothing that a manifest says; did you mean 'runs'?",
        ),
        (["--resume"], "Name notebooks, folders, or a --manifest."),
        (["empty"], "there is no notebook to run in empty."),
    ],
)
def test_refusals(
    notebook: Notebook, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """Wrong use is one sentence and exit code 2; nothing runs."""
    notebook("a.ipynb", "1")
    Path("empty").mkdir()
    Path("m.yaml").write_text("rnus: []")
    assert run_command(["run", *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.startswith("sandbox-kernel: ")
    assert not [*Path().rglob("*-executed.ipynb"), *Path().glob("out"), *Path().glob("art")]
