"""What images are made from."""

import io
import re
import subprocess
import tarfile

import pytest

from sandbox_kernel.errors import ImageError
from sandbox_kernel.host.engines.docker import guest
from sandbox_kernel.host.images import recipe
from sandbox_kernel.host.images.recipe import NAMES, Recipe


def pins(name):
    """Return the requirements of a lock, each with its hashes."""
    text = (recipe.directory() / f"{name}.txt").read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            requirement, *rest = line.split()
            found[requirement] = rest
    return found


@pytest.mark.parametrize("name", [*NAMES, "tools"])
def test_locks_are_exact(name):
    """Every requirement has one version, and the hashes of its files."""
    assert pins(name)
    for requirement, hashes in pins(name).items():
        assert re.fullmatch(r"[a-z0-9._-]+==[^=*,;]+", requirement)
        assert hashes
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes)


@pytest.mark.parametrize("name", [*NAMES, "tools"])
def test_locks_have_what_was_asked_for(name):
    asked = re.findall(r"^([a-z][a-z0-9-]*)", (recipe.directory() / f"{name}.in").read_text(), re.MULTILINE)
    assert asked
    assert set(asked) <= {requirement.partition("==")[0] for requirement in pins(name)}


def test_the_large_image_has_all_of_the_small_one():
    """Both locks were made at the same time: same versions, same hashes."""
    small, large = pins("python"), pins("scipy")
    assert {name: large.get(name) for name in small} == small


def test_digests_tell_what_would_change():
    """The same image on the same base has the same digest; another base or image has not."""
    assert Recipe("python").digest("sha256:1") == Recipe("python").digest("sha256:1")
    assert len({Recipe(name).digest(base) for name in NAMES for base in ("sha256:1", "sha256:2")}) == 4


def test_a_context_does_not_depend_on_the_machine(tmp_path):
    """It holds Dockerfile, lock, wheels and guest; no rights, owners or dates of files here."""
    wheels = [tmp_path / name for name in ("b-1-py3-none-any.whl", "a-1-py3-none-any.whl")]
    for wheel in wheels:
        wheel.write_bytes(wheel.name.encode())
        wheel.chmod(0o600)
    first, second = io.BytesIO(), io.BytesIO()
    Recipe("scipy").write_context(first, wheels)
    Recipe("scipy").write_context(second, reversed(wheels))
    assert first.getvalue() == second.getvalue()
    first.seek(0)
    with tarfile.open(fileobj=first) as tar:
        entries = {entry.name: entry for entry in tar}
        assert (
            tar.extractfile("build/requirements.txt").read()
            == (recipe.directory() / "scipy.txt").read_bytes()
        )
    expected = {f"guest/{name}" for name in guest.sources()}
    expected |= {"Dockerfile", "build/requirements.txt"} | {f"build/wheels/{wheel.name}" for wheel in wheels}
    assert set(entries) == expected
    assert {(entry.mode, entry.uid, entry.gid, entry.mtime) for entry in entries.values()} == {
        (0o644, 0, 0, 0)
    }


def test_other_names_are_refused():
    with pytest.raises(ImageError, match="no image 'r' to build; there are python and scipy"):
        Recipe("r")


@pytest.mark.timeout(300)
def test_an_installed_package_has_all_of_it(installed, repository):
    """The recipes of a wheel are the checkout's, and are found."""
    code = "from sandbox_kernel.host.images import recipe; print(recipe.directory())"
    shown = subprocess.run([installed, "-I", "-c", code], capture_output=True, text=True, check=True, cwd="/")
    directory = shown.stdout.strip()
    assert directory.endswith("share/sandbox-kernel/images")
    subprocess.run(["diff", "-r", directory, repository / "images"], check=True)
