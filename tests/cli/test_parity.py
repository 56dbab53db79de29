"""The same notebook by papermill, `jupyter execute` and `sandbox-kernel run`; and the table that says so."""

import ast
import base64
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient.cli import nbclient_aliases, nbclient_flags
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "examples" / "guides" / "parity.md"
VALUES = {
    "true": "True", "no": "false", "none": "None", "whole": "7", "spaced": " 7 ", "long": "1_000",
    "fraction": "-0.5", "power": "1e3", "infinite": "inf", "nan": "nan", "hex": "0x1", "empty": "",
    "quotes": "it's \"so\" \\n \\", "lines": "a\nb\t{c}", "far": "grüße 🎉 \u202e", "date": "2026-01-02",
}  # fmt: skip
YAML = """
nested: {a: [1, 2.5, null, {b: yes}], d: {}}
keyed: {1: x, 2: y}
day: 2026-01-02
moment: 2026-01-02T03:04:05Z
text: |
  two
  lines
numbers: [1e3, 1.0e+3, .inf, -.inf, 0o7, 0x1F, 1_000]
overridden: yaml
"""
PACKED = base64.b64encode(b"overridden: base64\npacked: [1]\n").decode()
GIVEN = [
    *(word for name, value in VALUES.items() for word in ("-p", name, value)),
    *(
        "-r",
        "raw",
        "7",
        "-r",
        "whole",
        "raw wins",
        "-b",
        PACKED,
        "-y",
        YAML,
        "-y",
        "{second: 2, overridden: second}",
    ),
    *("-f", "parameters.yaml", "-p", "alpha", "0.5"),
]


def source() -> NotebookNode:
    cells = [
        new_markdown_cell("# Title"),
        new_code_cell("alpha = 0.1\nname = 'x'  # what it is called", metadata={"tags": ["parameters"]}),
        new_code_cell("import sys\nprint(alpha, name)\nprint('oops', file=sys.stderr)\nalpha * 2"),
        new_code_cell("never = 1", metadata={"tags": ["skip-execution"]}),
        new_code_cell("1 / 0"),
        new_code_cell("print('never')"),
    ]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": spec, "language_info": {"name": "python"}})


class Both:
    """Runs papermill and ourselves in one folder, with the same words."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        nbformat.write(source(), folder / "in.ipynb")
        (folder / "parameters.yaml").write_text("alpha: 9\noverridden: file\nfrom_file: [a, {b: c}]\n")

    def __call__(self, *arguments: str) -> dict[str, tuple[NotebookNode, Any]]:
        """Return, of each, the executed notebook and how it ended; WHO in a word is the program's name."""
        found = {}
        for name, command in {
            "papermill": ["papermill"],
            "sandbox-kernel": ["sandbox-kernel", "run"],
        }.items():
            written = [argument.replace("WHO", name) for argument in arguments]
            done = self.run(*command, "in.ipynb", *written)
            result = self.folder / written[0].replace("{alpha}", "0.5")
            found[name] = (nbformat.read(result, as_version=4), done)
        return found

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BIN / program, *arguments],
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    return Both(tmp_path_factory.mktemp("parity"))


@pytest.fixture(scope="module")
def prepared(both: Both) -> dict[str, tuple[NotebookNode, Any]]:
    return both("WHO-{alpha}.ipynb", "--prepare-only", "--report-mode", *GIVEN)


@pytest.fixture(scope="module")
def failed(both: Both) -> dict[str, tuple[NotebookNode, Any]]:
    files = ["--stdout-file", "WHO-out.txt", "--stderr-file", "WHO-err.txt"]
    return both("failed-WHO.ipynb", "-p", "alpha", "2", *files)


def tags(nb: NotebookNode) -> list[str]:
    return [",".join(cell.metadata.get("tags", [])) for cell in nb.cells]


def assigned(nb: NotebookNode) -> dict[str, Any]:
    [cell] = [cell for cell in nb.cells if "injected-parameters" in cell.metadata.get("tags", [])]
    names: dict[str, Any] = {}
    exec(cell.source, names)
    return {name: value for name, value in names.items() if name != "__builtins__"}


def same(first: object, second: object) -> bool:
    """Equal, in type as well; nan is the same as nan."""
    if isinstance(first, float) and math.isnan(first):
        return isinstance(second, float) and math.isnan(second)
    return type(first) is type(second) and first == second


def test_parameters_have_the_same_values(prepared: dict[str, tuple[NotebookNode, Any]]) -> None:
    """However a parameter is written, it has the same value and type; of those of one name the same wins."""
    theirs, ours = (assigned(prepared[name][0]) for name in ("papermill", "sandbox-kernel"))
    assert list(ours) == list(theirs)
    assert not [name for name in theirs if not same(theirs[name], ours[name])]
    assert (ours["overridden"], ours["whole"], ours["alpha"]) == ("second", "raw wins", 0.5)


def test_parameters_are_in_the_same_place(prepared: dict[str, tuple[NotebookNode, Any]]) -> None:
    """The cell with them is the same one, and in a report the same cells are hidden."""
    theirs, ours = (prepared[name][0] for name in ("papermill", "sandbox-kernel"))
    assert tags(ours) == tags(theirs)
    hidden = [[cell.metadata.get("jupyter") for cell in nb.cells] for nb in (theirs, ours)]
    assert hidden[0] == hidden[1]


def test_parameters_are_noted_alike(prepared: dict[str, tuple[NotebookNode, Any]]) -> None:
    """The metadata has the same parameters; those that JSON does not have are text with us."""
    theirs, ours = (dict(prepared[name][0].metadata.papermill) for name in ("papermill", "sandbox-kernel"))
    parameters, their_parameters = dict(ours.pop("parameters")), dict(theirs.pop("parameters"))
    odd = {name: parameters.pop(name) for name in ("infinite", "nan", "numbers")}
    assert (odd["infinite"], odd["nan"], odd["numbers"][2]) == ("inf", "nan", "inf")
    assert parameters == {name: value for name, value in their_parameters.items() if name not in odd}
    assert theirs.pop("version")
    assert theirs.pop("output_path") == "papermill-0.5.ipynb"
    assert ours.pop("output_path") == "sandbox-kernel-0.5.ipynb"
    assert ours == theirs


def test_unknown_parameters_are_warned_of(prepared: dict[str, tuple[NotebookNode, Any]]) -> None:
    """Both warn of each parameter that the notebook does not set."""
    theirs, ours = (prepared[name][1].stderr for name in ("papermill", "sandbox-kernel"))
    warned = set(re.findall(r"Passed unknown parameter: (\w+)", theirs))
    [sentence] = re.findall(r"does not set (.*); it sets alpha, name\.", ours)
    assert set(re.findall(r"'(\w+)'", sentence)) == warned
    assert "whole" in warned
    assert "alpha" not in warned


def test_names_of_results(both: Both, prepared: object) -> None:
    """A parameter in the result's name is filled in alike."""
    assert (both.folder / "papermill-0.5.ipynb").exists()
    assert (both.folder / "sandbox-kernel-0.5.ipynb").exists()


def test_a_cell_that_raises(failed: dict[str, tuple[NotebookNode, Any]]) -> None:
    """The exit code, what is saved and where it is marked are the same; nothing after the cell has run."""
    (theirs, them), (ours, us) = (failed[name] for name in ("papermill", "sandbox-kernel"))
    assert (us.returncode, them.returncode) == (1, 1)
    assert tags(ours) == tags(theirs)
    assert [cell.cell_type for cell in ours.cells] == [cell.cell_type for cell in theirs.cells]
    kinds = [[shown(output) for output in cell.get("outputs", [])] for cell in theirs.cells]
    assert [[shown(output) for output in cell.get("outputs", [])] for cell in ours.cells] == kinds
    assert [cell.get("execution_count") for cell in ours.cells] == [
        cell.get("execution_count") for cell in theirs.cells
    ]


def shown(output: NotebookNode) -> tuple[Any, ...]:
    text = output.get("data", {}).get("text/plain")
    return (
        output.output_type,
        output.get("name"),
        output.get("text"),
        text,
        output.get("ename"),
        output.get("evalue"),
    )


def test_metadata_of_a_run(failed: dict[str, tuple[NotebookNode, Any]]) -> None:
    """papermill's readers find the same keys, and the same status of each cell."""
    theirs, ours = (failed[name][0] for name in ("papermill", "sandbox-kernel"))
    assert ours.metadata.papermill.keys() == theirs.metadata.papermill.keys() - {"version"}
    assert ours.metadata.papermill.exception is theirs.metadata.papermill.exception is True
    notes = [[cell.metadata.get("papermill", {}) for cell in nb.cells] for nb in (theirs, ours)]
    assert [note.keys() for note in notes[0]] == [note.keys() for note in notes[1]]
    assert [note.get("status") for note in notes[0]] == [note.get("status") for note in notes[1]]
    moments = [nb.metadata.papermill.start_time for nb in (theirs, ours)]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00", moment) for moment in moments)


@pytest.mark.parametrize("who", ["papermill", "sandbox-kernel"])
def test_files_of_what_cells_print(both: Both, failed: object, who: str) -> None:
    """The files for standard output and error have the same text."""
    assert (both.folder / f"{who}-out.txt").read_text() == "2 x\n"
    assert (both.folder / f"{who}-err.txt").read_text() == "oops\n"


def test_a_second_run_of_the_result(both: Both, failed: object) -> None:
    """Each takes the other's failed result for a notebook: marks are removed, parameters replaced."""
    for first, second in (("papermill", ["sandbox-kernel", "run"]), ("sandbox-kernel", ["papermill"])):
        result = f"again-{first}.ipynb"
        done = both.run(*second, f"failed-{first}.ipynb", result, "--prepare-only", "-p", "alpha", "3")
        assert done.returncode == 0, done.stderr
        nb = nbformat.read(both.folder / result, as_version=4)
        assert tags(nb) == ["", "parameters", "injected-parameters", "", "skip-execution", "", ""]
        assert assigned(nb) == {"alpha": 3}


def test_parameters_shown(both: Both) -> None:
    """--help-notebook lists the same names and defaults; we also read the type off the default."""
    theirs, ours = (
        both.run(*program, "in.ipynb", "--help-notebook")
        for program in (["papermill"], ["sandbox-kernel", "run"])
    )
    assert (theirs.returncode, ours.returncode) == (0, 0)
    pattern = r"^  (\w+): .*\(default (.*?)\)"
    assert re.findall(pattern, ours.stdout, re.MULTILINE) == re.findall(pattern, theirs.stdout, re.MULTILINE)
    assert "what it is called" in ours.stdout
    assert "alpha: float" in ours.stdout


def test_jupyter_execute(both: Both) -> None:
    """`jupyter execute` and we leave the same outputs, also where errors are allowed, for the same words."""
    nb = source()
    nbformat.write(nb, both.folder / "plain.ipynb")
    words = ["plain.ipynb", "--allow-errors", "--kernel_name=python3", "--startup_timeout=50"]
    theirs = both.run("jupyter", "execute", *words, "--output={notebook_name}-theirs")
    ours = both.run("sandbox-kernel", "run", *words, "--output={notebook_name}-ours.ipynb")
    assert (theirs.returncode, ours.returncode) == (0, 0), ours.stderr
    found = [
        nbformat.read(both.folder / f"plain-{whose}.ipynb", as_version=4) for whose in ("theirs", "ours")
    ]
    # ipykernel has a clock for each stream: which of the two comes first is chance.
    outputs = [[sorted(map(shown, cell.get("outputs", [])), key=str) for cell in nb.cells] for nb in found]
    assert outputs[0] == outputs[1]
    assert outputs[0][5] == [("stream", "stdout", "never\n", None, None, None)]


ROW = re.compile(r"^\|(?!---| papermill )(.*)\|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> list[list[str]]:
    return [[cell.strip() for cell in row.split(" | ")] for row in ROW.findall(GUIDE.read_text())]


def functions(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_line_of_the_table_has_its_test() -> None:
    """Whatever the guide says is shown by a test that is there."""
    found = rows()
    assert len(found) > 40
    assert not [row for row in found if len(row) != 4 or not TEST.findall(row[3])]
    missing = [
        name for row in found for path, name in TEST.findall(row[3]) if name not in functions(ROOT / path)
    ]
    assert not missing


def test_the_table_has_every_option() -> None:
    """No option of papermill or `jupyter execute` is left out."""
    from papermill.cli import papermill

    told = " ".join(row[column] for row in rows() for column in (0, 1))
    theirs = {
        flag
        for option in papermill.params
        for flag in (*option.opts, *option.secondary_opts)
        if flag[0] == "-"
    }
    theirs |= {f"--{name}" for name in (*nbclient_aliases, *nbclient_flags)}
    assert not {flag for flag in theirs if f"`{flag}`" not in told}
