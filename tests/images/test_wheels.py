"""Wheels are downloaded for the image's Python, with this machine's pip, and checked."""

import hashlib
import zipfile

import pytest

from sandbox_kernel.errors import ImageError
from sandbox_kernel.host.images.wheels import Target, download

TARGET = Target((3, 13), "x86_64", (2, 41))


def wheel(directory, tags):
    """Make a wheel with nothing in it; return its digest."""
    path = directory / f"demo-1.0-{tags}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        archive.writestr(
            "demo-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tags}\n"
        )
        archive.writestr("demo-1.0.dist-info/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path, monkeypatch):
    """The only place where pip looks, by configuration of this machine."""
    place = tmp_path / "index"
    place.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(place))
    return place


@pytest.fixture
def get(tmp_path):
    """Download what a lock with that hash asks for."""

    def get(digest, target=TARGET):
        lock = tmp_path / "lock.txt"
        lock.write_text(f"demo==1.0 \\\n    --hash=sha256:{digest}\n")
        directory = tmp_path / "wheels"
        directory.mkdir()
        return [path.name for path in download([lock], target, directory)]

    return get


@pytest.mark.parametrize(
    "tags", ["py3-none-any", "cp313-cp313-manylinux_2_34_x86_64", "cp311-abi3-manylinux2014_x86_64"]
)
def test_what_runs_there_is_downloaded(index, get, tags):
    """Whatever Python and system this machine has."""
    assert get(wheel(index, tags)) == [f"demo-1.0-{tags}.whl"]


@pytest.mark.parametrize(
    "tags",
    [
        "cp312-cp312-manylinux_2_34_x86_64",
        "cp313-cp313-manylinux_2_34_aarch64",
        "cp313-cp313-manylinux_2_42_x86_64",
    ],
)
def test_what_does_not_run_there_is_not(index, get, tags):
    with pytest.raises(ImageError, match=r"pip could not download .*demo"):
        get(wheel(index, tags))


def test_another_architecture(index, get):
    """The daemon may be on another machine."""
    tags = "cp313-cp313-manylinux_2_34_aarch64"
    assert get(wheel(index, tags), Target((3, 13), "aarch64", (2, 41))) == [f"demo-1.0-{tags}.whl"]


def test_hashes_are_checked(index, get):
    """A file that is not the one of the lock is not taken."""
    wheel(index, "py3-none-any")
    with pytest.raises(ImageError, match=r"(?i)hash"):
        get("0" * 64)


def test_bases_without_wheels_are_refused():
    with pytest.raises(ImageError, match=r"old has Python 3\.9; images need 3\.11 or newer"):
        Target((3, 9), "x86_64", (2, 31)).check("old")
    with pytest.raises(ImageError, match="alpine is not built on glibc"):
        Target((3, 13), "x86_64", None).check("alpine")
    TARGET.check("new")
