"""What is asked for becomes a plan: which runs, where each result goes, in which order."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox_kernel.batches import Entry, Plan, Wanted, make_plan
from sandbox_kernel.batches.folders import folders_for, make_folders
from sandbox_kernel.batches.naming import label, result_name, safe_name
from sandbox_kernel.batches.plan import in_turns
from sandbox_kernel.errors import NotebookError


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """a/x, a/deep/y, b/x and c, in the current directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("a/x", "a/deep/y", "b/x", "c"):
        path = tmp_path / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def plan(*inputs: str, **wanted: object) -> Plan:
    return make_plan(Wanted(inputs=inputs, **wanted))


def results(made: Plan) -> list[str]:
    return [os.path.relpath(job.output) for job in made.jobs]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (["c.ipynb", "a/x.ipynb"], ["OUT/c.ipynb", "OUT/a/x.ipynb"]),
        (["a"], ["OUT/x.ipynb", "OUT/deep/y.ipynb"]),
        (["a/", "b/"], ["OUT/a/x.ipynb", "OUT/a/deep/y.ipynb", "OUT/b/x.ipynb"]),
        (["a/x.ipynb", "b/x.ipynb"], ["OUT/a/x.ipynb", "OUT/b/x.ipynb"]),
        (["a/x.ipynb", "./a/x.ipynb", "a/../a/x.ipynb"], ["OUT/x.ipynb"]),
    ],
)
def test_results_mirror_their_notebooks(inputs: list[str], expected: list[str]) -> None:
    """From the folder on that all have in common; a notebook that is named twice runs once."""
    assert results(plan(*inputs, output=Path("OUT"))) == expected


def test_what_is_named_decides_where_results_go(tree: Path) -> None:
    """A folder without notebooks moves nobody's result: the next day it may hold some."""
    for name in ("b/x", "c"):
        (tree / f"{name}.ipynb").unlink()
    made = plan("a", "b", output=Path("OUT"))
    assert results(made) == ["OUT/a/x.ipynb", "OUT/a/deep/y.ipynb"]
    assert made.remarks == ("b holds no notebook to run.",)


def test_beside_their_notebooks() -> None:
    """Without a folder of results each has the name that a single run gives it."""
    assert results(plan("a", "c.ipynb")) == [
        "a/x-executed.ipynb",
        "a/deep/y-executed.ipynb",
        "c-executed.ipynb",
    ]


def test_sets_of_parameters() -> None:
    """Each set has a name of its own, those of the command line are in none, and both are given."""
    entries = [Entry(f"m.yaml, line {year}", "c.ipynb", {"year": year}) for year in (2023, 2024)]
    made = plan(entries=entries, manifest=Path("m.yaml"), parameters={"debug": True}, output=Path("OUT"))
    assert results(made) == ["OUT/c--year=2023.ipynb", "OUT/c--year=2024.ipynb"]
    assert [job.parameters for job in made.jobs] == [{"debug": True, "year": year} for year in (2023, 2024)]
    assert made.jobs[0].name == "c.ipynb [year=2023]"


def test_sets_for_all_that_is_named() -> None:
    """Sets that name no notebook are for every one that the command line names."""
    made = plan("a", entries=[Entry("", None, {"n": 1}), Entry("", None, {"n": 2})], output=Path("OUT"))
    assert results(made) == [
        "OUT/x--n=1.ipynb",
        "OUT/deep/y--n=1.ipynb",
        "OUT/x--n=2.ipynb",
        "OUT/deep/y--n=2.ipynb",
    ]


@pytest.mark.parametrize(
    ("output", "place"),
    [
        ("{year}/{notebook}-{region}.ipynb", "OUT/2023/c-north-sea.ipynb"),
        ("./x.ipynb", "OUT/x.ipynb"),
        ("{dots}.ipynb", "OUT/...ipynb"),
    ],
)
def test_places_that_a_manifest_names(output: str, place: str) -> None:
    """They are below the folder of results, whatever the parameters hold that are filled in."""
    parameters = {"year": 2023, "region": "north/../sea", "dots": ".."}
    parameters["region"] = "north/sea"
    made = plan(entries=[Entry("", "c.ipynb", parameters, output)], manifest=Path("m"), output=Path("OUT"))
    assert results(made) == [place]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (Entry("m.yaml, line 3", "missing.ipynb"), "m.yaml, line 3: cannot read missing.ipynb: No such file"),
        (Entry("line 3", "c\0.ipynb"), "no file can have this name"),
        (Entry("line 3", "c.ipynb", {}, "../c2.ipynb"), "../c2.ipynb is not below the folder of results"),
        (Entry("line 3", "c.ipynb", {"x": ".."}, "{x}/c2.ipynb"), "is not below the folder"),
        (Entry("line 3", "c.ipynb", {}, "/c2.ipynb"), "is not below the folder of results"),
        (Entry("line 3", "c.ipynb", {}, "c2.txt"), "let it end in .ipynb"),
        (Entry("line 3", "c.ipynb", {}, "{yaer}.ipynb"), "names {yaer}"),
        (Entry("line 3", "c.ipynb", {"debug": 1}), "line 3: the command line sets 'debug' as well"),
        (
            Entry("line 3", None),
            "read as a manifest, a list of runs, and no notebook is named: neither there",
        ),
        (Entry("line 3", "empty"), "there is no notebook to run"),
    ],
)
def test_refusals(entry: Entry, words: str) -> None:
    """An entry that cannot be run refuses the batch before it begins, with the line it stands in."""
    Path("empty").mkdir()
    with pytest.raises(NotebookError) as refusal:
        plan(entries=[entry], manifest=Path("m"), parameters={"debug": 0}, output=Path("OUT"))
    assert words in str(refusal.value)
    assert not Path("OUT").exists()


def test_one_place_for_two() -> None:
    """Two runs that would replace each other's result, or a notebook that is run, are refused."""
    twice = [Entry(f"m, line {line}", "c.ipynb", {"n": 1}) for line in (2, 7)]
    with pytest.raises(
        NotebookError, match=r"c.ipynb \[n=1\] \(m, line 2\) and c.ipynb \[n=1\] \(m, line 7\)"
    ):
        plan(entries=twice, manifest=Path("m"), output=Path("OUT"))
    with pytest.raises(NotebookError, match="would replace the notebook"):
        plan("a", "b", output=Path())
    with pytest.raises(NotebookError, match=r"m.yaml names its notebooks itself; leave a out"):
        plan("a", entries=[Entry("", "c.ipynb")], manifest=Path("m.yaml"))


def test_fair_order() -> None:
    """Folders take turns, in a folder its notebooks, whatever number of runs each has."""
    entries = [Entry("", name, {"n": n}) for name in ("a", "c.ipynb") for n in (1, 2, 3)]
    made = make_plan(Wanted(entries=entries, manifest=Path("m"), output=Path("OUT")))
    order = [f"{job.notebook.stem}{job.parameters['n']}" for job in in_turns(made.jobs)]
    assert order == ["x1", "c1", "y1", "c2", "x2", "c3", "y2", "x3", "y3"]


@pytest.mark.parametrize(
    ("parameters", "shown"),
    [
        ({}, ""),
        ({"year": 2023, "region": "north"}, "year=2023,region=north"),
        ({"x": True, "y": None, "z": 0.5, "w": -1}, "x=true,y=null,z=0.5,w=-1"),
        ({"r": "größe"}, "r=größe"),
    ],
)
def test_labels_that_say_all(parameters: dict, shown: str) -> None:
    """What can be read off a name stands in it and nothing else."""
    assert label(parameters) == shown


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"x": 1}, {"x": "1"}),
        ({"x": True}, {"x": "true"}),
        ({"x": None}, {"x": "null"}),
        ({"x": 1}, {"x": 1.0}),
        ({"x": "a/b"}, {"x": "a-b"}),
        ({"x": "a,y=b"}, {"x": "a", "y": "b"}),
        ({"x": "a" * 500}, {"x": "a" * 501}),
        ({"x": [1, 2]}, {"x": [1, 3]}),
        ({"x": float("nan")}, {"x": "NaN"}),
        ({"x": "\x1b[2J"}, {"x": "[2J"}),
        ({"x": ""}, {"x": "-"}),
    ],
)
def test_labels_that_differ(one: dict, other: dict) -> None:
    """Different parameters have different names, all of them short and harmless."""
    assert label(one) != label(other)
    for shown in (label(one), label(other)):
        assert len(shown) <= 140
        assert not set(shown) & set("/\0\x1b [")


def test_names_of_strangers() -> None:
    """Control characters, bytes that are no text, and length: none of it gets into a result's name."""
    bad = ["a\nb", "a\x1b[2Jb", os.fsdecode(b"a\xffb"), "a\u202eb", "x" * 250, "<script>" * 30, "é" * 120]
    names = [result_name(f"{name}.ipynb", "n=1") for name in bad]
    for name in names:
        assert name.isprintable()
        assert name.endswith(".ipynb")
        assert len(name.encode()) <= 240
    assert len({safe_name("a\nb"), safe_name("a\rb"), "a_b"}) == 3


def test_folders_are_made_and_not_followed(tree: Path) -> None:
    """The folder of results and those in it are made; a link that was left there is no folder of ours."""
    made = plan("a", "b", output=Path("OUT"))
    make_folders(made.jobs, made.output)
    assert sorted(os.path.relpath(path) for path in Path("OUT").glob("**/")) == [
        "OUT",
        "OUT/a",
        "OUT/a/deep",
        "OUT/b",
    ]
    Path("OUT/a/deep").rmdir()
    Path("OUT/a/deep").symlink_to(tree)
    with pytest.raises(NotebookError, match="OUT/a/deep: it is a link or a file"):
        make_folders(made.jobs, made.output)


@pytest.mark.parametrize("ran", [False, True])
def test_folders_go_again_where_nothing_ran(tree: Path, ran: bool) -> None:
    """A refusal leaves nothing, but what was there before or holds something; where code ran, all stays."""
    made = plan("a", "b", output=Path("OUT"))
    (tree / "a/x.ipynb").rename(tree / "before.ipynb")
    (tree / "OUT/b").mkdir(parents=True)
    with folders_for(made.jobs, made.output, lambda: ran, tree / "art"):
        (tree / "art").mkdir()
        (tree / "OUT/a/report.html").touch()
    left = sorted(os.path.relpath(path) for path in Path("OUT").rglob("*"))
    assert left == ["OUT/a", *["OUT/a/deep"] * ran, "OUT/a/report.html", "OUT/b"]
    assert Path("art").exists() is ran


def test_a_refusal_leaves_no_folder(tree: Path) -> None:
    """Neither one that was made and marked, nor a half of those that could not all be made."""
    made = plan("a", "b", output=Path("OUT"))
    with pytest.raises(NotebookError), folders_for(made.jobs, made.output, lambda: False):
        raise NotebookError("no")
    assert not Path("OUT").exists()
    long = [replace(made.jobs[0], output=tree / "OUT" / part / "x.ipynb") for part in ("a", "n" * 300)]
    with (
        pytest.raises(NotebookError, match="File name too long"),
        folders_for(long, made.output, lambda: False),
    ):
        pytest.fail("it was made")
    assert not Path("OUT").exists()
