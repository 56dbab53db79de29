"""`sandbox-kernel audit`, provenance, and that a secret is in nothing that is left of a run."""

import json
from pathlib import Path

import nbformat
import pytest

from sandbox_kernel.cli.app import run_command
from sandbox_kernel.host.audit import AuditLog
from sandbox_kernel.host.audit.records import code_digest

CANARY = "canary-0123456789abcdef"
OTHER = "canary-fedcba9876543210"
SHOWING = """
import os
print(os.environ["VARIABLE"], open(os.environ["SANDBOX_SECRETS"] + "/FILE").read())
raise RuntimeError(os.environ["VARIABLE"])
"""


@pytest.fixture
def state(tmp_path, monkeypatch) -> Path:
    """A directory of our own for what is written down; the log in it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "sandbox-kernel" / "audit.jsonl"


def test_a_run_leaves_its_provenance_and_no_secret(
    sandbox_kernel, notebook, state, tmp_path, monkeypatch
) -> None:
    """Notebook and log say where results are from, in the same words; neither has a secret."""
    token = tmp_path / "token"
    token.write_text(f"{OTHER}\n")
    monkeypatch.setenv("VARIABLE", CANARY)
    path = notebook("a.ipynb", "6 * 7", SHOWING)
    secrets = ("--secret", "VARIABLE:env", "--secret", f"FILE=file:{token}")
    done = sandbox_kernel("run", path, "--log-output", "--engine", "bubblewrap", *secrets)
    assert done.returncode == 1, done.stderr
    saved = Path("a-executed.ipynb").read_text()
    log = state.read_text()
    for left in (saved, log, done.stdout, done.stderr):
        assert "canary" not in left
    assert "[secret VARIABLE] [secret FILE]" in saved
    told = nbformat.reads(saved, 4)
    provenance = told.metadata["sandbox_kernel"]["provenance"]
    first, one, two, last = (json.loads(line) for line in log.splitlines() if line)
    shared = provenance.keys() & first.keys()
    assert {"session", "engine", "environment", "policy", "policy_sha256", "version"} <= shared
    assert {name: provenance[name] for name in shared} == {name: first[name] for name in shared}
    assert provenance["policy"]["secrets"] == ["VARIABLE:env", f"FILE=file:{token}"]
    digests = [
        cell.metadata["sandbox_kernel"]["code_sha256"] for cell in told.cells if cell.cell_type == "code"
    ]
    assert digests == [one["code_sha256"], two["code_sha256"]]
    assert (one["outcome"], two["outcome"], last["cause"]) == ("ok", "error", "shutdown")
    assert provenance["cpu_seconds"] > 0
    assert not {"user", "host", "directory"} & provenance.keys()


def test_a_kernelspec_names_a_secret(sandbox_kernel, tmp_path, monkeypatch) -> None:
    """`install` writes down names and sources, never a value."""
    monkeypatch.setenv("VARIABLE", CANARY)
    done = sandbox_kernel("install", "--name", "boxed", "--secret", "VARIABLE", "--secret", "FILE=file:token")
    assert done.returncode == 0, done.stderr
    text = next(tmp_path.rglob("kernel.json")).read_text()
    assert "canary" not in text
    config = json.loads(text)["metadata"]["kernel_provisioner"]["config"]
    assert config["secrets"] == ["VARIABLE", f"FILE=file:{Path.cwd()}/token"]


def test_a_secret_that_is_not_there(sandbox_kernel, notebook, state) -> None:
    """Nothing runs without a secret that was asked for; the sentence says what to do."""
    done = sandbox_kernel("run", notebook("a.ipynb", "1"), "--engine", "bubblewrap", "--secret", "ABSENT")
    assert done.returncode == 2
    assert "ABSENT" in done.stderr
    assert not Path("a-executed.ipynb").exists()


def record(number: int, **changes: object) -> bytes:
    fields = {
        "v": 1,
        "time": f"2026-01-01T00:00:{number:02}.000Z",
        "event": "cell",
        "session": "0123456789abcdef",
        "cell": number,
        "outcome": "ok",
        "code_sha256": "sha256:" + "ab" * 32,
        "duration": 0.25,
        "output_bytes": 2048,
    }
    return json.dumps({**fields, **changes}).encode() + b"\n"


def test_showing_the_log(sandbox_kernel, state) -> None:
    """The last records, oldest first, for people or for programs; what is no record is left out."""
    log = AuditLog(state, 1 << 20)
    for number in range(30):
        log.append(record(number))
    log.append(b"cut short\n")
    shown = sandbox_kernel("audit").stdout.splitlines()
    assert len(shown) == 20
    assert (
        shown[-1] == "2026-01-01 00:00:29  0123456789abcdef  cell 29 ok after 0.25 s, 2 KiB out, abababababab"
    )
    told = [json.loads(line) for line in sandbox_kernel("audit", "--json", "-n", "all").stdout.splitlines()]
    assert [entry["cell"] for entry in told] == list(range(30))


@pytest.mark.parametrize(
    ("cause", "reason", "shown"),
    [
        ("shutdown", "Its owner has ended it.", "shut down, as it was asked to be (2 cells)"),
        ("memory", "Killed: used 64 MiB.", "ended: memory. Killed: used 64 MiB. (2 cells)"),
    ],
)
def test_ends(state: Path, capsys: pytest.CaptureFixture[str], cause: str, reason: str, shown: str) -> None:
    """A session that was ended by who used it is not said to be killed."""
    end = {"cause": cause, "reason": reason, "cells": 2, "cpu_seconds": None, "memory_bytes": None}
    AuditLog(state, 1 << 20).append(json.dumps({"event": "session_end", **end}).encode() + b"\n")
    assert run_command(["audit"]) == 0
    assert capsys.readouterr().out.endswith(f"  {shown}\n")


def test_what_has_no_code(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A value that crosses is a request with nothing to run, and is told as one: no hash of nothing."""
    log = AuditLog(state, 1 << 20)
    log.append(record(1, code_sha256=code_digest("")))
    end = {"cause": "shutdown", "reason": "", "cells": 1, "cpu_seconds": None, "memory_bytes": None}
    log.append(json.dumps({"event": "session_end", **end}).encode() + b"\n")
    assert run_command(["audit"]) == 0
    crossed, ended = capsys.readouterr().out.splitlines()
    assert crossed.endswith(", no code: a file or value on its way in or out, or a program's question")
    assert ended.endswith("(1 cell)")


def test_a_log_is_no_terminal(sandbox_kernel, state) -> None:
    """Whatever stands in a log, of another version even, the terminal is not made to obey it."""
    log = AuditLog(state, 1 << 20)
    log.append(record(1, outcome="\x1b]0;x\x07", session="\x1b[2J"))
    log.append(b'{"v":9,"event":"cell"}\n[]\n7\n')
    shown = sandbox_kernel("audit")
    assert shown.returncode == 0
    assert "\x1b" not in shown.stdout
    assert len(shown.stdout.splitlines()) == 2


def test_an_empty_log(sandbox_kernel, state) -> None:
    """Nothing there is nothing wrong; a wrong number is."""
    done = sandbox_kernel("audit")
    assert (done.returncode, done.stdout) == (0, "")
    assert str(state) in done.stderr
    assert sandbox_kernel("audit", "-n", "-1").returncode == 2


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nosuch", "--log names nosuch, and there is no such file."),
        ("a/b/c", "--log names a/b/c, and there is no such file."),
        (".", "--log names ., a directory; name the log in it."),
        ("x" * 300, "File name too long."),
    ],
)
def test_a_log_that_is_not_there(
    own_place: None, capsys: pytest.CaptureFixture[str], name: str, complaint: str
) -> None:
    """A log that somebody names is there, or a sentence says that it is not."""
    assert run_command(["audit", "--log", name]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert "Traceback" not in said


def test_following(started, state) -> None:
    """What is written meanwhile is shown, also when the file is turned over."""
    log = AuditLog(state, 3000)
    log.append(record(0))
    program = started("audit", "--follow", "--json")
    for number in range(12):
        assert json.loads(program.stdout.readline())["cell"] == number
        log.append(record(number + 1))
    assert len(log.files()) > 1


def test_a_required_log(sandbox_kernel, notebook, tmp_path, monkeypatch) -> None:
    """An administrator's wish binds `run` as well: no log, no run."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "jupyter_config.py").write_text(
        "c.SandboxProvisioner.audit = 'required'\nc.SandboxProvisioner.audit_log = '/dev/null/log'\n"
    )
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    done = sandbox_kernel("run", notebook("a.ipynb", "open('x', 'w')"), "--engine", "bubblewrap")
    assert done.returncode == 2
    assert "/dev/null/log" in done.stderr
    assert not Path("a-executed.ipynb").exists()


def test_a_log_that_cannot_be_written(sandbox_kernel, notebook, tmp_path, monkeypatch) -> None:
    """`run` and `doctor` say so, once; nothing else changes."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    done = sandbox_kernel("run", notebook("a.ipynb", "1", "2"), "-q", "--engine", "bubblewrap")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("cannot be written") == 1
    told = json.loads(sandbox_kernel("doctor", "--json", "--engine", "bubblewrap").stdout)
    [warning] = told["warnings"]
    assert str(tmp_path / "file") in warning
