"""One option per policy field."""

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sandbox_kernel.cli.policy_options import HELP, given, naming_options, policy_options, to_environment
from sandbox_kernel.errors import PolicyError, WorkspaceError
from sandbox_kernel.policy import FIELD_NAMES, MiB


@click.command()
@policy_options
@click.pass_context
def command(ctx: click.Context) -> None:
    print(sorted(given(ctx).items()))


def ask(*arguments: str) -> str:
    result = CliRunner().invoke(command, arguments, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.output.strip()


def test_every_field_has_an_option() -> None:
    """No policy field is without an option, and no option without a field."""
    assert set(HELP) == set(FIELD_NAMES)


def test_only_what_was_given() -> None:
    """Options that were not given are not settings; lists collect."""
    assert ask() == "[]"
    assert ask("--memory", "512m") == "[('memory', '512m')]"
    assert ask("--env", "A", "--env", "B", "--mount", "/x:ro") == "[('env', 'A,B'), ('mounts', '/x:ro')]"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("x", "{work}/x"),
        ("./x:rw", "{work}/x:rw"),
        (".", "{work}"),
        ("../x:ro", "{above}/x:ro"),
        ("..:rw", "{above}:rw"),
        ("~:ro", "{home}:ro"),
        ("~/x:rw", "{home}/x:rw"),
        ("/a,b", "/a,{work}/b"),
        ("~nobody-of-this-name/x", "{work}/~nobody-of-this-name/x"),
    ],
)
def test_mounts_may_be_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, meant: str
) -> None:
    """A mount may be written relative to the current directory or the home; it is passed on in full."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    places = {"work": Path.cwd(), "above": Path.cwd().parent, "home": tmp_path / "home"}
    assert ask("--mount", written) == f"[('mounts', '{meant.format(**places)}')]"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--memory", "1x"], "--memory: '1x'"),
        (["--output-limit", "1x"], "--output-limit: '1x'"),
        (["--cell-timeout", "-1"], "--cell-timeout: '-1'"),
        (["--workspace", "all"], "--workspace: 'all' is not one of none, ro, rw"),
        (["--mount", "/a/../b"], "--mount:"),
        (["--secret", "1x"], "--secret:"),
        (["--mount", "/a:rx"], "there is no mode 'rx'; after a mount's path comes :ro or :rw"),
        (["--mount", "a:rx"], "there is no mode 'rx'"),
        (["--profile", "lax"], "--profile: 'lax'"),
        (["--engine", "bubblewrap", "--image", "x"], "--image is 'x', but the engine is bubblewrap"),
    ],
)
def test_refusals_name_the_option(arguments: list[str], words: str) -> None:
    """An unusable value is refused under the name of its option."""
    with pytest.raises(PolicyError) as refusal:
        ask(*arguments)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("settings", "sentence", "told"),
    [
        (
            {"memory": "2g"},
            "SANDBOX_KERNEL_MEMORY asks for 2 GiB; (…, or SANDBOX_KERNEL_MEMORY=1g).",
            "--memory asks for 2 GiB; (…, or SANDBOX_KERNEL_MEMORY=1g).",
        ),
        ({"output": "9m"}, "'output' is 9 MiB, but 'memory' …", "--output-limit is 9 MiB, but 'memory' …"),
        ({"mounts": "/a:ro,/b c:rw"}, "/b c cannot be opened: …", "--mount: /b c cannot be opened: …"),
        ({"mounts": "/a:ro"}, "/a/b cannot be opened: …", "/a/b cannot be opened: …"),
        ({"secrets": "A"}, "The secret A is empty.", "--secret A is empty."),
        ({}, "The secret A is empty. 'memory'", "The secret A is empty. 'memory'"),
    ],
)
def test_what_is_refused_later_names_the_option(settings: dict[str, str], sentence: str, told: str) -> None:
    """A refusal by the plug or an engine speaks of variables, fields and paths; people gave options."""
    with pytest.raises(WorkspaceError) as refusal, naming_options(settings):
        raise WorkspaceError(sentence)
    assert str(refusal.value) == told


def test_a_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """A misspelt name is granted, and does nothing: that is said."""
    monkeypatch.setenv("THERE", "1")
    monkeypatch.setenv("SANDBOX_KERNEL_ENV", "THERE")  # so that it is put back
    to_environment({"env": "THERE,NOT_THERE"})
    said = capsys.readouterr().err
    assert "--env NOT_THERE: no such variable" in said
    assert "--env THERE" not in said


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options go above the environment's settings, into the environment."""
    monkeypatch.setenv("SANDBOX_KERNEL_MEMORY", "300m")
    monkeypatch.setenv("SANDBOX_KERNEL_PIDS", "99")
    policy = to_environment({"memory": "400m"})
    assert (policy.memory, policy.pids) == (400 * MiB, 99)
    assert (os.environ["SANDBOX_KERNEL_MEMORY"], os.environ["SANDBOX_KERNEL_PIDS"]) == ("400m", "99")


def test_profile_starts_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile named on the command line drops what the environment had set, for children too."""
    monkeypatch.setenv("SANDBOX_KERNEL_MEMORY", "8g")
    monkeypatch.setenv("SANDBOX_KERNEL_PROFILE", "default")
    policy = to_environment({"profile": "strict", "pids": "50"})
    assert (policy.memory, policy.pids) == (256 * MiB, 50)
    assert "SANDBOX_KERNEL_MEMORY" not in os.environ
