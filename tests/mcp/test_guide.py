"""The guide: its configuration is one that works, and its numbers are the code's."""

import json
import re
from pathlib import Path

from mcp import Client

from sandbox_kernel.mcp import content, server
from sandbox_kernel.mcp.desk import Desk
from sandbox_kernel.mcp.server import make_server
from sandbox_kernel.session import AsyncSandbox
from tests.mcp.conftest import PROGRAM, Session, text_of

GUIDE = (Path(__file__).parents[2] / "examples" / "guides" / "mcp.md").read_text()


def test_the_configuration() -> None:
    """What stands in the file for a client starts a server that answers."""
    (text,) = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    entry = json.loads(text)["mcpServers"]["python"]
    assert entry["command"] == PROGRAM.name
    assert entry["args"][0] == "mcp"
    session = Session(*entry["args"][1:])
    try:
        assert text_of(session.call("run_code", code="6 * 7")) == "42"
        assert "2 GiB memory" in session.client.instructions
        assert "5 min time of a call" in session.client.instructions
    finally:
        session.close()


async def test_the_tools() -> None:
    """The table has every tool, and no other, each with its arguments."""
    async with Client(make_server(Desk(AsyncSandbox()), "")) as client:
        tools = (await client.list_tools()).tools
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|", GUIDE, re.MULTILINE)
    told = {name: set(re.findall(r"`(\w+)`", arguments)) for name, arguments in rows}
    assert told == {tool.name: set(tool.input_schema["properties"]) for tool in tools}


def test_the_numbers() -> None:
    """The bounds that the guide names are kept."""
    told = " ".join(GUIDE.split())
    assert f"{content.MAX_TEXT:,} characters of text and {content.MAX_IMAGES} pictures" in told
    assert f"of {content.MAX_IMAGE >> 20} MiB; HTML" in told
    assert f"has at most {server.MAX_FILE >> 20} MiB" in told
    assert f"at most {server.DEFAULT_SECONDS:g} seconds unless the model asks" in told
