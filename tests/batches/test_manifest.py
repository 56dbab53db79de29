"""Manifests: what they say, and in which words the rest is refused."""

import tracemalloc
from pathlib import Path

import pytest

from sandbox_kernel.batches import Entry, read_manifest
from sandbox_kernel.batches.plan import MAX_JOBS
from sandbox_kernel.batches.refusals import MAX_VALUES, ManifestError, check_parameters
from sandbox_kernel.notebooks.parameters.reading import value_of

YAML = """
parameters: {currency: EUR, year: 2020}
timeout: 10m
runs:
  - plain.ipynb
  - notebook: report.ipynb
    parameters: {region: north}
    sets:
      - {year: 2023}
      - {year: 2024, draft: true, when: 2024-02-30, region: null}
    timeout: 90
  - notebook: model.ipynb
    grid: {depth: [2, 4], seed: [1]}
    output: "model/{depth}.ipynb"
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str | bytes, name: str = "m.yaml") -> list[Entry]:
    Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
    return read_manifest(Path(name), value_of)


def refusal(text: str | bytes, name: str = "m.yaml") -> str:
    with pytest.raises(ManifestError) as refused:
        read(text, name)
    return str(refused.value)


def test_yaml() -> None:
    """Runs get what is said for all, for theirs and in their set; the nearest word counts."""
    common = {"currency": "EUR", "year": 2020}
    north = {**common, "region": "north"}
    second = {**north, "year": 2024, "draft": True, "when": "2024-02-30", "region": None}
    assert read(YAML) == [
        Entry("m.yaml, line 5", "plain.ipynb", common, None, 600),
        Entry("m.yaml, line 9", "report.ipynb", {**north, "year": 2023}, None, 90),
        Entry("m.yaml, line 10", "report.ipynb", second, None, 90),
        Entry(
            "m.yaml, line 12", "model.ipynb", {**common, "depth": 2, "seed": 1}, "model/{depth}.ipynb", 600
        ),
        Entry(
            "m.yaml, line 12", "model.ipynb", {**common, "depth": 4, "seed": 1}, "model/{depth}.ipynb", 600
        ),
    ]


def test_a_list_and_anchors() -> None:
    """A manifest may be the list alone; what is written once and merged counts as written."""
    entries = read(
        "- &a {notebook: a.ipynb, parameters: &p {x: 1}}\n"
        "- &b {<<: *a, parameters: &q {<<: *p, x: 2, y: 3}}\n"
        "- {<<: *b, parameters: {<<: *q, y: 4}}\n"
    )
    assert [(entry.notebook, entry.parameters) for entry in entries] == [
        ("a.ipynb", {"x": 1}),
        ("a.ipynb", {"x": 2, "y": 3}),
        ("a.ipynb", {"x": 2, "y": 4}),
    ]


def test_csv() -> None:
    """A line is a run; values are what they look like, and an empty cell is the notebook's own value."""
    text = "\ufeffnotebook, year,region,rate,timeout\na.ipynb,2023,north,0.5,5m\n\nb.ipynb,,007x,,\n"
    assert read(text, "m.csv") == [
        Entry("m.csv, line 2", "a.ipynb", {"year": 2023, "region": "north", "rate": 0.5}, None, 300),
        Entry("m.csv, line 4", "b.ipynb", {"region": "007x"}),
    ]
    assert read("year\n1\n2\n", "sets.csv")[1] == Entry("sets.csv, line 3", None, {"year": 2})


LAUGHS = "- notebook: a\n  parameters:\n    a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"    a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "- {notebook: a, paramters: {x: 1}}",
            "line 1: 'paramters' is nothing that a manifest says; did you mean 'param",
        ),
        ("runs: []\nrnus: []", "line 2: 'rnus' is nothing that a manifest says; did you mean 'runs'?"),
        (
            "- notebook: a\n  zzz: 1",
            "line 2: 'zzz' is nothing that a manifest says; there are: notebook, parameters",
        ),
        ("parameters: {x: 1}", "line 1: there is no list 'runs'."),
        ("runs: {a: 1}", "line 1: 'runs' is no list; begin each of its lines with a dash."),
        ("- notebook: a\n- 3", "line 2: the notebook is no text"),
        ("- notebook: [a]", "line 1: the notebook is no text"),
        ("- notebook: a\n  notebook: b", "line 2: 'notebook' is there twice."),
        ("- notebook: a\n  parameters: {x: 1, y: {z: 1, z: 2}}", "line 2: 'z' is there twice."),
        ("- {notebook: a, parameters: [x]}", "line 1: parameters are written `name: value`"),
        (
            "- {notebook: a, parameters: {no-name: 1}}",
            "line 1: 'no-name' is not a name that a variable can have.",
        ),
        ("- {notebook: a, parameters: {1: 1}}", "line 1: 1 is not a name that a variable can have."),
        (
            "- {notebook: a, parameters: {x: !!binary aGk=}}",
            "is bytes, which no parameter is; put it in quotes.",
        ),
        ("- {notebook: a, parameters: {x: {1: 2}}}", "line 1: the key 1 is no text; write it in quotes."),
        ("- {notebook: a, parameters: &x {y: *x}}", "line 1: "),
        pytest.param(LAUGHS, f"line 3: the parameters hold more than {MAX_VALUES} values", id="laughs"),
        ("- {notebook: a, parameters: {x: " + "[" * 60 + "]" * 60 + "}}", "nested more than 50 levels"),
        ("- {notebook: a, parameters: {x: " + "[" * 900 + "]" * 900 + "}}", "m.yaml is no YAML"),
        ("- {notebook: a, grid: {x: 1}}", "line 1: 'x' in a grid is no list of values."),
        ("- {notebook: a, grid: {x: []}}", "line 1: 'x' in a grid is no list of values."),
        (f"- {{notebook: a, grid: {{x: &x {[*range(200)]}, y: *x}}}}", "this grid has 40000 combinations"),
        pytest.param(
            f"- &g {{notebook: a, grid: {{x: {[*range(9_000)]}}}}}\n- *g\n- *g",
            f"line 1: {MAX_JOBS} runs are the most of one batch: split it.",
            id="grids",
        ),
        pytest.param(
            f"parameters: {{x: {'x' * (1 << 20)}}}\nruns:" + "\n- a" * 100,
            "line 66: the parameters of all runs up to here are longer than 64 MiB",
            id="texts",
        ),
        ("- {notebook: a, grid: {x: [1]}, sets: [{}]}", "line 1: a run has 'sets' or a 'grid', not both"),
        ("- {notebook: a, timeout: soon}", "line 1: timeout: 'soon' is not a time"),
        ("- {notebook: a, timeout: -1}", "line 1: timeout: -1 is too small"),
        ("- [a\n- b", "m.yaml, line 2: "),
        pytest.param(
            "- {notebook: a, parameters: {x: !!python/object/apply:os.system [x]}}",
            "line 1: could not determine a constructor",
            id="tags",
        ),
        ("", "m.yaml asks for no run."),
        ("[]", "m.yaml asks for no run."),
        ("3", "'runs' is no list"),
        (b"- a\n- \xff", "line 2: this is not UTF-8 text"),
        ("- a\n- \x07", "m.yaml is no YAML: "),
    ],
)
def test_yaml_refusals(text: str | bytes, words: str) -> None:
    """One sentence: which file, which line, what is wrong; nothing is guessed, and nothing is endless."""
    said = refusal(text)
    assert words in said
    assert said.startswith("m.yaml")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("notebok,x\na,1\n", "line 1: there is no column 'notebook'; did you mean it by 'notebok'?"),
        ("notebook,x,x\na,1,2\n", "line 1: the column 'x' is there twice."),
        ("notebook,my year\na,1\n", "line 1: 'my year' is not a name that a variable can have."),
        ("notebook,x\na,1,2\n", "line 2: 3 cells, but the first line names 2 columns."),
        ("notebook,x\n,1\n", "line 2: no notebook is named."),
        ('notebook,x\na,"1\n', "line 2: this is no CSV"),
        ("notebook,timeout\na,soon\n", "line 2: timeout: 'soon' is not a time"),
        ("notebook\n", "m.csv asks for no run."),
    ],
)
def test_csv_refusals(text: str, words: str) -> None:
    """The same for lines of a table."""
    assert words in refusal(text, "m.csv")


def test_a_list_that_is_there_many_times() -> None:
    """What references make of a few lines is never there as a whole."""
    parameters: dict[object, object] = {"x": [[1] * 9_000] * 900}
    tracemalloc.start()
    try:
        with pytest.raises(ManifestError, match="more than 10000 values"):
            check_parameters(parameters, "m.yaml")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_files_that_are_none() -> None:
    """A manifest that is not there, or is a folder, is named with the system's reason."""
    for name, reason in (("missing.yaml", "No such file"), (".", "Is a directory")):
        with pytest.raises(ManifestError, match=f"cannot read {name}: {reason}"):
            read_manifest(Path(name), value_of)
