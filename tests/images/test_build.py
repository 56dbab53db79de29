"""Images of ours, built and looked into from a container as closed as a kernel's."""

import pytest

from sandbox_kernel.errors import ImageError
from sandbox_kernel.host.engines.docker import guest
from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.daemon import Daemon
from sandbox_kernel.host.images import probe
from sandbox_kernel.host.images.build import build, up_to_date
from sandbox_kernel.host.images.recipe import OFFLINE_BASE, Recipe
from sandbox_kernel.host.images.store import Store

KEPT = "localhost/sandbox-kernel-test/kept"

COMPILED = """
import glob, importlib.util, json, sysconfig
def state(path):
    try:
        with open(importlib.util.cache_from_source(path), "rb") as file:
            return int.from_bytes(file.read(8)[4:], "little")
    except FileNotFoundError:
        return -1
everything = glob.glob("/opt/**/*.py", recursive=True)
standard = glob.glob(sysconfig.get_path("stdlib") + "/*.py")
print(json.dumps([len(everything), [path for path in everything if state(path) != 1],
                  len(standard), [path for path in standard if state(path) == -1]]))
"""

SUSPICIOUS = """
import json, os, shutil, stat
found = []
for top, directories, files in os.walk("/"):
    if top == "/":
        directories[:] = set(directories) - {"proc", "sys", "dev"}
    for name in files:
        status = os.lstat(os.path.join(top, name))
        if stat.S_ISREG(status.st_mode) and status.st_mode & 0o6000:
            found.append(os.path.join(top, name))
programs = [shutil.which(name) for name in ("cc", "gcc", "ld", "make", "pip", "curl", "wget")]
print(json.dumps([found, [each for each in programs if each], os.path.exists("/build")]))
"""

PACKAGES = """
import importlib.metadata, json
every = importlib.metadata.distributions()
print(json.dumps([each.name.lower().replace("_", "-") + "==" + each.version for each in every]))
"""

COMPUTING = """
import json, warnings
warnings.simplefilter("error")
import numpy, scipy.optimize, pandas, sklearn.linear_model, matplotlib, ipywidgets, tqdm
matplotlib.use("agg")
import matplotlib.pyplot as plt
x = numpy.arange(10.0)
plt.plot(x); plt.savefig("/tmp/a.png")
slope = sklearn.linear_model.LinearRegression().fit(x[:, None], 3 * x).coef_[0]
root = scipy.optimize.brentq(lambda x: x * x - 2, 0, 2)
mean = pandas.DataFrame({"g": ["a", "b"] * 5, "x": x}).groupby("g").x.mean()["b"]
print(json.dumps([round(float(value), 6) for value in (slope, root, mean)]))
"""


@pytest.fixture
def daemon(docker_host):
    daemon = Daemon(Address("docker", docker_host, "tests"))
    yield daemon
    daemon.close()


@pytest.fixture(params=["python", "scipy"])
def image(request, daemon):
    """Each image of ours."""
    if request.param == "scipy":
        request.getfixturevalue("scipy_image")
    return daemon.image(Recipe(request.param).tags[0])


@pytest.fixture
def empty(daemon, tmp_path):
    """The name of an image with nothing in it."""
    tar = tmp_path / "empty.tar"
    tar.write_bytes(bytes(10240))
    store = Store(daemon)
    store.load_root(tar, "sandbox-kernel-test/empty", {})
    yield "sandbox-kernel-test/empty"
    store.remove("sandbox-kernel-test/empty")


def test_what_an_image_says_of_itself(daemon, image):
    """An ordinary user, no health check, no entry point, no volumes; the guest is this checkout's."""
    config = daemon.client.inspect_image(image.id)["Config"]
    assert config["User"] == "65534:65534"
    assert config["Healthcheck"] == {"Test": ["NONE"]}
    assert not config["Entrypoint"]
    assert not config["Volumes"]
    assert not config.get("ExposedPorts")
    assert image.guest == guest.label()
    assert Recipe("python").tags[1].endswith(f":{guest.label().partition('+')[0]}")


def test_everything_is_compiled(daemon, image):
    """Packages and guest with unchecked hashes; the standard library as its distribution did, or we."""
    count, uncompiled, standard, bare = probe.ask(daemon, image, COMPILED)
    assert count > 1000
    assert not uncompiled
    assert standard > 100
    assert not bare


def test_nothing_suspicious(daemon, image):
    """No file with somebody else's rights, no compiler, no pip, nothing of the build."""
    assert probe.ask(daemon, image, SUSPICIOUS) == [[], [], False]


def test_packages_are_those_of_the_lock(daemon, image):
    installed = set(probe.ask(daemon, image, PACKAGES))
    name = "scipy" if "scipy" in image.name else "python"
    lock = Recipe(name).locks[0].read_text().splitlines()
    assert installed == {line.split()[0] for line in lock if "==" in line and not line.startswith("#")}


def test_the_large_image_computes(daemon, scipy_image):
    assert probe.ask(daemon, daemon.image(scipy_image), COMPUTING) == [3.0, 1.414214, 5.0]


def test_a_second_build_changes_nothing(daemon):
    """It is up to date; building it all the same gives the same image, and leaves nothing behind."""
    store = Store(daemon)
    before = store.find(Recipe("python").tags[0])
    assert up_to_date(store, "python", OFFLINE_BASE)
    unnamed = {each.id for each in store.list("org.sandbox-kernel.stage", dangling=True)}
    heard = []
    assert build(daemon, "python", OFFLINE_BASE, heard.append).id == before.id
    assert any("Step 6/" in line for line in heard)
    assert {each.id for each in store.list("org.sandbox-kernel.stage", dangling=True)} == unnamed


def test_another_base_is_not_up_to_date(daemon):
    assert not up_to_date(Store(daemon), "python", "sandbox-kernel/python")
    assert not up_to_date(Store(daemon), "python", "sandbox-kernel/nowhere")


def test_a_base_without_python(daemon, empty):
    """The sentence names the base and what it lacks; no container stays."""
    with pytest.raises(ImageError, match="empty cannot be used; no python3 runs in it"):
        build(daemon, "python", empty, print)
    assert not daemon.client.containers(all=True, filters={"ancestor": empty})


def test_no_registry(daemon):
    """Where none can be reached, the error says what to do instead."""
    with pytest.raises(ImageError, match=r"registry\.invalid/python:1 is not here .* say --offline to make"):
        build(daemon, "python", "registry.invalid/python:1", print)


@pytest.mark.timeout(400)
def test_podman_builds_too(daemon, podman_host):
    """The same recipe, through Podman's socket; the result is called localhost's, not Docker Hub's."""
    podman = Daemon(Address("podman", podman_host, "tests"), timeout=300)
    try:
        store = Store(podman)
        name = store.own(OFFLINE_BASE)
        if store.find(name) is None:
            podman.client.load_image(b"".join(daemon.client.get_image(OFFLINE_BASE)))
        before = store.find("sandbox-kernel/python")
        store.tag(before.id, KEPT)
        built = build(podman, "python", name, print)
        assert store.find(KEPT).id == before.id  # what has another name stays
        assert f"localhost/{Recipe('python').tags[0]}" in built.tags
        assert up_to_date(store, "python", name)
        assert podman.image("sandbox-kernel/python").id == built.id
        assert probe.ask(podman, podman.image("sandbox-kernel/python"), SUSPICIOUS) == [[], [], False]
    finally:
        podman.client.remove_image(KEPT)
        podman.close()
