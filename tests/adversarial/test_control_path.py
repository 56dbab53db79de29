"""Promise: nothing that a stranger wrote (a kernelspec, a folder, an image) makes less of a wall.

Each value is first shown to be an attack: what would read it without our checks takes it. Then it is
refused before anything starts, or overruled.
"""

import json
import logging
import math
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.provisioning import KernelProvisionerFactory
from jupyter_client.session import json_packer
from sandbox_provisioner import SandboxProvisioner

from sandbox_kernel.cli import kernels
from sandbox_kernel.errors import NotebookError, PolicyError, SandboxError
from sandbox_kernel.host.audit.records import MAX_TEXT, capped
from sandbox_kernel.host.engines.base import Launch
from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.facts import read_image
from sandbox_kernel.host.engines.docker.grants import Granted, grant
from sandbox_kernel.host.engines.docker.settings import Run, container
from sandbox_kernel.host.engines.grants import open_grant
from sandbox_kernel.notebooks.files import MAX_NOTEBOOK, load_notebook, read_notebook
from sandbox_kernel.policy import Policy
from tests.adversarial.outside import (
    FILE,
    IMAGES,
    KERNEL_IDS,
    KERNELSPECS,
    LIMITS,
    MAXIMA,
    NAMES,
    NOTEBOOKS,
    PLACES,
)
from tests.host.engines.docker.machines import facts

MOST = 1 << 32


@pytest.mark.parametrize(("field", "value"), LIMITS)
def test_a_limit_that_is_none_passes_a_comparison(field, value):
    """Who only compares with a maximum lets these pass, and many a tool takes them for "no limit"."""
    assert not float(value) > MOST or float(value) == math.inf


@pytest.mark.parametrize(("field", "value"), LIMITS)
def test_a_limit_that_is_none_is_refused(field, value):
    """A limit is a positive, finite number."""
    with pytest.raises(PolicyError, match=field):
        Policy.from_settings({field: value})


@pytest.mark.parametrize(("settings", "maxima"), MAXIMA)
def test_what_is_above_a_maximum_passes_without_it(settings, maxima):
    """Where an administrator sets none, a kernelspec may ask for it."""
    assert Policy.from_settings(settings)


@pytest.mark.parametrize(("settings", "maxima"), MAXIMA)
def test_what_is_above_a_maximum_is_refused(settings, maxima):
    """No source goes beyond what an administrator allows."""
    with pytest.raises(PolicyError):
        Policy.from_settings(settings, maxima=maxima)


@pytest.mark.parametrize("place", PLACES)
def test_a_place_holds_what_nobody_should_have(place):
    """There is something at each, and whoever runs this could mount it."""
    assert os.access(os.path.normpath(place.replace("~", str(Path.home()))), os.R_OK)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mode", ["ro", "rw"])
def test_a_place_is_not_granted(place, mode):
    """Neither the policy nor the engines let it in."""
    with pytest.raises(SandboxError):
        for mount in Policy.from_settings({"mounts": [f"{place}:{mode}"]}).granted_mounts():
            open_grant(str(mount.path), writable=mode == "rw").close()


@pytest.mark.parametrize("place", ["/etc", "/proc", "/dev", "/run"])
def test_a_link_is_judged_by_where_it_leads(tmp_path, place):
    """A folder that turns out to be a link to a forbidden one is refused."""
    link = tmp_path / "data"
    link.symlink_to(place)
    assert link.samefile(place)
    with pytest.raises(SandboxError):
        open_grant(str(link), writable=False).close()


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_s_name_is_an_option_to_who_joins_with_commas(name):
    """The command line's own form of a mount reads the name of a folder as more fields, or lines."""
    fields = f"type=bind,source=/notebooks/{name},target=/x".splitlines()
    assert len(fields) > 1 or len(fields[0].split(",")) > 3 or '"' in fields[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_s_name_is_no_option(tmp_path, name):
    """Podman's service joins with commas, so such a folder is refused there; Docker's takes it as it is."""
    tmp_path.chmod(0o755)
    folder = tmp_path / name
    folder.mkdir(parents=True)
    launch = Launch(("python3",), folder, "0" * 16)
    address = Address("docker", "unix:///run/d.sock", "tests")
    with pytest.raises(SandboxError, match="Podman cannot mount"):
        grant(Policy(), launch, address, facts(product="Podman"))


def body_for(config: dict) -> dict:
    image = read_image("hostile", {"Id": "sha256:1", "Config": config})
    run = Run(("ours",), {"owner": "us"})
    return container(Policy(), image, facts(), Granted(), run, seccomp="list")


@pytest.mark.parametrize("name", IMAGES)
def test_what_an_image_asks_for_is_overruled(name):
    """An image's word is in its configuration, which a daemon heeds; ours stands in its place."""
    config, wanted = IMAGES[name]
    assert wanted(body_for(config))
    assert not wanted({**config, "HostConfig": {"Tmpfs": {}}})


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_that_is_none_breaks_who_believes_it(name):
    """Reading its JSON, or sending its code and looking up its kernel and tags, raises whatever it may."""
    text, _ = NOTEBOOKS[name]
    with pytest.raises((RecursionError, ValueError, TypeError, AttributeError)):
        believe(text)


def believe(text):
    """Do with a notebook what programs do that were only ever given good ones."""
    notebook = nbformat.from_dict(json.loads(text))
    names = {
        notebook.metadata.get("kernelspec", {}).get("name"),
        notebook.metadata.get("language_info", {}).get("name"),
    }
    json.dumps(notebook, indent=1)
    for cell in notebook.cells:
        json_packer({"code": "".join(cell.source)})
        names.update(cell.metadata.get("tags", []))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_that_is_none_is_refused(tmp_path, name):
    """In one sentence that names it, before anything is started."""
    text, words = NOTEBOOKS[name]
    path = tmp_path / "x.ipynb"
    path.write_text(text)
    with pytest.raises(NotebookError, match=words) as refusal:
        read_notebook(path)
    assert str(path) in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1
    assert len(str(refusal.value)) < 1000


def test_a_notebook_may_be_a_link_to_a_device_without_end(tmp_path):
    """Who reads it whole holds all that comes; no notebook is a device, or as large as what has no end."""
    path = tmp_path / "x.ipynb"
    path.symlink_to("/dev/zero")
    with path.open("rb") as file:
        assert len(file.read(1 << 20)) == 1 << 20
        with pytest.raises(NotebookError, match=f"larger than {MAX_NOTEBOOK >> 20} MiB"):
            load_notebook(file, "x")
    with pytest.raises(NotebookError, match="it is a device, not a file"):
        read_notebook(path)


@pytest.fixture
def somebody_s_kernel(tmp_path, monkeypatch):
    """Installs a kernelspec where Jupyter looks for them."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))

    def install(text):
        (tmp_path / "kernels" / "theirs").mkdir(parents=True)
        (tmp_path / "kernels" / "theirs" / "kernel.json").write_text(text)

    return install


@pytest.mark.parametrize("name", KERNELSPECS)
def test_a_kernelspec_that_is_none_breaks_jupyter(somebody_s_kernel, name):
    """jupyter_client raises what comes of it, or what calling the provisioner with it does."""
    somebody_s_kernel(KERNELSPECS[name])
    with pytest.raises(Exception) as raised:
        spec = KernelSpecManager().get_kernel_spec("theirs")
        KernelProvisionerFactory.instance().create_provisioner_instance("1", spec, None)
    assert not isinstance(raised.value, SandboxError)


@pytest.mark.parametrize("name", KERNELSPECS)
def test_a_kernelspec_that_is_none_is_refused(somebody_s_kernel, name):
    """Who asks for it hears why not, and so does who asks `doctor`."""
    somebody_s_kernel(KERNELSPECS[name])
    with pytest.raises((NotebookError, PolicyError), match="theirs"):
        assert kernels.find("theirs").fixed_policy
    (fault,) = kernels.faults()
    assert fault.startswith("kernel 'theirs' in ")
    assert len(fault) < 600


@pytest.mark.parametrize("name", KERNEL_IDS)
def test_a_kernel_s_name_adds_nothing_to_a_log(caplog, name):
    """Neither a line, nor commands to the terminal of whoever reads it, nor a megabyte."""
    plain = (
        logging.getLogger("plain").makeRecord("", 20, "", 0, "Kernel %s: said", (name,), None).getMessage()
    )
    assert len(plain.splitlines()) > 1 or "\x1b" in plain or "/" in plain or len(plain) > MAX_TEXT
    caplog.set_level(logging.INFO)
    log = logging.getLogger("sandboxed")
    SandboxProvisioner(kernel_id=name, kernel_spec=KernelSpec(), log=log)._log_line("said")
    (message,) = caplog.messages
    assert message.endswith(": said")
    assert len(message.splitlines()) == 1
    assert len(message) < 2 * MAX_TEXT
    assert "\x1b" not in message
    assert len(capped(name)) <= MAX_TEXT


def test_a_file_s_name_is_a_name(tmp_path):
    """A folder and a notebook are called what a shell, a terminal or an option parser would obey."""
    program = Path(sys.executable).with_name("sandbox-kernel")
    folder = tmp_path / FILE
    folder.mkdir()
    (folder / "data").write_text("42")
    code = "print(open('data').read())"
    notebook = folder / f"{FILE}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), notebook)
    subprocess.run(f'echo "{FILE}"', shell=True, cwd=tmp_path, check=False, capture_output=True)
    assert (tmp_path / "made").exists(), "a shell obeys it"
    (tmp_path / "made").unlink()
    done = subprocess.run(
        [program, "run", f"./{notebook.name}", "--engine", "bubblewrap", "--log-output"],
        cwd=folder,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (result,) = folder.glob("*-executed.ipynb")
    assert result.name == f"{FILE}-executed.ipynb"
    assert b"\x1b" not in done.stderr + done.stdout
    assert b"42" in done.stdout + done.stderr
    assert {path.name for path in tmp_path.rglob("made")} == set()
