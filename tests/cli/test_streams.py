"""Standard input, output and error that are closed, full, or in an encoding of the last century."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox_kernel.cli.streams import Listener
from tests.cli.conftest import PROGRAM

Notebook = Callable[..., Path]
FULL = Path("/dev/full")


def test_who_does_not_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that takes no more, or that there is none of, is written to without a word."""
    with FULL.open("w", encoding="utf-8") as full:
        monkeypatch.setattr("sys.stderr", full)
        listener = Listener("stderr")
        for _ in range(2):
            assert listener.write("x") == 1
            listener.flush()
        full.write("what is left goes nowhere, and ends nobody")
    monkeypatch.setattr("sys.stdout", None)
    nobody = Listener("stdout")
    assert nobody.write("x") == 1
    nobody.flush()
    assert not nobody.isatty()
    with pytest.raises(OSError, match="fileno"):
        nobody.fileno()


def test_characters_that_an_encoding_has_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are spelled out; to stop a run for them would be worse."""
    with (tmp_path / "log").open("w", encoding="latin-1") as file:
        monkeypatch.setattr("sys.stdout", file)
        Listener("stdout").write("é€")
    assert (tmp_path / "log").read_bytes() == b"\xe9\\u20ac"


@pytest.mark.parametrize(
    ("redirection", "arguments", "said"),
    [
        (">&-", "a.ipynb -o -", "cannot write standard output: it is closed; name a file with -o."),
        ("<&-", "- -o b.ipynb", "cannot read standard input: it is closed."),
    ],
)
def test_closed(notebook: Notebook, redirection: str, arguments: str, said: str) -> None:
    """What is to be read or printed needs its stream: nothing runs."""
    notebook("a.ipynb", "1")
    line = f'"$0" run {arguments} {redirection}'
    shell = subprocess.run(
        ["sh", "-c", line, PROGRAM], stderr=subprocess.PIPE, text=True, check=False, timeout=60
    )
    assert (shell.returncode, shell.stderr.strip()) == (2, f"sandbox-kernel: {said}")


def test_a_result_in_utf_8(notebook: Notebook) -> None:
    """A notebook is printed as notebooks are, whatever the terminal's encoding is."""
    command = [PROGRAM, "run", "-q", notebook("a.ipynb", "print('é€')"), "-o", "-"]
    shown = subprocess.run(
        command,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout.decode())["cells"][0]["outputs"][0]["text"] == ["é€\n"]


def test_full_disks(notebook: Notebook, tmp_path: Path) -> None:
    """A log that takes no more ends no run; a result that cannot be printed is kept."""
    source = notebook("a.ipynb", "print('x')", "2")
    with FULL.open("w") as full:
        logged = subprocess.run(
            [PROGRAM, "run", "--log-output", source], stdout=full, stderr=full, check=False, timeout=120
        )
    assert logged.returncode == 0
    result = json.loads(Path("a-executed.ipynb").read_text(encoding="utf-8"))
    assert result["metadata"]["sandbox_kernel"]["outcome"] == "ok"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with FULL.open("w") as full:
        printed = subprocess.run(
            [PROGRAM, "run", "-q", source, "-o", "-"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=120, env=environment,
        )  # fmt: skip
    assert printed.returncode == 2
    [kept] = tmp_path.glob("sandbox-kernel-*.ipynb")
    assert printed.stderr.strip().endswith(
        f"cannot write standard output: No space left on device. The notebook is in {kept}."
    )
    assert json.loads(kept.read_text(encoding="utf-8"))["cells"][1]["execution_count"] == 2
