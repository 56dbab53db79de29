"""Notebooks elsewhere, with fsspec's own memory and files for a store."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import fsspec
import nbformat
import pytest
from fsspec.implementations.local import LocalFileSystem

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks import RunOptions, run_notebook
from sandbox_kernel.notebooks.remote import Address, RemoteDestination, local, place
from sandbox_kernel.notebooks.sources import read_source
from tests.notebooks.runs import PLAIN, notebook


class Elsewhere(LocalFileSystem):
    """Files in a directory of this machine, as over ssh."""

    protocol = "sftp"
    local_file = False
    moved: list[str] = []

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.removeprefix("sftp://host"))

    def mv(self, path1: str, path2: str, **more: object) -> None:
        self.moved.append(Path(path2).name)
        super().mv(path1, path2, **more)


class Broken(LocalFileSystem):
    protocol = "broken"
    local_file = False
    waiting = threading.Event()

    def pipe_file(self, path: str, value: bytes, **more: object) -> None:
        if "slow" in path:
            self.waiting.wait(30)
        raise RuntimeError("AccessDenied\n(status 403).")


@pytest.fixture(autouse=True)
def stores() -> Iterator[None]:
    for store in (Elsewhere, Broken):
        fsspec.register_implementation(store.protocol, store, clobber=True)
    yield
    fsspec.filesystem("memory").store.clear()


def write(destination: RemoteDestination, data: bytes = b"data") -> int:
    with destination:
        return sum(1 for _ in destination.write(data))


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("a/b.ipynb", Path("a/b.ipynb")),
        ("s3://b/c.ipynb", Address("s3://b/c.ipynb")),
        ("file:///a/b%20c.ipynb", Path("/a/b c.ipynb")),
        ("a::b://c", Path("a::b://c")),
        ("c:/x", Path("c:/x")),
    ],
)
def test_places(written: str, found: object) -> None:
    """What begins as an address is one; a file's is its path."""
    assert place(written) == found
    assert str(found).startswith(local(written)[:3])


def test_addresses_are_shown_without_secrets() -> None:
    """Neither a password nor a signature is told, or written into a notebook."""
    address = Address("https://me:secret@host:8000/a/b.ipynb?sig=secret#secret")
    assert str(address) == "https://host:8000/a/b.ipynb"
    assert address.path.name == "b.ipynb"
    with pytest.raises(NotebookError) as refusal, address.explaining("read"):
        raise ValueError(f"403, url={address.url}, user me:secret")
    assert "secret" not in str(refusal.value)
    assert "403" in str(refusal.value)


async def test_a_run_elsewhere() -> None:
    """A notebook, or a script, is read from a store, and its result is written there."""
    store = fsspec.filesystem("memory")
    store.pipe("/in/a.ipynb", nbformat.writes(notebook("6 * 7")).encode())
    store.pipe("/in/a.py", b"# %%\n6 * 7")
    assert read_source(Address("memory://in/a.py")).cells[0].source == "6 * 7"
    nb = read_source(Address("memory://in/a.ipynb"))
    await run_notebook(nb, RemoteDestination(Address("memory://out/a.ipynb")), RunOptions(kernel=PLAIN))
    assert nbformat.reads(store.cat("/out/a.ipynb"), 4).cells[0].outputs[0].data["text/plain"] == "42"


def test_files_are_whole(tmp_path: Path) -> None:
    """Where a store has files, one gets its name once it is whole."""
    write(RemoteDestination(Address(f"sftp://host{tmp_path}/a.ipynb")))
    assert [path.name for path in tmp_path.iterdir()] == ["a.ipynb"]
    assert (tmp_path / "a.ipynb").read_bytes() == b"data"
    assert Elsewhere.moved == ["a.ipynb"]


def kept_in(sentence: str) -> Path:
    return Path(sentence.rsplit(maxsplit=1)[-1].rstrip("."))


def test_what_cannot_be_written_is_kept() -> None:
    """A store that refuses is no reason to lose an hour's work; its own words are one sentence."""
    with pytest.raises(
        NotebookError, match=r"^cannot write broken:///a: AccessDenied \(status 403\)\. The"
    ) as failure:
        write(RemoteDestination(Address("broken:///a")))
    kept = kept_in(str(failure.value))
    assert kept.read_bytes() == b"data"
    kept.unlink()


def test_nobody_waits(tmp_path: Path) -> None:
    """A writer that is given up leaves the notebook here."""
    destination = RemoteDestination(Address("broken:///slow"))
    with destination:
        writing = destination.write(b"data")
        next(writing)
        writing.close()
    Broken.waiting.set()
    kept = kept_in(destination.unread)
    assert kept.read_bytes() == b"data"
    kept.unlink()


@pytest.mark.parametrize("address", ["memory://nonesuch.ipynb", "nonesuch://x/y.ipynb"])
def test_what_cannot_be_read(address: str) -> None:
    """What is not there, and a store that nobody knows, are refused in one sentence."""
    with pytest.raises(NotebookError, match=f"^cannot (read|reach) {address}: ") as refusal:
        read_source(Address(address))
    assert "\n" not in str(refusal.value)


def test_without_fsspec(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where fsspec is not installed, the refusal says what to install."""
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    for use in (
        lambda: read_source(Address("s3://b/a.ipynb")),
        lambda: write(RemoteDestination(Address("s3://b/a"))),
    ):
        with pytest.raises(NotebookError, match=r"Install fsspec and its driver for s3://"):
            use()
