"""Files in and out of a kernel, whose every answer may be a lie."""

import base64
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from sandbox_kernel.errors import TransferError
from sandbox_kernel.notebooks import DEFAULT_KERNEL
from sandbox_kernel.notebooks.client import CellClient
from sandbox_kernel.notebooks.transfer import PIECE, SENT, KernelFiles
from tests.notebooks.runs import PLAIN, text_of


class Kernel:
    """A kernel between two cells, and its files."""

    def __init__(self, client: CellClient) -> None:
        self.client = client
        self.files = KernelFiles(client.ask)

    async def run(self, code: str) -> str:
        """Run a cell and return what it printed, or showed."""
        self.client.nb.cells = [new_code_cell(code)]
        cell = await self.client.async_execute_cell(self.client.nb.cells[0], 0)
        shown = [output.data["text/plain"] for output in cell.outputs if "data" in output]
        return text_of(cell) + "".join(shown)

    async def read(self, path: str, limit: int = 1 << 30) -> bytes:
        return b"".join([piece async for piece in self.files.read(path, limit=limit)])


@asynccontextmanager
async def kernel(directory: Path, name: str = DEFAULT_KERNEL, **policy: object) -> AsyncIterator[Kernel]:
    settings = policy if name == DEFAULT_KERNEL else None
    client = CellClient(new_notebook(), heard=lambda *_: None, kernel_name=name, settings=settings)
    try:
        await client.start(str(directory), 60)
        yield Kernel(client)
    finally:
        await client.close(now=True)


@pytest.mark.parametrize("policy", [{}, {"profile": "strict"}, {"code": "1k", "output": "16k"}])
async def test_both_ways(directory: Path, policy: dict[str, object]) -> None:
    """Files of every length arrive as they are, whatever the policy lets cells print or be sent."""
    async with kernel(directory, **policy) as there:
        for size in (0, 1, PIECE, PIECE + 1, 2 * SENT + 3):
            data = os.urandom(size)
            await there.files.write("~/new/folder/data.bin", data)
            assert await there.read("~/new/folder/data.bin") == data
        left = await there.run("import os; print(os.listdir(os.path.expanduser('~/new/folder')))")
        assert left == "['data.bin']\n"


async def test_no_trace(directory: Path) -> None:
    """The notebook's code does not see that a file was moved: names, history, `_` and counts stay."""
    names = "print(sorted(globals()), In[-2:], sorted(Out), get_ipython().execution_count)"
    async with kernel(directory, PLAIN) as plain, kernel(directory) as moved:
        told = []
        for one in (plain, moved):
            await one.run("open = list = bytes = exec = get_ipython\n_x = 6 * 7\n_x")
            if one is moved:
                await one.files.write("~/a", b"a")
                assert await one.read("~/a") == b"a"
                with pytest.raises(TransferError):
                    await one.read("/nowhere")
            told.append((await one.run("_"), await one.run(names)))
        assert told[0] == told[1]
        assert told[0][0] == "42"


async def test_refusals(directory: Path) -> None:
    """What cannot be moved is refused in one sentence, before it is moved where that can be known."""
    async with kernel(directory, tmp="16m") as there:
        await there.run("import os; os.chdir('/tmp'); os.mkfifo('pipe'); open('big', 'w').truncate(10 << 30)")
        for path, words in {
            "/tmp/pipe": "it is not a file",
            "/tmp": "it is not a file",
            "/tmp/none": "/tmp/none: No such file or directory.",
            "big": "big has more than 1 MiB.",
        }.items():
            with pytest.raises(TransferError, match=words):
                await there.read(path, 1 << 20)
        with pytest.raises(TransferError, match="Read-only file system"):
            await there.files.write("/usr/bin/new", b"x")
        with pytest.raises(TransferError, match="No space left"):
            await there.files.write("/tmp/full", bytes(17 << 20))
        assert ".part" not in await there.run("print(os.listdir('/tmp'))")


GROW = """
import os
pread = os.pread
def grow(descriptor, size, offset):
    with open("/tmp/log", "ab") as file:
        file.write(bytes(2 * size))
    return pread(descriptor, size, offset)
os.pread = grow
open("/tmp/log", "w").close()
"""


async def test_a_file_that_grows(directory: Path) -> None:
    """A file that grows faster than it is read ends at the limit."""
    async with kernel(directory) as there:
        await there.run(GROW)
        with pytest.raises(TransferError, match="more than 1 MiB"):
            await there.read("/tmp/log", 1 << 20)


async def test_a_kernel_that_is_gone(directory: Path) -> None:
    """A kernel that dies while it is asked is an error, not a wait."""
    async with kernel(directory) as there:
        await there.run("import os; os.pread = lambda *_: os._exit(3)\nopen('/tmp/a', 'w').write('a')")
        with pytest.raises(TransferError, match=r"exit status 3|gone"):
            await there.read("/tmp/a")


LIES = """
import base64, os
open("/tmp/a", "w").write("a")
honest = base64.b64encode, os.pread, get_ipython().user_expressions
def say(text):
    base64.b64encode = lambda data: honest[0](text)
"""
PATCHES = {
    "nothing to read": "os.pread = lambda *_: 1 / 0",
    "more than it has": "base64.b64encode = lambda data: b'x' * 1_000_000",
    "no base64": "base64.b64encode = lambda data: b'!!'",
    "no JSON": "say(b'[' * 90_000)",
    "another shape": "say(b'[1, 2]')",
    "another type": """say(b'{"size": "1"}')""",
    "no such number": """say(b'{"size": -1}')""",
    "a long error": """say(b'{"error": "' + b'\\x1b[2J' * 20_000 + b'"}')""",
    "no answer": "get_ipython().user_expressions = lambda expressions: {}",
    "an answer of another kind": "get_ipython().user_expressions = lambda expressions: {'answer': [1]}",
}


async def test_a_kernel_that_lies(directory: Path) -> None:
    """Whatever a patched kernel answers, it is a file's content or an error in one printable sentence."""
    async with kernel(directory) as there:
        await there.run(LIES)
        for patch in PATCHES.values():
            await there.run(patch)
            with pytest.raises(TransferError) as refused:
                await there.read("/tmp/a")
            assert str(refused.value).isprintable()
            assert len(str(refused.value)) < 600
            await there.run("base64.b64encode, os.pread, get_ipython().user_expressions = honest")
        assert await there.read("/tmp/a") == b"a"
        await there.run("import builtins\nbuiltins.open = os.listdir = None")
        assert await there.read("/tmp/a") == b"a"
        await there.run("os.scandir = lambda *_: [1, 2]")
        with pytest.raises(TransferError, match="list"):
            _ = [name async for name in there.files.names("/tmp", most=9)]


def lying(*answers: tuple[object, bytes]) -> KernelFiles:
    """Return the files of a kernel that answers this, and the last of it for ever."""
    left = list(answers)

    async def ask(content: dict[str, Any], buffers: Sequence[bytes]) -> dict[str, Any]:
        said, data = left.pop(0) if len(left) > 1 else left[0]
        text = base64.b64encode(json.dumps(said).encode() + b"\n" + data).decode()
        shown = {"status": "ok", "data": {"text/plain": f"'{text}'"}}
        return {"status": "ok", "user_expressions": {"answer": shown}}

    return KernelFiles(ask)


async def test_more_than_was_announced() -> None:
    """A file that never ends, whatever size it had at first, ends at the limit."""
    read = 0
    with pytest.raises(TransferError, match="more than 1 MiB"):
        async for piece in lying(({"size": 5}, bytes(PIECE))).read("a", limit=1 << 20):
            read += len(piece)
    assert read <= 1 << 20
    with pytest.raises(TransferError, match="more than it was asked for"):
        _ = [piece async for piece in lying(({"size": 5}, bytes(PIECE + 1))).read("a", limit=None)]


@pytest.mark.parametrize(
    "entries",
    [
        *(
            None,
            [1],
            [["a", "file"]],
            [["a", "file", "1"]],
            [["a", "file", -1]],
            [[1, "file", 1]],
            [{}],
            "abc",
        ),
        pytest.param([["a", "file", 10**4000]], id="endless"),
    ],
)
async def test_a_listing_that_is_none(entries: object) -> None:
    """A listing is entries of three, or refused."""
    with pytest.raises(TransferError, match="nonsense"):
        _ = [name async for name in lying(({"entries": entries, "more": True}, b"")).names("a", most=9)]


async def test_a_listing_without_an_end() -> None:
    """A listing that goes on for ever ends at what was asked for; one that gets longer is refused."""
    one = ({"entries": [["a", "file", 1]], "more": True}, b"")
    assert len([name async for name in lying(one).names("a", most=9)]) == 9
    ten = ({"entries": [["a", "file", 1]] * 10, "more": True}, b"")
    with pytest.raises(TransferError, match="nonsense"):
        _ = [name async for name in lying(ten).names("a", most=9)]


async def test_a_write_that_was_cut() -> None:
    """A kernel that has less than it was sent has not written the file."""
    with pytest.raises(TransferError, match="not written whole"):
        await lying(({"size": 1}, b"")).write("a", b"abc")


async def test_a_secret_stays_inside(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that holds a secret of the policy does not come out: nor is it damaged in silence."""
    monkeypatch.setenv("TOKEN", "a-token-that-nobody-may-see")
    async with kernel(directory, secrets=["TOKEN:env"]) as there:
        await there.run("import os; open('/tmp/a', 'w').write(os.environ['TOKEN'])")
        with pytest.raises(TransferError, match="secret of its policy"):
            await there.read("/tmp/a")
