"""The notebooks of a folder, which may be a stranger's."""

import os
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_notebook

from sandbox_kernel.batches import Wanted, make_plan
from sandbox_kernel.batches.folders import make_folders
from sandbox_kernel.batches.remarks import MAX_REMARKS, Remarks
from sandbox_kernel.batches.search import search
from sandbox_kernel.errors import NotebookError


def touch(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def found(directory: str, **options: object) -> list[str]:
    return [str(path) for path in search(Path(directory), Remarks(), **options)]


def test_what_is_left_out() -> None:
    """Copies, hidden folders, environments, results and the folder of results: nothing of it is run."""
    touch(
        "d/a.ipynb", "d/sub/b.ipynb", "d/a-executed.ipynb", "d/a--n=1-executed.ipynb", "d/not-executed.ipynb"
    )
    touch("d/.ipynb_checkpoints/a.ipynb", "d/.hidden.ipynb", "d/env/pyvenv.cfg", "d/env/lib/c.ipynb")
    touch("d/OUT/a.ipynb", "d/notes.txt")
    nbformat.write(new_notebook(metadata={"sandbox_kernel": {}}), "d/moved-executed.ipynb")
    kept = ["d/a.ipynb", "d/not-executed.ipynb", "d/sub/b.ipynb"]
    assert found("d", without=Path("d/OUT").resolve()) == kept
    planned = make_plan(Wanted(inputs=["d"], output=Path("d/OUT")))
    assert [str(job.notebook) for job in planned.jobs] == kept


def test_results_of_earlier_batches() -> None:
    """A folder that a batch has made for results is searched where it is named, and nowhere else."""
    touch("d/a.ipynb")
    Path("d/there").mkdir()
    for output in ("d/out", "d/there"):
        planned = make_plan(Wanted(inputs=["d/a.ipynb"], output=Path(output)))
        make_folders(planned.jobs, planned.output)
        planned.jobs[0].output.touch()
    remarks = Remarks()
    assert [str(path) for path in search(Path("d"), remarks)] == ["d/a.ipynb", "d/there/a.ipynb"]
    assert remarks.told() == ("d/out is left out: it holds the results of an earlier batch.",)
    assert found("d/out") == ["d/out/a.ipynb"]


def test_what_is_no_file() -> None:
    """Links, pipes and folders with a notebook's name are left out, and told of."""
    touch("d/a.ipynb", "secret.ipynb")
    Path("d/link.ipynb").symlink_to("../secret.ipynb")
    Path("d/broken.ipynb").symlink_to("nowhere")
    Path("d/elsewhere").symlink_to("/")
    Path("d/folder.ipynb").mkdir()
    os.mkfifo("d/pipe.ipynb")
    remarks = Remarks()
    assert [str(path) for path in search(Path("d"), remarks)] == ["d/a.ipynb"]
    assert [remark.partition(" is left out: ")[0] for remark in remarks.told()] == [
        "d/broken.ipynb",
        "d/link.ipynb",
        "d/pipe.ipynb",
    ]


def test_names_of_any_kind() -> None:
    """Whatever bytes a name holds, the notebook is found, and its result has a name that can be shown."""
    names = [b"new\nline", b"\xff\xfe", b"\x1b]0;owned\x07", b"<img src=x>", b"n" * 240]
    os.mkdir("d")
    for name in names:
        Path("d", os.fsdecode(name + b".ipynb")).touch()
    planned = make_plan(Wanted(inputs=["d"], output=Path("OUT")))
    assert {os.fsencode(job.notebook.name) for job in planned.jobs} == {name + b".ipynb" for name in names}
    assert all(job.output.name.isprintable() for job in planned.jobs)
    assert len({job.output for job in planned.jobs}) == len(names)


def test_a_folder_that_cannot_be_read() -> None:
    """Nobody runs half of a folder without being told."""
    with pytest.raises(NotebookError, match="cannot look into d: No such file"):
        search(Path("d"), Remarks())


def test_folders_of_strangers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many links a folder holds, a screenful is said of them; no more notebooks are held than run."""
    touch(*(f"d/{number}.ipynb" for number in range(3)))
    for number in range(MAX_REMARKS + 7):
        Path(f"d/link{number:02}.ipynb").symlink_to("0.ipynb")
    planned = make_plan(Wanted(inputs=["d", "d"], output=Path("OUT")))
    assert len(planned.jobs) == 3
    assert len(planned.remarks) == MAX_REMARKS + 1
    assert planned.remarks[0].startswith("d/link00.ipynb is left out: it is a link")
    assert planned.remarks[-1].endswith("more that are left out, or hold nothing to run.")
    monkeypatch.setattr("sandbox_kernel.batches.search.MAX_JOBS", 2)
    with pytest.raises(NotebookError, match="d holds more than 2 notebooks, the most of one batch"):
        search(Path("d"), Remarks())
