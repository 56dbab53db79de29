"""`sandbox-kernel bench`."""

import json
from pathlib import Path

import pytest

from sandbox_kernel.errors import SandboxError
from sandbox_kernel.host.engines.bubblewrap import BubblewrapEngine
from sandbox_kernel.policy import Policy
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--engine", "dcoker"), "dcoker"),
        (("--only", "speed"), "speed"),
        (("--rounds", "0"), "0"),
        (("--baseline", "nowhere.json"), "cannot read nowhere.json"),
        (("--baseline", "bad.json"), "bad.json is not a recorded run"),
        (("--record", "bad.json"), "bad.json is not a recorded run"),
        (("--json", "nowhere/x.json"), "there is no directory"),
    ],
)
def test_refusals(sandbox_kernel: Run, arguments: tuple[str, ...], sentence: str) -> None:
    """Bad input is refused in a sentence, before anything is measured."""
    Path("bad.json").write_text("no JSON")
    done = sandbox_kernel("bench", *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.timeout(300)
def test_record_and_compare(sandbox_kernel: Run) -> None:
    """A run is recorded; the next is compared with it, and fails where it is much worse."""
    try:
        BubblewrapEngine().check(Policy())
    except SandboxError as error:
        pytest.skip(f"engine bubblewrap: {error}")
    asked = ("bench", "--engine", "bubblewrap", "--only", "start", "--rounds", "1", "--quick")
    first = sandbox_kernel(*asked, "--record", "base.json", "--json", "-")
    assert first.returncode == 0, first.stderr
    document = json.loads(first.stdout)
    assert "start, same process" in first.stderr
    assert document == json.loads(Path("base.json").read_text())
    assert document["commands"] == [f"sandbox-kernel {' '.join(asked)}"]
    document["figures"]["start"]["of"]["bubblewrap"]["ratio"] = 0.001
    Path("fast.json").write_text(json.dumps(document))
    worse = sandbox_kernel(*asked, "--baseline", "fast.json")
    assert worse.returncode == 1
    assert "worse: start, same process, bubblewrap: was 0.00, now it is" in worse.stdout
