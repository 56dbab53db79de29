"""Where a policy comes from, who wins, and that a misspelt word never starts a kernel."""

import warnings

import pytest
from jupyter_client import AsyncKernelManager, KernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.provisioning import LocalProvisioner
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from sandbox_provisioner import SandboxProvisioner
from traitlets import Unicode
from traitlets.config import Application, Config

from sandbox_kernel.errors import PolicyError
from sandbox_kernel.policy import FIELD_NAMES, MAXIMA_NAMES, MiB
from tests.provisioner.conftest import serve

pytestmark = pytest.mark.usefixtures("memory")


async def policy_of(name="boxed", config=None):
    """Return the policy with which a kernel would be launched."""
    parent = Application(config=Config(config or {}))
    manager = KernelManager(kernel_name=name, parent=parent)
    await manager._async_pre_start_kernel()
    return manager.provisioner._policy


def configured(*options):
    """Return what an application makes of its command line."""
    application = Application()
    application.parse_command_line(list(options))
    return application.config


async def refusal(name="boxed", config=None):
    with pytest.raises(PolicyError) as caught:
        await policy_of(name, config)
    return str(caught.value)


def ours(**settings):
    return {"SandboxProvisioner": settings}


# The trap


def test_the_trap():
    """Without our check a misspelt limit is dropped with a warning that nobody sees."""
    with pytest.warns(DeprecationWarning, match="memroy"):
        LocalProvisioner(kernel_id="1", kernel_spec=KernelSpec(), memroy="1g")


def test_a_misspelt_kernelspec_does_not_start(jupyter, no_leftovers):
    """A misspelt limit in a kernelspec ends the launch, with the name that was meant, and no warning."""
    jupyter.spec(config={"memroy": "1g"})
    manager = KernelManager(kernel_name="boxed")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PolicyError, match=r'"memroy" in kernelspec boxed .* did you mean "memory"'):
            manager.start_kernel()
    assert not manager.has_kernel
    assert not no_leftovers.settle()


async def test_a_misspelt_kernelspec_does_not_start_asynchronously(jupyter):
    """The same under the asynchronous manager; its `ready` carries the sentence to jupyter_server's users."""
    jupyter.spec(config={"memroy": "1g"})
    manager = AsyncKernelManager(kernel_name="boxed")
    with pytest.raises(PolicyError):
        await manager.start_kernel()
    assert "memroy" in str(manager.ready.exception())


def test_nbclient_shows_the_sentence(jupyter):
    """Who runs a notebook with nbclient reads what is wrong."""
    jupyter.spec(config={"memory": "-1"})
    notebook = new_notebook(cells=[new_code_cell("1")])
    with pytest.raises(PolicyError, match='"memory" in kernelspec boxed'):
        NotebookClient(notebook, kernel_name="boxed").execute()


@pytest.mark.parametrize("name", ["config", "log", "parent_", "kernel_spec_", "policy", "_policy"])
async def test_other_names_of_a_kernelspec(jupyter, name):
    """What is not a setting is refused, also where it has the name of something inside."""
    jupyter.spec(config={name: {}})
    assert name in await refusal()


async def test_a_misspelt_configuration(jupyter):
    """traitlets only warns of an unknown name; here it is refused, spelled as it was written."""
    message = await refusal(config=ours(memroy="1g"))
    assert "c.SandboxProvisioner.memroy" in message
    assert "c.SandboxProvisioner.memory" in message


async def test_a_misspelt_maximum(jupyter):
    """A misspelt maximum would be no maximum."""
    assert "max_memory" in await refusal(config=ours(max_memroy="1g"))


async def test_a_list_that_is_added_to(jupyter):
    """`c.SandboxProvisioner.allowed_env.append(…)` has no effect in traitlets, so it is refused."""
    config = Config()
    config.SandboxProvisioner.allowed_env.append("LANG")
    assert "allowed_env" in await refusal(config=config)


async def test_a_misspelt_variable(jupyter, monkeypatch):
    """A misspelt SANDBOX_KERNEL_* is refused."""
    monkeypatch.setenv("SANDBOX_KERNEL_MEMROY", "1g")
    assert "SANDBOX_KERNEL_MEMORY" in await refusal()


# Who wins


async def test_the_profile_is_the_start(jupyter):
    """Nobody said anything: the default profile."""
    assert (await policy_of()).memory == 1024 * MiB


async def test_configuration_over_profile(jupyter):
    """An application's configuration changes single values."""
    policy = await policy_of(config=ours(memory="2g"))
    assert (policy.memory, policy.cpus) == (2048 * MiB, 1.0)


async def test_environment_over_configuration(jupyter, monkeypatch):
    """The environment wins over configuration where the kernelspec says nothing."""
    monkeypatch.setenv("SANDBOX_KERNEL_MEMORY", "3g")
    policy = await policy_of(config=ours(memory="2g", pids=64))
    assert (policy.memory, policy.pids) == (3072 * MiB, 64)


async def test_kernelspec_over_environment(jupyter, monkeypatch):
    """A kernelspec that says something wins, and the environment has no say."""
    jupyter.spec(config={"memory": "512m"})
    monkeypatch.setenv("SANDBOX_KERNEL_MEMORY", "3g")
    monkeypatch.setenv("SANDBOX_KERNEL_WORKSPACE", "rw")
    policy = await policy_of(config=ours(pids=64))
    assert (policy.memory, policy.workspace, policy.pids) == (512 * MiB, "ro", 64)


async def test_a_strict_kernelspec_is_strict(jupyter):
    """A kernelspec that names a profile gets it whole, whatever is configured elsewhere."""
    jupyter.spec(config={"profile": "strict", "cpus": 1})
    policy = await policy_of(config=ours(memory="8g", workspace="rw", env=["HOME"]))
    assert (policy.memory, policy.workspace, policy.env, policy.cpus) == (256 * MiB, "none", (), 1.0)


# Maxima


@pytest.mark.parametrize("place", ["kernelspec", "environment", "configuration"])
async def test_maxima_bind_every_place(jupyter, monkeypatch, place):
    """More than the administrator allows is refused, wherever it was asked for."""
    config = ours(max_memory="1g")
    if place == "kernelspec":
        jupyter.spec(config={"memory": "4g"})
    elif place == "environment":
        monkeypatch.setenv("SANDBOX_KERNEL_MEMORY", "4g")
    else:
        config["SandboxProvisioner"]["memory"] = "4g"
    message = await refusal(config=config)
    assert "4 GiB" in message
    assert "1 GiB (c.SandboxProvisioner.max_memory)" in message


async def test_maxima_lower_defaults(jupyter):
    """A default above a maximum is lowered, and the kernel starts."""
    policy = await policy_of(config=ours(max_memory="512m", max_session_timeout="8h", max_workspace="none"))
    assert (policy.memory, policy.session_timeout, policy.workspace) == (512 * MiB, 8 * 3600, "none")


@pytest.mark.parametrize("name", MAXIMA_NAMES)
async def test_a_kernelspec_sets_no_maximum(jupyter, name):
    """Kernelspecs win over configuration in jupyter_client, so a maximum in one would undo the real one."""
    jupyter.spec(config={name: "64g"})
    assert f"c.SandboxProvisioner.{name}" in await refusal()


# Traits


def test_every_field_and_maximum_is_a_trait():
    """Nothing can be set in a kernelspec that cannot be configured, and all of it has help."""
    traits = SandboxProvisioner.class_traits(config=True)
    assert traits.keys() >= {*FIELD_NAMES, *MAXIMA_NAMES}
    assert all(trait.help for trait in traits.values())
    assert "max_memory" in SandboxProvisioner.class_get_help()


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        (["--SandboxProvisioner.memory=512m"], "memory", 512 * MiB),
        (["--SandboxProvisioner.cell_timeout=none"], "cell_timeout", None),
        (["--SandboxProvisioner.env=LANG,TZ"], "env", ("LANG", "TZ")),
        (["--SandboxProvisioner.env=LANG", "--SandboxProvisioner.env=TZ"], "env", ("LANG", "TZ")),
    ],
)
async def test_options_of_a_command_line(jupyter, options, field, value):
    """`jupyter lab --SandboxProvisioner.memory=512m` works, lists included."""
    config = configured(*options)
    assert getattr(await policy_of(config=config), field) == value


@pytest.mark.parametrize("options", [["memory=1g", "memory=2g"], ["memory=None"], ["pids=all"]])
async def test_unusable_options(jupyter, options):
    """Options that mean nothing are refused like everything else."""
    config = configured(*[f"--SandboxProvisioner.{option}" for option in options])
    assert "c.SandboxProvisioner." in await refusal(config=config)


async def test_subclasses(jupyter, monkeypatch, memory):
    """A subclass adds traits of its own, for kernelspecs too, and changes defaults; the checks stay."""

    class Mine(memory):
        colour = Unicode().tag(config=True)
        memory = "2g"

    serve(monkeypatch, Mine)
    jupyter.spec(config={"colour": "red"})
    manager = KernelManager(kernel_name="boxed", config=Config({"Mine": {"pids": 64}}))
    await manager._async_pre_start_kernel()
    assert manager.provisioner.colour == "red"
    assert manager.provisioner._policy.memory == 2048 * MiB
    assert manager.provisioner._policy.pids == 64
    jupyter.spec("misspelt", config={"color": "red"})
    assert "color" in await refusal("misspelt")


async def test_a_subclass_that_fixes_a_value(jupyter, monkeypatch, memory):
    """Configuration for a setting that a subclass fixed is refused: it would have no effect."""

    class Fixed(memory):
        max_memory = "512m"

    serve(monkeypatch, Fixed)
    assert (await policy_of()).memory == 512 * MiB
    assert "max_memory" in await refusal(config=ours(max_memory="128m"))
