"""What a sandbox is asked for: what is refused, and what reaches the kernel."""

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from jupyter_client.provisioning import KernelProvisionerFactory

from sandbox_kernel import AsyncSandbox, Sandbox
from sandbox_kernel.errors import PolicyError, StartError
from sandbox_kernel.policy import Policy
from sandbox_kernel.session.kernel import ARGV, PROVISIONER, OwnSpec
from sandbox_kernel.session.settings import settings_for


@pytest.mark.parametrize(
    ("policy", "settings", "why"),
    [
        (
            None,
            {"memroy": "1g"},
            r"Sandbox\(memroy=…\) is not a setting of a sandbox; did you mean Sandbox\(memory=…\)\?",
        ),
        (None, {"memory": "much"}, r"Sandbox\(memory=…\): 'much' is not a size"),
        ("strikt", {}, "did you mean strict"),
        ("strict", {"profile": "default"}, "two starting points"),
        (Policy(), {"profile": "strict"}, "two starting points"),
        (None, {"workspace": "rw"}, "add directory="),
        (None, {"cell_timeout": -1}, "too small"),
    ],
)
@pytest.mark.parametrize("kind", [Sandbox, AsyncSandbox])
def test_refusals(kind: type, policy: Policy | str | None, settings: dict[str, object], why: str) -> None:
    """What is misspelt is refused at once, in the words of the caller, with what is nearest."""
    with pytest.raises(PolicyError, match=why):
        kind(policy, **settings)


def test_nothing_is_shared_unless_it_is_named(tmp_path: Path) -> None:
    """Without a directory there is none inside; with one it is shared as the profile says, or the caller."""
    assert settings_for(None, {}, None)["workspace"] == "none"
    assert settings_for(Policy(), {}, None)["workspace"] == "none"
    assert "workspace" not in settings_for(None, {}, tmp_path)
    assert settings_for("strict", {"workspace": "rw"}, tmp_path)["workspace"] == "rw"


def test_only_what_is_asked_for() -> None:
    """A policy's values that are its profile's are not asked for: a maximum lowers only those."""
    policy = Policy.from_settings({"profile": "strict", "memory": "1g", "cell_timeout": "none"})
    settings = settings_for(policy, {"pids": 64}, None)
    assert settings == {
        "profile": "strict",
        "memory": 1 << 30,
        "cell_timeout": "none",
        "pids": 64,
        "workspace": "none",
    }
    assert Policy.from_settings(settings).memory == 1 << 30


def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program's sandbox is the same wherever the program runs."""
    monkeypatch.setenv("SANDBOX_KERNEL_MEMORY", "2g")
    settings = settings_for(None, {"cpus": 2}, None)
    assert settings == {"profile": "default", "cpus": 2, "workspace": "none"}


def test_the_kernel_is_the_one_that_is_installed(repository: Path) -> None:
    """Our kernelspec runs what the installed one runs, and brings its settings along."""
    installed = json.loads((repository / "kernelspecs" / "sandboxed-python" / "kernel.json").read_text())
    assert list(ARGV) == installed["argv"]
    spec = OwnSpec({"memory": "1g"}).get_kernel_spec("whatever")
    assert spec.metadata["kernel_provisioner"] == {
        "provisioner_name": PROVISIONER,
        "config": {"memory": "1g"},
    }
    assert spec.interrupt_mode == installed["interrupt_mode"]


def test_maxima_bind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An administrator's maximum refuses what is asked for above it, and lowers what only is the usual."""
    limits = {"SandboxProvisioner": {"max_memory": "300m"}}
    (tmp_path / "jupyter_config.json").write_text(json.dumps(limits))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    with pytest.raises(PolicyError, match=r"Sandbox\(memory=…\).*300 MiB"), Sandbox(memory="1g"):
        pass
    with Sandbox() as sandbox:
        assert sandbox.policy.memory == 300 << 20
        assert sandbox.run("1").ok


@pytest.mark.filterwarnings("ignore:Passing unrecognized arguments:DeprecationWarning")
def test_no_wall_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provisioner of our name that is not ours starts nothing."""
    local = EntryPoint(
        PROVISIONER, "jupyter_client.provisioning:LocalProvisioner", KernelProvisionerFactory.GROUP_NAME
    )
    factory = KernelProvisionerFactory.instance()
    monkeypatch.setitem(factory.provisioners, PROVISIONER, local)
    with pytest.raises(StartError, match="builds no wall"), Sandbox():
        pass


def test_a_directory(tmp_path: Path) -> None:
    """A directory that is named is where the code runs, and what it may read."""
    (tmp_path / "data.txt").write_text("here")
    with Sandbox(directory=tmp_path, memory="256m") as sandbox:
        assert sandbox.run("open('data.txt').read()").value == "'here'"
        assert sandbox.run("open('data.txt', 'w')").error.name in ("OSError", "PermissionError")
