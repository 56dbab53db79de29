"""`sandbox-kernel check`, as a program."""

import json
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import parse

import pytest

from sandbox_kernel.cli.app import run_command
from tests.cli.conftest import Run

CHECKS = """
title: Sum up
policy: {engine: bubblewrap, cell_timeout: 60}
checks:
  - {name: prints it, kind: output, contains: "42", points: 2, message: Print the sum.}
  - {name: keeps it, kind: variable_value, variable: total, equals: 42}
"""
RIGHT = "total = 42\nprint(total)\n"
WRONG = "total = 41\nprint('\\x1b[2J', total)\n"


@pytest.fixture(autouse=True)
def files() -> None:
    """A course's folder: what was handed in, and the checks."""
    Path("CHECKS.yaml").write_text(CHECKS)
    for name, text in (("ada", RIGHT), ("bob", WRONG)):
        Path("in", name).mkdir(parents=True)
        Path("in", name, "sum.py").write_text(text)
    Path("in/.hidden").mkdir()
    Path("in/.hidden/sum.py").write_text(RIGHT)
    Path("in/notes.txt").write_text("none")


def test_one(capsys: pytest.CaptureFixture[str]) -> None:
    """A submission that passes is a line for each check, a sum, and exit code 0."""
    assert run_command(["check", "in/ada/sum.py", "CHECKS.yaml"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "✓ in/ada/sum.py  3/3",
        "  ✓ prints it",
        "  ✓ keeps it",
        "2 of 2 checks passed, 3 of 3 points.",
    ]


def test_what_was_expected(capsys: pytest.CaptureFixture[str]) -> None:
    """Teachers may see it, and nobody's terminal obeys what a submission has printed."""
    assert run_command(["check", "in/bob/sum.py", "CHECKS.yaml", "--show-expected"]) == 3
    shown = capsys.readouterr().out
    assert "✗ keeps it: total is 41; expected: 42" in shown
    assert "\x1b" not in shown


def test_a_call_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A check without a name is called what it calls, which its reason begins with."""
    Path("calls.py").write_text("def add(a, b):\n    return a - b")
    call = "kind: function_call, function: add, arguments: [1, 2]"
    Path("CALLS.yaml").write_text(
        f"checks:\n- {{{call}, equals: 3}}\n- {{name: prints, {call}, prints: x}}\n"
    )
    assert run_command(["check", "calls.py", "CALLS.yaml"]) == 3
    assert capsys.readouterr().out.splitlines()[1:3] == [
        "  ✗ add(1, 2) is -1",
        "  ✗ prints: what add(1, 2) printed is empty",
    ]


def test_one_name_only(sandbox_kernel: Run) -> None:
    """Who leaves the checks out hears that it is those that are missing."""
    done = sandbox_kernel("check", "answer.py")
    assert done.returncode == 2
    assert "There is one name only, answer.py: say SUBMISSION, then CHECKS" in done.stderr


def test_many(sandbox_kernel: Run) -> None:
    """A folder's submissions, a line for each with what it missed; both reports; exit code 3."""
    Path("in/eve").mkdir()
    Path("in/eve/link.py").symlink_to(Path("CHECKS.yaml").resolve())
    done = sandbox_kernel("check", "in", "CHECKS.yaml", "--json", "-", "--junit", "results.xml", "-j", "2")
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines() == [
        "✓ in/ada/sum.py   3/3",
        "✗ in/bob/sum.py   0/3  prints it: Print the sum. (the output lacks the expected text) (and 1 more)",
        "✗ in/eve/link.py  0/3  it is a link, which is not followed",
        "1 of 3 submissions passed every check.",
    ]
    said = json.loads(done.stdout)
    assert [one["submission"] for one in said["submissions"]] == [
        "in/ada/sum.py", "in/bob/sum.py", "in/eve/link.py",
    ]  # fmt: skip
    assert [one["points"] for one in said["submissions"]] == [3, 0, 0]
    assert said["submissions"][1]["checks"][1]["reason"] == "total is 41"
    assert [suite.get("failures") for suite in parse("results.xml").getroot()] == ["0", "2", "2"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["CHECKS.yaml", "in"], "CHECKS comes last: put CHECKS.yaml behind in."),
        (["a.yaml", "CHECKS.yaml"], "there is one CHECKS file, and it is CHECKS.yaml; leave out a.yaml."),
        (["in", "none.yaml"], "cannot read none.yaml: No such file or directory."),
        (["none.py", "CHECKS.yaml"], "there is no file or folder none.py."),
        (["empty", "CHECKS.yaml"], "there is no script (.py) and no notebook (.ipynb) in empty."),
        (["in", "CHECKS.yaml", "--junit", "no/x.xml"], "cannot write no/x.xml: No such file or directory."),
        (
            ["in", "CHECKS.yaml", "--workspace", "ro"],
            "a submission is given no folder: leave 'workspace' out",
        ),
        (["in", "CHECKS.yaml", "--memory", "lots"], "--memory: "),
        (["in", "CHECKS.yaml", "--code-limit", "4k"], "'code' is 4 KiB, and to ask for values and calls "),
        (["in", "odd.yaml"], '"memroy" in the policy of odd.yaml is not a setting of a sandbox; did you '),
    ],
)
def test_refusals(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be meant is refused before anything runs."""
    Path("empty").mkdir()
    Path("odd.yaml").write_text(CHECKS.replace("{engine", "{memroy: 1g, engine"))
    assert run_command(["check", *arguments]) == 2
    assert f"sandbox-kernel: {sentence}" in capsys.readouterr().err


def test_limits_are_the_same_everywhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the environment nothing changes what a submission is allowed."""
    monkeypatch.setenv("SANDBOX_KERNEL_PROFILE", "default")
    monkeypatch.setenv("SANDBOX_KERNEL_MEMORY", "2g")
    Path("hoard.py").write_text("x = [bytearray(1 << 20) for _ in range(600)]\ntotal = 42\nprint(42)")
    assert run_command(["check", "hoard.py", "CHECKS.yaml"]) == 3
    assert "256 MiB" in capsys.readouterr().out


def test_cancelled(started: Callable[..., subprocess.Popen[str]], directory: Path) -> None:
    """Ctrl-C ends what runs; what is done is kept, and the rest is said to be cancelled."""
    directory.chmod(0o777)
    Path("in/bob/sum.py").write_text(f"import time\nopen('{directory}/begun', 'w')\ntime.sleep(600)")
    shared = f"mounts: ['{directory}:rw'], cell_timeout: 600"
    Path("CHECKS.yaml").write_text(CHECKS.replace("cell_timeout: 60", shared))
    program = started("check", "in", "CHECKS.yaml", "-j", "1", "--json", "results.json")
    while not (directory / "begun").exists():
        assert program.poll() is None
        threading.Event().wait(0.05)
    program.send_signal(signal.SIGINT)
    assert program.wait(60) == 130
    ada, bob = json.loads(Path("results.json").read_text())["submissions"]
    assert (ada["passed"], bob["outcome"]) == (True, "cancelled")
    assert not any(check["passed"] for check in bob["checks"])


def test_a_folder_too_deep_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Whose work is not looked at is not left out without a word."""
    deep = Path("in/eve/") / "/".join(["d"] * 70)
    deep.mkdir(parents=True)
    (deep / "sum.py").write_text(RIGHT)
    (deep.parents[3] / "also").mkdir()
    assert run_command(["check", "in/", "CHECKS.yaml"]) == 3
    printed = capsys.readouterr()
    assert "1 of 2 submissions passed" in printed.out
    assert printed.err.startswith("warning: in/eve/d/d/")
    assert printed.err.endswith(" left out: too deep, or not to be read.\n")


@pytest.mark.parametrize("option", ["--json", "--junit"])
@pytest.mark.parametrize("place", ["in/ada/sum.py", "CHECKS.yaml", "in/notes.txt"])
def test_a_report_replaces_nothing_but_a_report(
    capsys: pytest.CaptureFixture[str], option: str, place: str
) -> None:
    """Neither what is graded nor what it is graded by; an older report is."""
    before = Path(place).read_text()
    assert run_command(["check", "in/ada/", "CHECKS.yaml", option, place]) == 2
    assert "what is there is no report of submissions" in capsys.readouterr().err
    assert Path(place).read_text() == before
    for _ in range(2):
        assert run_command(["check", "in/ada/", "CHECKS.yaml", option, "report"]) == 0


def test_a_call_that_may_take_longer_than_a_cell(capsys: pytest.CaptureFixture[str]) -> None:
    """Is refused before anything runs: its own timeout would not count."""
    Path("SLOW.yaml").write_text("checks: [{kind: function_call, function: f, equals: 1, timeout: 30}]")
    assert run_command(["check", "in/ada/", "SLOW.yaml"]) == 2
    said = capsys.readouterr().err
    assert "its timeout of 30 s is longer than 'cell_timeout', 2 s" in said
