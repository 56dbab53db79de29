"""Which command runs inside."""

import sys
from pathlib import Path

import pytest
from sandbox_provisioner.command import kernel_command

from sandbox_kernel.errors import StartError

FILE = "{connection_file}"
IPYKERNEL = ("-Xfrozen_modules=off", "-m", "ipykernel_launcher")
LAUNCHER = ["python", "-E", "-P", "-m", "sandbox_provisioner", "-f", FILE]


def test_the_launcher_becomes_ipykernel():
    """Inside, ipykernel takes the place of our launcher, in the same interpreter, with no history file."""
    command = kernel_command(LAUNCHER)
    assert command[0] == sys.executable
    assert command[1:] == (*IPYKERNEL, "-f", FILE, "--HistoryManager.hist_file=:memory:")


@pytest.mark.parametrize("options", [[], ["-P"], ["-EP"], ["-I"]])
def test_what_protects_the_launcher_stays_outside(options):
    """Inside, Python is started as by ipykernel's own kernelspec: cells import from their folder."""
    command = kernel_command(["python", *options, "-m", "sandbox_provisioner", "-f", FILE])
    assert command == kernel_command(LAUNCHER)


def test_isolation_of_other_commands_stays():
    """The same options before a program that is not our launcher are none of our business."""
    assert kernel_command(["python", "-I", "-m", "other", FILE])[1:] == ("-I", "-m", "other", FILE)


def test_options_round_the_launcher_stay():
    """Interpreter options and kernel arguments of a kernelspec are kept."""
    command = kernel_command(["python", "-Xutf8", *LAUNCHER[1:], "--debug"], ["--extra"])
    assert command[1:5] == ("-Xutf8", *IPYKERNEL)
    assert command[-3:] == ("--debug", "--HistoryManager.hist_file=:memory:", "--extra")


@pytest.mark.parametrize("where", ["argv", "extra"])
def test_a_history_file_that_is_named_is_kept(where):
    """Whoever names a history file has the last word; ipykernel takes the option only once."""
    named = ["--HistoryManager.hist_file=/tmp/h"]
    command = kernel_command([*LAUNCHER, *named]) if where == "argv" else kernel_command(LAUNCHER, named)
    assert [part for part in command if "hist_file" in part] == named


def test_other_commands_stay():
    """An argv that is not ours is not touched."""
    assert kernel_command(["/bin/sh", "kernel", f"--f={FILE}"], ["-x"]) == (
        "/bin/sh",
        "kernel",
        f"--f={FILE}",
        "-x",
    )


@pytest.mark.parametrize("name", ["python", "python3", f"python3.{sys.version_info.minor}"])
def test_python_is_this_python(name):
    """Plain "python" is the interpreter in use, not the first on the PATH; as in jupyter_client."""
    assert kernel_command([name, FILE])[0] == sys.executable


def test_links_are_not_resolved(tmp_path):
    """The interpreter of a virtual environment is a link; following it would leave the environment."""
    link = tmp_path / "interpreter"
    link.symlink_to(sys.executable)
    assert kernel_command([str(link), FILE])[0] == str(link)


def test_programs_become_absolute():
    """A program is looked up here; PATH is another one inside."""
    assert Path(kernel_command(["sh", FILE])[0]).is_absolute()


def test_jupyters_other_placeholders(monkeypatch):
    """{prefix} and {resource_dir} are filled in; other braces are left alone."""
    command = kernel_command(["sh", FILE, "{prefix}/x", "{resource_dir}/y", "{else}"], resource_dir="/spec")
    assert command[2:] == (f"{sys.prefix}/x", "/spec/y", "{else}")


@pytest.mark.parametrize("argv", [[], ["sh"], ["sh", FILE + FILE], ["no-such-program", FILE], ["", FILE]])
def test_commands_that_cannot_run(argv):
    """What cannot run is refused in one sentence."""
    with pytest.raises(StartError, match="kernelspec"):
        kernel_command(argv)
