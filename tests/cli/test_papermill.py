"""papermill's options of `sandbox-kernel run`; papermill itself is compared in `test_parity`."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import fsspec
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from sandbox_kernel.cli.app import run_command
from tests.cli.conftest import PROGRAM, Run

Notebook = Callable[..., Path]
DEFAULTS = "alpha = 0.1  # learning \x1b[2Jrate\nname = 'x'"


@pytest.fixture
def tagged() -> Path:
    """A notebook with parameters, in the current directory."""
    path = Path("in.ipynb")
    cells = [
        new_code_cell(DEFAULTS, metadata={"tags": ["parameters"]}),
        new_code_cell("import sys; print(alpha, name); print('oops', file=sys.stderr)"),
    ]
    nbformat.write(new_notebook(cells=cells), path)
    return path


def injected(path: str | Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    [source] = [cell.source for cell in cells if "injected-parameters" in cell.metadata.get("tags", [])]
    return str(source)


def test_a_run_with_parameters(sandbox_kernel: Run, tagged: Path) -> None:
    """Parameters reach the cells, the result's name and its metadata; what cells print goes to files."""
    arguments = [
        "-p",
        "alpha",
        "0.5",
        "-r",
        "name",
        "1",
        "--stdout-file",
        "out.txt",
        "--stderr-file",
        "err.txt",
    ]
    done = sandbox_kernel(
        "run", tagged, "out-{alpha}.ipynb", *arguments, "--report-mode", "--no-progress-bar"
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert (Path("out.txt").read_text(), Path("err.txt").read_text()) == ("0.5 1\n", "oops\n")
    nb = nbformat.read("out-0.5.ipynb", as_version=4)
    assert nb.metadata.papermill.parameters == {"alpha": 0.5, "name": "1"}
    assert (nb.metadata.papermill.input_path, nb.metadata.papermill.output_path) == (
        "in.ipynb",
        "out-0.5.ipynb",
    )
    assert all(cell.metadata.jupyter.source_hidden for cell in nb.cells)
    assert [cell.metadata.papermill.status for cell in nb.cells] == ["completed"] * 3
    assert nb.cells[2].metadata.papermill.start_time


def test_a_script(sandbox_kernel: Run) -> None:
    """A script is run as a notebook, its parameters cell included."""
    Path("job.py").write_text(
        '# %% tags=["parameters"]\nn = 1\n# %%\nif __name__ == "__main__":\n    print(n)\n'
    )
    done = sandbox_kernel("run", "job.py", "-p", "n", "2")
    assert done.returncode == 0, done.stderr
    nb = nbformat.read("job-executed.ipynb", as_version=4)
    assert [cell.source for cell in nb.cells][:2] == ["n = 1", "# Parameters\nn = 2\n"]
    assert nb.cells[2].outputs[0].text == "2\n"


def test_prepare_only(sandbox_kernel: Run, tagged: Path) -> None:
    """The notebook is saved with its parameters, and nothing is run; the next time replaces them."""
    done = sandbox_kernel("run", tagged, "--prepare-only", "-y", "{alpha: 1, name: [a, b]}")
    assert (done.returncode, done.stderr) == (0, "prepared, not run → in-prepared.ipynb\n")
    assert injected("in-prepared.ipynb") == "# Parameters\nalpha = 1\nname = ['a', 'b']\n"
    again = sandbox_kernel("run", "in-prepared.ipynb", "b.ipynb", "--prepare-only", "-p", "alpha", "2")
    assert again.returncode == 0
    assert injected("b.ipynb") == "# Parameters\nalpha = 2\n"
    assert sandbox_kernel("run", tagged, "b.ipynb", "--prepare-only").returncode == 0
    shown = sandbox_kernel("run", tagged, "-", "--prepare-only", "-p", "alpha", "3")
    assert nbformat.reads(shown.stdout, as_version=4).metadata.papermill.parameters == {"alpha": 3}


def test_addresses_of_files(sandbox_kernel: Run, tagged: Path) -> None:
    """Notebook, parameters and result may be written as addresses of files."""
    here = Path.cwd().as_uri()
    Path("p.yaml").write_text("alpha: 5")
    words = [f"{here}/in.ipynb", f"{here}/out-{{alpha}}.ipynb", "-f", f"{here}/p.yaml"]
    done = sandbox_kernel("run", *words, "--prepare-only")
    assert done.returncode == 0, done.stderr
    assert injected("out-5.ipynb") == "# Parameters\nalpha = 5\n"


def test_places_elsewhere(tagged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Notebook, script, parameters and result may be in a store; a folder there takes the notebook's name."""
    store = fsspec.filesystem("memory")
    store.pipe({"/in/a-1.ipynb": tagged.read_bytes(), "/in/job.py": b"n = 1", "/in/p.yaml": b"alpha: 8"})
    prepare = ["--prepare-only", "-f", "memory://in/p.yaml", "-p", "n", "1"]
    try:
        for notebook, output in (
            ("a-{n}.ipynb", "memory://out/"),
            ("job.py", "memory://out/"),
            ("job.py", "-"),
        ):
            assert run_command(["run", f"memory://in/{notebook}", output, *prepare]) == 0
        assert sorted(store.ls("/out", detail=False)) == ["/out/a-1.ipynb", "/out/job.ipynb"]
        cell = nbformat.reads(store.cat("/out/a-1.ipynb"), 4).cells[1]
        assert cell.source == "# Parameters\nalpha = 8\nn = 1\n"
    finally:
        store.store.clear()
    said = capsys.readouterr()
    assert "prepared, not run → memory://out/a-1.ipynb" in said.err
    assert nbformat.reads(said.out, 4).metadata.papermill.output_path == "-"


def test_paths_as_parameters(sandbox_kernel: Run, tagged: Path) -> None:
    """The notebook may be told where it is from and where it goes; parameters of these names win."""
    done = sandbox_kernel("run", tagged, "out.ipynb", "--prepare-only", "--inject-paths", "-p", "alpha", "1")
    assert done.returncode == 0
    assert injected("out.ipynb").splitlines()[1:] == [
        "PAPERMILL_INPUT_PATH = 'in.ipynb'",
        "PAPERMILL_OUTPUT_PATH = 'out.ipynb'",
        "alpha = 1",
    ]
    arguments = ["--inject-input-path", "-p", "PAPERMILL_INPUT_PATH", "x"]
    assert sandbox_kernel("run", tagged, "out.ipynb", "--prepare-only", *arguments).returncode == 0
    assert injected("out.ipynb").splitlines()[1:] == ["PAPERMILL_INPUT_PATH = 'x'"]


def test_help_notebook(sandbox_kernel: Run, notebook: Notebook, tagged: Path) -> None:
    """A notebook's parameters are shown, safe for a terminal; without a cell for them the code is 1."""
    shown = sandbox_kernel("run", tagged, "--help-notebook")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines() == [
        "Parameters of in.ipynb:",
        "  alpha: float (default 0.1)      learning ␛[2Jrate",
        "  name: str (default 'x')",
    ]
    none = sandbox_kernel("run", notebook("a.ipynb", "1").name, "--help-notebook")
    assert (none.returncode, none.stdout) == (1, "a.ipynb has no cell tagged 'parameters'.\n")
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["a.ipynb", "in.ipynb"]


def test_warnings(sandbox_kernel: Run, tagged: Path) -> None:
    """A name that the notebook does not set, and a secret, are warned of; a secret's value is not told."""
    arguments = ["--prepare-only", "-q", "-p", "alhpa", "1", "-p", "api_key", "hunter2"]
    done = sandbox_kernel("run", tagged, *arguments)
    assert done.returncode == 0
    assert (
        "warning: the notebook's parameters cell does not set 'alhpa', 'api_key'; it sets alpha, name."
        in done.stderr
    )
    assert "warning: api_key: parameters stand in the executed notebook for all to read" in done.stderr
    assert "--secret api_key" in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-p", "a b", "1"], "'a b' is no name that a parameter can have"),
        (["-p", "class", "1"], "'class' is no name that a parameter can have"),
        (["-p", "a"], "Option '-p' requires 2 arguments"),
        (["-y", "[1"], "-y cannot be read as YAML"),
        (["-f", "nonesuch.yaml"], "cannot read nonesuch.yaml: No such file"),
        (["-b", "="], "-b is not base64"),
        (["-o", "{nonesuch}.ipynb"], "{nonesuch}.ipynb asks for {nonesuch}, and no parameter has that name"),
        (
            ["-o", "{alpha}.ipynb", "-p", "a", "1"],
            "{alpha}.ipynb asks for {alpha}, and alpha is not given; add -p alpha VALUE.",
        ),
        (["-o", "{a.__class__}.ipynb", "-p", "a", "1"], "asks for {a.__class__}"),
        (["-o", "{a}.ipynb", "-p", "a", "../b"], "it leads elsewhere"),
        (["-l", "R"], "is written in R; name a kernel"),
        (
            ["-l", "R", "--prepare-only", "-p", "a", "1"],
            "parameters are written as Python, and in.ipynb is in R",
        ),
        (["--stdout-file", "nonesuch/x"], "cannot write nonesuch/x: No such file"),
        (["--engine", "nbclient"], "--engine says how the wall is built"),
        (
            ["--autosave-cell-every", "30"],
            "--autosave-cell-every is papermill's: a run is saved after every cell",
        ),
        (["--no-request-save-on-cell-execute"], "a run is saved after every cell; leave it out, or say"),
        (["--log-level", "DEBUG"], "say --log-output to see what cells print"),
        (["-o", "s3://bucket/x"], "write s3://bucket/x.ipynb"),
        (["-o", "nonesuch://x/a.ipynb"], "cannot reach nonesuch://x/a.ipynb: Protocol not known"),
        (["--execution-timeout", "soon"], "--cell-timeout: 'soon' is not a time"),
        (["--startup_timeout", "soon"], "--start-timeout: 'soon' is not a time"),
        (["--kernel_name", "nonesuch"], "no kernel named 'nonesuch'"),
    ],
)
def test_refusals(sandbox_kernel: Run, tagged: Path, arguments: list[str], words: str) -> None:
    """What cannot be done, or is done otherwise here, is one sentence; nothing runs, nothing is written."""
    done = sandbox_kernel("run", tagged, *arguments)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in Path.cwd().iterdir()] == ["in.ipynb"]


def test_a_script_is_not_replaced(sandbox_kernel: Run) -> None:
    """--inplace does not make a notebook of a script."""
    Path("a.py").write_text("1")
    done = sandbox_kernel("run", "a.py", "--inplace")
    assert (done.returncode, Path("a.py").read_text()) == (2, "1")
    assert "would replace a script" in done.stderr


def test_timeouts(sandbox_kernel: Run, notebook: Notebook) -> None:
    """papermill's name for a cell's deadline means ours."""
    source = notebook("a.ipynb", "print(1)", "import time; time.sleep(60)", "2")
    done = sandbox_kernel("run", source, "--execution-timeout", "1", "-q")
    assert done.returncode == 124, done.stderr
    cells = json.loads(Path("a-executed.ipynb").read_text())["cells"]
    assert [cell["metadata"]["papermill"]["status"] for cell in cells] == [
        "completed",
        "failed",
        "pending",
    ]


def test_results_of_papermill_are_replaced(sandbox_kernel: Run, notebook: Notebook, tagged: Path) -> None:
    """Somebody who changes over has papermill's results lying about: they are results."""
    other = notebook("out.ipynb", "1")
    nb = nbformat.read(other, as_version=4)
    nb.metadata["papermill"] = {"input_path": "in.ipynb"}
    nbformat.write(nb, other)
    assert sandbox_kernel("run", tagged, other, "--prepare-only").returncode == 0


def test_process_substitution(tagged: Path) -> None:
    """Parameters may come from a shell's <(…), so that they need no file."""
    command = f"'{PROGRAM}' run in.ipynb out.ipynb --prepare-only -f <(echo 'alpha: 7')"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert injected("out.ipynb").endswith("alpha = 7\n")
