from pathlib import Path

import pytest

from sandbox_kernel.host.engines.base import Launch
from sandbox_kernel.host.environment import HOME, kernel_environment
from sandbox_kernel.policy import Policy

HOST = {"PATH": "/secret/bin", "HOME": "/home/alice", "SECRET_TOKEN": "s3cret", "TZ": "Europe/Berlin"}


def environment(policy=None, *, argv=("/opt/venv/bin/python", "-m", "x"), env=None, **options):
    launch = Launch(argv, Path("/data"), "0123456789abcdef", env or {})
    return kernel_environment(policy or Policy(), launch, HOST, **options)


def test_nothing_of_the_host_goes_in():
    """Without a grant no value of the host's environment is in the kernel's."""
    assert not set(environment().values()) & set(HOST.values())
    assert environment()["HOME"] == HOME


def test_named_variables_go_in_and_only_those():
    """A variable that the policy names is copied; one that the host lacks is left out."""
    inside = environment(Policy(env=("TZ", "NOT_THERE")))
    assert inside["TZ"] == "Europe/Berlin"
    assert not {"NOT_THERE", "SECRET_TOKEN"} & inside.keys()


def test_what_the_launch_grants_wins():
    """A variable of the launch beats the policy's and ours."""
    inside = environment(Policy(env=("TZ",)), env={"TZ": "UTC", "LANG": "de_DE.UTF-8"})
    assert (inside["TZ"], inside["LANG"]) == ("UTC", "de_DE.UTF-8")


def test_jupyters_own_notes_never_go_in():
    """JPY_PARENT_PID, with which ipykernel takes itself for an orphan, is dropped wherever it comes from."""
    assert "JPY_PARENT_PID" not in environment(env={"JPY_PARENT_PID": "1"})


def test_ipython_s_directory_is_the_sandbox_s():
    """The guest writes a profile there: a kernelspec that named a shared folder would have it overwritten."""
    assert environment(env={"IPYTHONDIR": "/data/ipython"})["IPYTHONDIR"].startswith(HOME)


@pytest.mark.parametrize(("cpus", "threads"), [(0.5, "1"), (1.0, "1"), (1.5, "2"), (4.0, "4")])
def test_libraries_see_the_granted_processors(cpus, threads):
    """Numerical libraries are told the granted number of processors, rounded up, not the host's."""
    inside = environment(Policy(cpus=cpus))
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PYTHON_CPU_COUNT")
    assert {inside[name] for name in names} == {threads}


def test_installers_are_told_that_there_is_no_network():
    """They say so at once, unless the policy or the launch names another place to look in."""
    assert "a-sandbox-has-no-network" in environment()["PIP_INDEX_URL"]
    assert environment()["PIP_RETRIES"] == "0"
    assert environment(env={"PIP_INDEX_URL": "file:///data"})["PIP_INDEX_URL"] == "file:///data"


def test_the_interpreters_programs_come_first():
    """PATH begins with the interpreter's own directory, once, and ends with the system's."""
    assert environment()["PATH"] == "/opt/venv/bin:/usr/local/bin:/usr/bin:/bin"
    assert environment(argv=("/usr/bin/python3",))["PATH"] == "/usr/local/bin:/usr/bin:/bin"


def test_user_packages_are_found():
    """Where the interpreter uses packages of the user's own, it is told where they are."""
    assert environment(user_base="/home/alice/.local")["PYTHONUSERBASE"] == "/home/alice/.local"
    assert "PYTHONUSERBASE" not in environment()
