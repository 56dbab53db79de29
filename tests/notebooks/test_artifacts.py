"""What leaves a sandbox as a file: what was asked for, and nothing that a lie has made of it."""

import asyncio
import hashlib
import os
import resource
import stat
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox_kernel.errors import NotebookError, TransferError
from sandbox_kernel.notebooks import DEFAULT_KERNEL, NotebookRun, Outcome, Result, RunOptions, artifacts
from sandbox_kernel.notebooks.artifacts import Artifact, Collected, collect, fault_of
from sandbox_kernel.notebooks.shelves import ZipShelf, shelf
from sandbox_kernel.notebooks.transfer import Entry, KernelFiles
from tests.leftovers import Census
from tests.notebooks.runs import PLAIN, Watcher, notebook, run, saved

MAKE = "import os, pathlib\nhere = pathlib.Path(os.environ['SANDBOX_ARTIFACTS'])\n"
BUSY = "print('busy', flush=True)\nwhile True: pass"


async def harvest(place: Path, *cells: str, kernel: str = DEFAULT_KERNEL, **options: object) -> Result:
    directory = place.parent
    return await run(notebook(*cells), None, kernel=kernel, directory=directory, artifacts=place, **options)


def found(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def unpacked(place: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(place) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("profile", ["default", "strict"])
async def test_into_a_folder(directory: Path, profile: str, no_leftovers: Census) -> None:
    """What the code has left is there, byte by byte, with folders; the result names it with its hash."""
    code = """
(here / "sub" / "deep").mkdir(parents=True)
(here / "sub" / "deep" / "x").write_bytes(bytes(range(256)) * 3000)
(here / "Größe 1.txt").write_text("x")
(here / "empty").touch()
(here / ".hidden").touch()
"""
    place = directory / "out"
    result = await harvest(place, MAKE + code, policy={"profile": profile})
    data = bytes(range(256)) * 3000
    assert found(place) == {"sub/deep/x": data, "Größe 1.txt": b"x", "empty": b"", ".hidden": b""}
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert Artifact("sub/deep/x", len(data), digest) in result.artifacts
    assert {"name": "sub/deep/x", "size_bytes": len(data), "sha256": digest} in result.to_json()["artifacts"]
    assert result.left_out == ()


async def test_into_a_zip(directory: Path) -> None:
    """A name that ends in .zip is a zip file, the same for the same artifacts, and replaces another."""
    place = directory / "out.zip"
    archives = []
    for _ in range(2):
        await harvest(place, MAKE + "(here / 'b').mkdir()\n(here / 'b/a.txt').write_text('a' * 100_000)")
        archives.append(place.read_bytes())
    assert archives[0] == archives[1]
    assert unpacked(place) == {"b/a.txt": b"a" * 100_000}
    assert len(archives[0]) < 10_000


async def test_only_where_asked_for(directory: Path) -> None:
    """Without a place for artifacts there is no variable, and the result has none."""
    nb = notebook("import os; assert 'SANDBOX_ARTIFACTS' not in os.environ")
    result = await run(nb, None, kernel=DEFAULT_KERNEL, directory=directory)
    assert (result.outcome, result.artifacts, result.left_out) == (Outcome.OK, (), ())


ENDS = [
    ("1 / 0", {}, Outcome.ERROR),
    ("while True: pass", {"cell_timeout": 2}, Outcome.TIMEOUT),
    ("while True: pass", {"policy": {"cell_timeout": "2s"}}, Outcome.TIMEOUT),
]


@pytest.mark.parametrize(("ending", "options", "outcome"), ENDS)
async def test_after_an_early_end(
    directory: Path, ending: str, options: dict[str, object], outcome: Outcome
) -> None:
    """After an error and after a deadline, whoever kept it, what was left until then is collected."""
    place, target = directory / "out", directory / "out.ipynb"
    nb = notebook(MAKE + "(here / 'a').write_text('a')", ending)
    result = await run(nb, target, kernel=DEFAULT_KERNEL, directory=directory, artifacts=place, **options)
    assert (result.outcome, found(place)) == (outcome, {"a": b"a"})
    stored = saved(target).metadata.sandbox_kernel
    assert (stored.outcome, [one.name for one in stored.artifacts]) == (outcome, ["a"])


DEAF = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
LOST = [
    ("os._exit(1)", {}, Outcome.DIED, "the sandbox that held them is gone"),
    (DEAF, {"cell_timeout": 1}, Outcome.TIMEOUT, "did not come to its end"),
]


@pytest.mark.parametrize(("ending", "options", "outcome", "words"), LOST)
async def test_out_of_reach(
    directory: Path, ending: str, options: dict[str, object], outcome: Outcome, words: str
) -> None:
    """Where the kernel is gone, or will not listen, the result says that nothing could be collected."""
    result = await harvest(directory / "out.zip", MAKE + "(here / 'a').touch()", ending, **options)
    assert (result.outcome, result.artifacts) == (outcome, ())
    assert words in result.left_out[0]
    assert not (directory / "out.zip").exists()


async def test_a_kernel_that_did_not_start_in_time(directory: Path) -> None:
    """Before there is a folder for artifacts nothing is taken, least of all what the kernel lies beside."""
    (directory / "data").write_text("not an artifact")
    result = await harvest(directory / "out", "1", timeout=0.01)
    assert (result.outcome, result.left_out) == (Outcome.TIMEOUT, (artifacts.NO_KERNEL,))
    assert found(directory / "out") == {}


async def test_cancelled(directory: Path) -> None:
    """A run that is cancelled ends at once: its artifacts stay behind, and the result says so."""
    watcher = Watcher()
    options = RunOptions(directory=directory, artifacts=directory / "out")
    job = NotebookRun(notebook(BUSY), None, options, watcher)
    running = asyncio.create_task(job.execute())
    await watcher.said("busy")
    job.cancel()
    result = await running
    assert (result.outcome, result.left_out) == (Outcome.CANCELLED, (artifacts.CANCELLED,))


HOSTILE = r"""
import threading, socket
(here / "good").write_bytes(b"good")
os.symlink("/etc/passwd", here / "link")
os.symlink("/etc", here / "folder-link")
os.symlink("good", here / "inner-link")
os.mkfifo(here / "pipe")
socket.socket(socket.AF_UNIX).bind(str(here / "socket"))
(here / "sparse").touch()
os.truncate(here / "sparse", 10 << 30)
for name in (b"new\nline", b"\xff\xfe", b"\x1b[2Jred", b"back\\slash", "\u202egpj.exe".encode()):
    open(os.path.join(os.fsencode(here), name), "w").close()
deep = here
for _ in range(40):
    deep = deep / "d"
    deep.mkdir()
(deep / "x").touch()
(here / "secret").touch()
(here / "secret").chmod(0)
log = open(here / "growing", "w")
log.write("x" * 1000)
log.flush()
def grow():
    while log.tell() < 30 << 20: log.write("x" * 100_000)
threading.Thread(target=grow, daemon=True).start()
"""


async def test_what_is_no_plain_file(directory: Path, no_leftovers: Census) -> None:
    """Links, pipes, sockets, strange names, too much and too deep are left out, each with its sentence."""
    place = directory / "out"
    result = await harvest(place, MAKE + HOSTILE)
    there = found(place)
    assert there.pop("growing").startswith(b"x" * 1000)
    assert there == {"good": b"good"}
    assert not any(path.is_symlink() for path in place.rglob("*"))
    assert [one.name for one in result.artifacts] == ["good", "growing"]
    for words in (
        "link was left out: it is a link",
        "folder-link was left out: it is a link",
        "inner-link was left out: it is a link",
        "pipe was left out: it is a pipe",
        "socket was left out: it is a socket",
        "sparse was left out: it has 10 GiB, and all artifacts may have 1 GiB",
        "is not UTF-8: '\\udcff\\udcfe'",
        "names should not have: 'new\\nline'",
        "names should not have: '\\x1b[2Jred'",
        "names should not have: 'back\\\\slash'",
        "names should not have: '\\u202egpj.exe'",
        "it is a folder, no file",
        "secret was left out: ",
    ):
        assert any(words in sentence for sentence in result.left_out), (words, result.left_out)
    assert all(sentence.isprintable() for sentence in result.left_out)


async def test_too_many(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five thousand files there come as many as may, and it is said that there are more."""
    monkeypatch.setattr(artifacts, "MAX_FILES", 30)
    result = await harvest(directory / "out.zip", MAKE + "for n in range(5000): (here / f'f{n}').touch()")
    assert len(result.artifacts) == len(unpacked(directory / "out.zip")) == 30
    assert result.left_out == ("There are more than 30 artifacts; the rest was left out: pack them.",)


LIES = r"""
import json
(here / "real").write_text("real")
dumps = json.dumps
def lie(value, *rest, **options):
    if isinstance(value, dict) and "entries" in value:
        names = "../up /abs a/../../b . x/ nul\0l none none none/under real ok/y".split(" ") + [""]
        value["entries"] = [[name, "file", 4] for name in names]
    return dumps(value, *rest, **options)
json.dumps = lie
"""


async def test_names_of_a_lying_kernel(directory: Path) -> None:
    """Whatever names a kernel makes up, nothing is written but below the place."""
    place = directory / "a" / "b" / "out"
    place.parent.mkdir(parents=True)
    before = set(directory.rglob("*"))
    options = {"kernel": DEFAULT_KERNEL, "directory": directory, "artifacts": place}
    result = await run(notebook(MAKE + LIES), None, **options)
    assert found(place) == {"real": b"real"}
    assert set(directory.rglob("*")) - before == {place, place / "real", place / "ok", place / "none"}
    assert sum("does not lead to a file below" in sentence for sentence in result.left_out) == 6
    assert any("left out the second time" in sentence for sentence in result.left_out)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "/", "/a", "a/", "a//b", "a/./b", "../a", "a/../b", "a\\b", "a\0", "a\n", "a\x7f",
     "a\u202e", "a\u2028", "\ud800", "a" * 256, "/".join("a" * 34)],
)  # fmt: skip
def test_names_that_are_refused(name: str) -> None:
    """A name that leads elsewhere, that no file system takes, or that deceives its reader has a fault."""
    assert fault_of(name) is not None


@pytest.mark.parametrize("name", ["a", "a b/c.txt", "...", "..a", "-rf", "a:b", "Größe", "図.png", "a" * 255])
def test_names_that_are_taken(name: str) -> None:
    """Plain names have no fault."""
    assert fault_of(name) is None


class Lying(KernelFiles):
    """The files of a kernel that says what it likes."""

    def __init__(self, entries: list[Entry], content: bytes) -> None:
        super().__init__(lambda *_: asyncio.sleep(0, {}))
        self._entries, self._content = entries, content

    async def names(self, path: str, *, most: int) -> AsyncIterator[Entry]:
        for entry in self._entries[:most]:
            yield entry

    async def read(self, path: str, *, limit: int | None, follow: bool = True) -> AsyncIterator[bytes]:
        assert not follow
        yield self._content


async def collected(place: Path, entries: list[Entry], content: bytes) -> Collected:
    with shelf(place) as where:
        return await collect(Lying(entries, content), "/tmp/artifacts", where, seconds=60)


@pytest.mark.parametrize("name", ["out", "out.zip"])
async def test_more_or_less_than_announced(directory: Path, name: str) -> None:
    """More bytes than announced are cut off; a file that has less does not arrive, not even in part."""
    place = directory / name
    told = await collected(place, [Entry("a", "file", 3), Entry("sub/b", "file", 9)], b"abcdef")
    assert [one.size for one in told.artifacts] == [3]
    assert told.left_out == ("sub/b was left out: it became shorter while it was read.",)
    assert (unpacked if name.endswith(".zip") else found)(place) == {"a": b"abc"}


async def test_all_together_too_large(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is one for all: what would be over it is left out, what comes after and fits is not."""
    monkeypatch.setattr(artifacts, "MAX_BYTES", 10)
    entries = [Entry("a", "file", 6), Entry("b", "file", 6), Entry("c", "file", 4), Entry("d", "file", 1)]
    told = await collected(directory / "out", entries, b"abcdef")
    assert [one.name for one in told.artifacts] == ["a", "c"]
    assert len(told.left_out) == 2


async def test_no_time_left(directory: Path) -> None:
    """When the time is up, what is there stays, and the rest is said to be missing."""
    for first in (
        Entry("a", "file", 1),
        Entry("../a", "file", 1),
    ):  # nor is a list of such names read to its end
        with shelf(directory / "out") as where:
            told = await collect(Lying([first, first], b"a"), "/", where, seconds=-1)
        assert len(told.left_out) == 1
        assert told.left_out[0].endswith(" on were left out: their time had passed.")


async def test_many_sentences(directory: Path) -> None:
    """A result carries some sentences on what was left out, and counts the rest."""
    told = await collected(directory / "out", [Entry(f"{n}", "link", 1) for n in range(100)], b"")
    assert len(told.left_out) == artifacts.MAX_SENTENCES + 1
    assert told.left_out[-1] == "80 more were left out."


async def test_links_in_the_folder_are_not_followed(directory: Path) -> None:
    """A link that stands where an artifact goes is replaced, or in the way: never followed."""
    outside, place = directory / "outside", directory / "out"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    place.mkdir()
    (place / "sub").symlink_to(outside)
    (place / "kept").symlink_to(outside / "kept")
    (place / "folder").mkdir()
    entries = [Entry(name, "file", 3) for name in ("sub/new", "kept", "folder")]
    told = await collected(place, entries, b"new")
    assert found(outside) == {"kept": b"kept"}
    assert (place / "kept").read_text() == "new"
    assert not (place / "kept").is_symlink()
    assert [one.name for one in told.artifacts] == ["kept"]
    assert sorted(os.listdir(place)) == ["folder", "kept", "sub"]  # and nothing half done


async def test_permissions_are_the_users(directory: Path) -> None:
    """Files come with what the user's mask leaves, and nobody may execute them."""
    await collected(directory / "out", [Entry("a", "file", 1)], b"a")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((directory / "out" / "a").stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("name", ["file", "missing/out", "missing/out.zip", "dir.zip", "pipe.zip"])
async def test_places_that_cannot_be(directory: Path, name: str) -> None:
    """A place that takes no artifacts is refused before anything runs."""
    (directory / "file").touch()
    (directory / "dir.zip").mkdir()
    os.mkfifo(directory / "pipe.zip")
    ran = directory / "ran"
    with pytest.raises(NotebookError, match="cannot"):
        await harvest(directory / name, f"open({str(ran)!r}, 'w')", kernel=PLAIN)
    assert not ran.exists()


async def test_a_zip_that_cannot_be_written(directory: Path) -> None:
    """A disk that is full at the end loses the artifacts, which is said: not the run."""
    place = directory / "a" / "out.zip"
    place.parent.mkdir()
    watcher = Watcher()
    options = RunOptions(directory=directory, artifacts=place)
    job = NotebookRun(notebook(MAKE + "(here / 'a').touch()\nprint('left')"), None, options, watcher)
    running = asyncio.create_task(job.execute())
    await watcher.said("left")
    place.parent.rmdir()
    result = await running
    assert (result.outcome, result.artifacts) == (Outcome.OK, ())
    assert result.left_out[0].startswith("The artifacts were lost: cannot write ")
    assert watcher.warnings == list(result.left_out)


def test_a_zip_has_no_half_of_a_file(tmp_path: Path) -> None:
    """Where the disk was full in the middle of a file there is no archive, though there be room again."""
    place, content = tmp_path / "out.zip", os.urandom(50_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with ZipShelf(place) as held:
        with held.place("a") as file:
            file.write(content)
        resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, hard))
        try:
            with pytest.raises(OSError, match="File too large"), held.place("b") as file:
                file.write(content)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        with pytest.raises(NotebookError, match=r"cannot put artifacts into .*: File too large\."):
            held.finish()
    assert not place.exists()


async def test_a_kernel_without_a_wall(directory: Path) -> None:
    """Where the folder would stay on the host, it is removed when its files have been taken."""
    code = MAKE + "(here / 'a').touch()\n(here / 'where').write_text(str(here))"
    result = await harvest(directory / "out", code, kernel=PLAIN)
    assert sorted(one.name for one in result.artifacts) == ["a", "where"]
    assert not Path((directory / "out" / "where").read_text()).exists()


async def test_kernels_that_cannot(directory: Path) -> None:
    """A kernel that does not answer as Python's do is refused in one sentence, before it runs anything."""

    class Mute(KernelFiles):
        async def make(self, name: str, variable: str) -> str:
            raise TransferError("The kernel did not answer.")

    place = artifacts.Harvest(directory / "out")
    with place, pytest.raises(NotebookError, match="no artifacts can be collected of kernel 'ir'"):
        await place.prepare(Mute(lambda *_: asyncio.sleep(0, {})), "ir")
