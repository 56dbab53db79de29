"""What is said in logs and granted to launches."""

from sandbox_provisioner.connection import printable
from sandbox_provisioner.grants import granted_environment, resolve_inside

from sandbox_kernel.policy import Policy


def test_logs_are_harmless():
    """A kernel cannot write escape sequences into the terminal of whoever reads the log."""
    assert (
        printable("tab\tline\nück\x1b[2J\x07\x9b31m\x7f\r")
        == "tab\tline\nück\ufffd[2J\ufffd\ufffd31m\ufffd\ufffd"
    )


def test_only_named_variables_are_granted():
    """Of a whole environment, what the policy names and the kernelspec sets."""
    environment = {"A": "1", "B": "2", "C": "3"}
    assert granted_environment(Policy(env=("A", "X")), {"B": "${C}"}, environment) == {"A": "1", "B": "2"}


def test_mounts_are_found(tmp_path):
    """A mounted path is visible; its neighbour with the same beginning is not."""
    for name in ("data", "database"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").touch()
    policy = Policy(workspace="none", mounts=(f"{tmp_path}/data:ro",))
    assert resolve_inside(f"{tmp_path}/data/x", policy, tmp_path) == str(tmp_path.resolve() / "data" / "x")
    assert resolve_inside(f"{tmp_path}/database/x", policy, tmp_path) is None
