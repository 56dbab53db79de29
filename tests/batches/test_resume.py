"""What an earlier batch has done is found again, and nothing else is taken for it."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from sandbox_kernel.batches import Job
from sandbox_kernel.batches.fingerprint import Fingerprint
from sandbox_kernel.batches.naming import digest
from sandbox_kernel.batches.resume import still_good, within_reach
from sandbox_kernel.batches.sources import read_content
from sandbox_kernel.errors import NotebookError
from sandbox_kernel.policy import Policy

CONDITIONS = {"kernel": "sandboxed-python", "policy": {"memory": 1}, "allow_errors": False}


@pytest.fixture
def done(tmp_path: Path) -> Job:
    """A job whose result is there, as a run leaves it."""
    notebook, output = tmp_path / "a.ipynb", tmp_path / "out" / "a.ipynb"
    output.parent.mkdir()
    nbformat.write(new_notebook(cells=[new_code_cell("1")]), notebook)
    job = Job(
        notebook=notebook, real=notebook, output=output, directory=tmp_path, parameters={"x": [1, {"y": 2}]}
    )
    save(job)
    return job


def save(job: Job, outcome: object = "ok", **noted: object) -> None:
    nb = new_notebook()
    Fingerprint.of(job, digest(read_content(job)), CONDITIONS).note(nb.metadata)
    nb.metadata["sandbox_kernel_batch"].update(noted)
    nb.metadata["sandbox_kernel"] = {"outcome": outcome, "cells": 1, "cells_run": 1, "duration": 2.5}
    nb.metadata["sandbox_kernel"]["started"] = "2026-11-26T07:00:00.000+00:00"
    nbformat.write(nb, job.output)


def found(job: Job, **conditions: object) -> list[str]:
    return [str(record.status) for record in still_good([job], CONDITIONS | conditions)]


def test_unchanged(done: Job) -> None:
    """A result that ended well, and was made of all the same, need not be made again."""
    [record] = still_good([done], CONDITIONS)
    assert (str(record.status), record.cells, record.duration) == ("unchanged", 1, 2.5)
    assert record.started is not None
    assert record.good


def change_notebook(job: Job) -> None:
    nbformat.write(new_notebook(cells=[new_code_cell("2")]), job.notebook)


def plant_link(job: Job) -> None:
    job.output.rename(job.output.with_name("elsewhere"))
    job.output.symlink_to("elsewhere")


def plant_folder(job: Job) -> None:
    job.output.parent.rename(job.output.parent.with_name("elsewhere"))
    job.output.parent.symlink_to("elsewhere")


def plant_pipe(job: Job) -> None:
    job.output.unlink()
    os.mkfifo(job.output)


@pytest.mark.parametrize(
    "change",
    [
        change_notebook,
        plant_link,
        plant_folder,
        plant_pipe,
        lambda job: job.parameters["x"].append(3),
        lambda job: job.output.unlink(),
        lambda job: job.notebook.unlink(),
        lambda job: job.output.write_bytes(job.output.read_bytes()[:-5]),
        lambda job: save(job, "error"),
        lambda job: save(job, "running"),
        lambda job: save(job, ["ok"]),
        lambda job: save(job, notebook=None),
        lambda job: nbformat.write(new_notebook(metadata={"sandbox_kernel": {"outcome": "ok"}}), job.output),
        lambda job: nbformat.write(new_notebook(metadata={"sandbox_kernel": "ok"}), job.output),
    ],
)
def test_changed(done: Job, change: Callable[[Job], object]) -> None:
    """Anything else is run: what has changed, what did not end, what somebody else has left there."""
    assert found(done) == ["unchanged"]
    change(done)
    assert found(done) == []


@pytest.mark.parametrize(
    "conditions", [{"kernel": "python3"}, {"policy": {"memory": 2}}, {"allow_errors": True}]
)
def test_other_conditions(done: Job, conditions: dict[str, object]) -> None:
    """Another kernel, policy, or treatment of errors makes another result."""
    assert found(done, **conditions) == []


def test_another_folder(done: Job, tmp_path: Path) -> None:
    """The same notebook in another folder reads other files, though its result goes to the same place."""
    other = tmp_path / "other"
    other.mkdir()
    assert found(replace(done, directory=other)) == []


def test_parameters_with_keys_of_many_kinds(done: Job) -> None:
    """YAML has keys that are no texts; they are compared as they are written into the notebook."""
    odd = replace(done, parameters={"x": {1: "a", "b": None, None: 2}})
    save(odd)
    assert found(odd) == ["unchanged"]


def test_numbers_that_are_none(done: Job) -> None:
    """Whatever stands where a result's numbers should be, resuming goes on."""
    nb: Any = nbformat.read(done.output, as_version=4)
    nb.metadata["sandbox_kernel"].update(cells="x", cells_run=None, duration=[], started={})
    nbformat.write(nb, done.output)
    [record] = still_good([done], CONDITIONS)
    assert (record.cells, record.cells_run, record.duration, record.started) == (0, 0, 0.0, None)


@pytest.fixture
def planted(done: Job) -> Job:
    """The notebook's place holds a link to another one, since the batch was planned."""
    secret = done.notebook.with_name("secret.ipynb")
    done.notebook.rename(secret)
    done.notebook.symlink_to(secret)
    return done


def test_a_notebook_that_has_become_a_link(planted: Job) -> None:
    """It is not read: a cell of another run may have put it there."""
    with pytest.raises(NotebookError, match="since the batch began, it has become a link"):
        read_content(planted)


def test_a_folder_that_has_become_a_link(done: Job, tmp_path: Path) -> None:
    """The same for the folder that it is in."""
    inner = tmp_path / "inner"
    inner.mkdir()
    moved = Job(notebook=inner / "a.ipynb", real=inner / "a.ipynb", output=done.output, directory=inner)
    inner.rmdir()
    inner.symlink_to(tmp_path)
    with pytest.raises(NotebookError, match="has become a link"):
        read_content(moved)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, False),
        ({"workspace": "rw"}, True),
        ({"workspace": "none", "mounts": ["{}:rw"]}, True),
        ({"mounts": ["{}/out:rw"]}, True),
        ({"mounts": ["{}:ro", "{}/elsewhere:rw"]}, False),
    ],
)
def test_results_that_code_could_write(done: Job, settings: dict[str, Any], found: bool) -> None:
    """Results lie within the reach of cells where a folder above them is theirs to write."""
    mounts = [mount.format(done.directory) for mount in settings.get("mounts", ())]
    policy = Policy.from_settings(settings | {"mounts": mounts})
    assert within_reach([done], policy) == (done.output.parent if found else None)
