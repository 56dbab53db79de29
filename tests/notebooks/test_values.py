"""A run as a value: what goes in is this run's alone, and what comes out says all that is known."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from sandbox_kernel.errors import NotebookError, PolicyError, SandboxError
from sandbox_kernel.notebooks import (
    DEFAULT_KERNEL,
    Outcome,
    Result,
    RunOptions,
    run_notebook,
    write_notebook,
)
from sandbox_kernel.notebooks.script import parse_script
from sandbox_kernel.notebooks.specs import settings_of
from sandbox_kernel.policy import Policy
from tests.notebooks.runs import PLAIN, Watcher, notebook, run, saved, text_of

MiB = 1 << 20


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.ipynb"


async def test_policies_side_by_side(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs at the same time in one process have each its own policy, and nothing of the process's."""
    monkeypatch.setenv("SANDBOX_KERNEL_MEMORY", "333m")
    policies: list[Any] = [
        {"memory": "300m"},
        Policy(memory=400 * MiB, pids=99),
        {"profile": "strict"},
        {},
        None,
    ]
    options = [RunOptions(directory=target.parent, policy=policy) for policy in policies]
    results = await asyncio.gather(*(run_notebook(notebook("1"), None, each) for each in options))
    granted = [result.provenance["policy"] for result in results]
    assert [policy["memory"] // MiB for policy in granted] == [300, 400, 256, 1024, 333]
    assert [policy["pids"] for policy in granted] == [256, 99, 100, 256, 256]


def spec(folder: Path, name: str, **stanza: object) -> None:
    place = folder / "kernels" / name
    place.mkdir(parents=True)
    content = {"argv": ["python"], "display_name": name, "language": "python"}
    metadata = {"kernel_provisioner": stanza}
    (place / "kernel.json").write_text(json.dumps({**content, "metadata": metadata}))


async def test_policies_that_cannot_be(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that is none, or that the kernel would not have, is refused; nothing runs."""
    spec(target.parent, "own", provisioner_name="sandbox-provisioner", config={"memory": "1g"})
    spec(target.parent, "outside", provisioner_name="local-provisioner")
    monkeypatch.setenv("JUPYTER_PATH", str(target.parent))
    refusals: list[tuple[str, dict[str, object], type[SandboxError], str]] = [
        (
            DEFAULT_KERNEL,
            {"memroy": "1g"},
            PolicyError,
            '"memroy" in the run\'s policy .* did you mean "memory"',
        ),
        (DEFAULT_KERNEL, {"memory": "lots"}, PolicyError, "'lots' is not a size"),
        ("own", {"memory": "2g"}, NotebookError, "has a policy of its own"),
        ("outside", {"memory": "2g"}, NotebookError, "outside any sandbox"),
    ]
    for kernel, policy, error, words in refusals:
        with pytest.raises(error, match=words):
            await run(notebook("1"), target, kernel=kernel, policy=policy)
    assert not target.exists()


def test_only_what_is_asked_for() -> None:
    """What of a policy is only its profile's is not asked for: an administrator's maximum lowers it."""
    policy = Policy.from_settings({"profile": "strict", "memory": "1g", "cell_timeout": "none"})
    settings = settings_of(policy)
    assert settings == {"profile": "strict", "memory": 1 << 30, "cell_timeout": "none"}
    assert Policy.from_settings(settings) == policy
    assert settings_of(Policy()) == {"profile": "default"}


async def test_a_policy_sandboxes_any_kernel(target: Path) -> None:
    """A kernel that would run without a wall is behind one where a run has a policy."""
    options: dict[str, Any] = {"kernel": PLAIN, "directory": target.parent, "policy": {"pids": 99}}
    result = await run(notebook("1"), target, **options)
    assert (result.outcome, result.provenance["policy"]["pids"]) == (Outcome.OK, 99)


async def test_what_a_result_says(target: Path) -> None:
    """A result has its cells, its cost, hashes and where it comes from, as JSON with units in the names."""
    nb = notebook("x = bytearray(100 << 20)", "", "1 / 0", "2")
    nb.cells[1].cell_type = "markdown"
    for name in ("outputs", "execution_count"):
        del nb.cells[1][name]
    given = json.dumps([[cell.cell_type, cell.source, []] for cell in nb.cells], separators=(",", ":"))
    result = await run(nb, target, kernel=DEFAULT_KERNEL, directory=target.parent, policy={})
    cells = [(cell.number, cell.index, cell.outcome) for cell in result.records]
    assert cells == [(1, 0, "ok"), (2, 2, "error")]
    assert result.input_sha256 == f"sha256:{hashlib.sha256(given.encode()).hexdigest()}"
    assert result.output_sha256 == f"sha256:{hashlib.sha256(target.read_bytes()).hexdigest()}"
    assert result.peak_memory is not None
    assert 100 * MiB < result.peak_memory < 500 * MiB
    assert result.cpu_seconds
    told = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert told["cells"][1] == {
        "number": 2,
        "index": 2,
        "outcome": "error",
        "duration_seconds": told["cells"][1]["duration_seconds"],
    }
    assert (told["cells_run"], told["cells_total"], told["exit_code"]) == (2, 3, 1)
    assert told["peak_memory_bytes"] == result.peak_memory
    assert told["provenance"]["policy_sha256"].startswith("sha256:")
    stored = saved(target).metadata.sandbox_kernel
    assert (stored.input_sha256, stored.provenance.engine) == (result.input_sha256, "bubblewrap")


SCRIPT = """# %% tags=["parameters"]
year = 2025
region = "north"

# %%
print(region, year)
"""


@pytest.mark.parametrize("kind", ["text", "script", "notebook file", "notebook"])
async def test_what_can_be_run(tmp_path: Path, kind: str) -> None:
    """Scripts and notebooks, as values and in files, are run alike; files stay as they are."""
    script, written = tmp_path / "a.py", tmp_path / "a.ipynb"
    script.write_text(SCRIPT)
    write_notebook(parse_script(SCRIPT), written)
    before = script.read_bytes(), written.read_bytes()
    sources: dict[str, Any] = {"text": SCRIPT, "script": script, "notebook file": written}
    source = sources.get(kind, parse_script(SCRIPT))
    options, warned = RunOptions(kernel=PLAIN), Watcher()
    result = await run_notebook(source, None, options, warned, parameters={"year": 2026, "regoin": "south"})
    assert [text_of(cell) for cell in result.notebook.cells] == ["", "", "north 2026\n"]
    assert ["'regoin'" in sentence for sentence in warned.warnings] == [True]
    assert (script.read_bytes(), written.read_bytes()) == before
    bare = await run_notebook(sources.get(kind, parse_script(SCRIPT)), options=options)
    assert text_of(bare.notebook.cells[-1]) == "north 2025\n"
    assert bare.input_sha256 != result.input_sha256


async def test_a_script_knows_its_file(tmp_path: Path) -> None:
    """A script finds what lies beside it, as Python has it do; a notebook has no such name."""
    script = tmp_path / "s 'é'.py"
    script.write_text(
        "import argparse, pathlib\n"
        "argparse.ArgumentParser().parse_args()\n"
        "print(pathlib.Path(__file__).with_name('data.txt').read_text())"
    )
    (tmp_path / "data.txt").write_text("beside")
    result = await run_notebook(script, None, RunOptions(kernel=PLAIN))
    assert text_of(result.notebook.cells[0]) == "beside\n"
    assert result.notebook.cells[0].execution_count == 1
    assert (await run(notebook("__file__"))).outcome is Outcome.ERROR


async def test_what_nobody_knows() -> None:
    """Without a wall nobody counts, and a result says that it does not know."""
    result: Result = await run(notebook("1"))
    assert (result.cpu_seconds, result.peak_memory, result.provenance) == (None, None, {})
    assert result.to_json()["peak_memory_bytes"] is None
