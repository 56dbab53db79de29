"""The server as a program, and the SDK's own client at its other end."""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, Tool

PROGRAM = Path(sys.executable).with_name("sandbox-kernel")
PATIENCE = 100


class Session:
    """A client in a thread of its own, so that tests need not wait for what they call."""

    def __init__(self, *arguments: str) -> None:
        self._server = StdioServerParameters(
            command=str(PROGRAM), args=["mcp", *arguments], env=dict(os.environ)
        )
        self._connected: Future[Client] = Future()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._talk()])
        self._thread.start()
        self.client = self._connected.result(PATIENCE)

    async def _talk(self) -> None:
        try:
            async with Client(self._server) as client:
                self._connected.set_result(client)
                await self._over.wait()
        except BaseException as error:
            if not self._connected.done():
                self._connected.set_exception(error)
            raise

    def tools(self) -> list[Tool]:
        """Return what the server offers."""
        return asyncio.run_coroutine_threadsafe(self.client.list_tools(), self._loop).result(PATIENCE).tools

    def begin(self, tool: str, **arguments: Any) -> Future[CallToolResult]:
        """Call a tool, and do not wait for its answer."""
        return asyncio.run_coroutine_threadsafe(self.client.call_tool(tool, arguments), self._loop)

    def call(self, tool: str, **arguments: Any) -> CallToolResult:
        """Call a tool and return its answer."""
        return self.begin(tool, **arguments).result(PATIENCE)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(PATIENCE)
        self._loop.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is shared with the sandbox of the session."""
    path = tmp_path_factory.mktemp("shared")
    path.chmod(0o755)
    (path / "data.txt").write_text("forty-two")
    return path


@pytest.fixture(scope="module")
def signals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where code in the sandbox can tell a test something while it runs."""
    path = tmp_path_factory.mktemp("signals")
    path.chmod(0o777)
    return path


@pytest.fixture(scope="module")
def session(folder: Path, signals: Path) -> Iterator[Session]:
    """One session for all tests of a module: each has its own names."""
    session = Session("--memory", "256m", "--directory", str(folder), "--mount", f"{signals}:rw")
    yield session
    session.close()


def text_of(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")
