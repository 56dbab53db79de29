"""The tools that a model has, and what it is told of them.

Errors of code are results, with `isError`: the model is to read them and to go on. So is whatever else
goes wrong with a call. Nothing but the protocol goes to standard output: the SDK keeps that
descriptor to itself, and gives everybody else standard error.
"""

import asyncio
import binascii
import errno
import inspect
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import wraps
from typing import Annotated, Final, Literal, ParamSpec

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import Field

from sandbox_kernel import __version__
from sandbox_kernel.errors import SandboxError, TransferError
from sandbox_kernel.mcp.content import MAX_IMAGES, MAX_TEXT, Page, failure, picture
from sandbox_kernel.mcp.desk import Desk
from sandbox_kernel.mcp.notebooks import executed, run_cells
from sandbox_kernel.notebooks.files import parse_notebook
from sandbox_kernel.session import AsyncSandbox

Arguments = ParamSpec("Arguments")

DEFAULT_SECONDS: Final = 50.0
"""A call's deadline where nobody has said another. Clients wait for a minute, as a rule, and then drop what
comes: so that a model hears that the time was short, and sees what was printed by then."""
MAX_SECONDS: Final = 3600.0
"""The longest that a model may ask for; the policy's `cell_timeout` binds as well."""
MAX_FILE: Final = 8 << 20
"""Bytes of a file that crosses in a call: it is one line of JSON, in a model's hands as a rule."""
CLOSING_SECONDS: Final = 5.0
"""How long the end of the sandbox may take, before the end of this process takes care of it."""
WRITABLE: Final = " ~ (the home inside) and /tmp can be written."
_NOT_WRITABLE: Final = (os.strerror(errno.EROFS), os.strerror(errno.EACCES))
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

INSTRUCTIONS: Final = """\
Runs Python in a sandbox: a kernel as of a Jupyter notebook, behind a wall. Variables, imports and files \
stay from one call to the next, until `reset` or until the sandbox ends, which the answer then says.

- There is no network: nothing can be downloaded or installed. What is installed can be imported.
- Files of the user are not there{workspace}. Bring data in with `put_file`, results out with `get_file`.
- The last expression of the code is shown, as in a notebook; pictures of matplotlib come back as images.
- Limits: {limits}. Where one ends the sandbox, the answer says which.
- Answers have at most {text} characters of text and {images} pictures: write large results into files, and \
print summaries."""

Seconds = Annotated[
    float,
    Field(gt=0, le=MAX_SECONDS, description="Seconds after which the code is interrupted; state is kept."),
]
Path = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4096,
        description="A path inside the sandbox, from where code runs; ~ is its home.",
    ),
]


def instructions(limits: str, workspace: str) -> str:
    """Return what a model is told first.

    :param workspace: what is said of the folder that is shared, "" without one.
    """
    return INSTRUCTIONS.format(limits=limits, workspace=workspace, text=MAX_TEXT, images=MAX_IMAGES)


def answering(
    tool: Callable[Arguments, Awaitable[CallToolResult]],
) -> Callable[Arguments, Awaitable[CallToolResult]]:
    """Have a tool answer with what our own errors say."""

    @wraps(tool)
    async def answer(*args: Arguments.args, **kwargs: Arguments.kwargs) -> CallToolResult:
        try:
            return await tool(*args, **kwargs)
        except SandboxError as error:
            return failure(str(error))

    return answer


class Tools:
    """What can be called, for one session."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def run_code(
        self,
        code: Annotated[str, Field(description="Python, as in a notebook's cell.")],
        timeout_seconds: Seconds = DEFAULT_SECONDS,
    ) -> CallToolResult:
        """Run Python code in the sandbox and return what it prints, shows and evaluates to.

        State is kept between calls. An error comes back with its traceback.
        """
        async with self._desk.turn() as (sandbox, page):
            execution = await sandbox.run(code, timeout=timeout_seconds)
            page.execution(execution)
        return page.result(failed=not execution.ok)

    async def run_notebook(
        self,
        notebook: Annotated[
            str, Field(description="The .ipynb file's content (JSON); empty: read `path`.")
        ] = "",
        path: Annotated[str, Field(description="A notebook's path inside the sandbox.")] = "",
        save_as: Annotated[str, Field(description="Where, inside, the executed notebook is saved.")] = "",
        timeout_seconds: Seconds = DEFAULT_SECONDS,
    ) -> CallToolResult:
        """Run a Jupyter notebook's code cells in the sandbox, from top to bottom, up to the first error.

        It is given by its content or by a path inside. It sees variables of earlier calls (`reset` first
        if it must not), and later calls see its. The time is for each cell.
        """
        if bool(notebook) == bool(path):
            return failure("Say either `notebook`, its content, or `path`, where it is inside the sandbox.")
        async with self._desk.turn() as (sandbox, page):
            text = notebook or (await sandbox.get_file(path, limit=MAX_FILE)).decode("utf-8", "replace")
            nb = await asyncio.to_thread(parse_notebook, text, path or "the notebook")
            well = await run_cells(sandbox, nb, page, timeout_seconds)
            if save_as:
                await sandbox.put_file(save_as, await asyncio.to_thread(executed, nb), limit=MAX_FILE)
                page.note(f"Saved as {save_as}.")
        return page.result(failed=not well)

    async def put_file(
        self,
        path: Path,
        content: Annotated[str, Field(description="The file's content: text, or base64 of any bytes.")],
        encoding: Annotated[
            Literal["text", "base64"], Field(description="How `content` is written.")
        ] = "text",
    ) -> CallToolResult:
        """Write a file inside the sandbox, in place of one that is there. Its folders are made."""
        try:
            data = content.encode() if encoding == "text" else binascii.a2b_base64(content, strict_mode=True)
        except ValueError as error:
            return failure(f"`content` is not {encoding}: {error}.")
        async with self._desk.turn() as (sandbox, page):
            try:
                await sandbox.put_file(path, data, limit=MAX_FILE)
            except TransferError as error:
                advice = WRITABLE if any(reason in str(error) for reason in _NOT_WRITABLE) else ""
                return failure(f"{error}{advice}")
            page.note(f"{path}: {len(data)} bytes written.")
        return page.result()

    async def get_file(
        self,
        path: Path,
        encoding: Annotated[
            Literal["text", "base64", "image"],
            Field(
                description="text: as UTF-8. base64: any bytes. image: a PNG, JPEG, GIF or WebP to look at."
            ),
        ] = "text",
    ) -> CallToolResult:
        """Read a file inside the sandbox."""
        async with self._desk.turn() as (sandbox, page):
            data = await sandbox.get_file(path, limit=MAX_FILE)
            return _shown(page, path, data, encoding)

    async def reset(self) -> CallToolResult:
        """End all that runs in the sandbox and begin with a fresh one: no variables, no files."""
        await self._desk.reset()
        page = Page()
        page.note("This is a fresh sandbox.")
        return page.result()


def _shown(page: Page, path: str, data: bytes, encoding: str) -> CallToolResult:
    if encoding == "base64":
        page.attachment(path, data)
    elif encoding == "image":
        image = picture(data)
        if image is None:
            return failure(f"{path} is no PNG, JPEG, GIF or WebP.")
        page.image(image)
    else:
        try:
            page.text(data.decode(), limit=MAX_TEXT)
        except UnicodeDecodeError:
            return failure(f"{path} is not UTF-8 text; ask for it with encoding base64 or image.")
    return page.result()


def make_server(desk: Desk, told: str) -> MCPServer:
    """Return the server of one session; its end is the sandbox's.

    :param told: what a model is told first.
    """

    @asynccontextmanager
    async def until_the_end(_: MCPServer) -> AsyncIterator[None]:
        try:
            yield
        finally:
            with anyio.move_on_after(CLOSING_SECONDS, shield=True):
                await desk.close()

    server = MCPServer(
        "sandbox-kernel",
        title="Sandboxed Python",
        instructions=told,
        version=__version__,
        log_level="WARNING",
        lifespan=until_the_end,
    )
    tools = Tools(desk)
    for tool in (tools.run_code, tools.run_notebook, tools.put_file, tools.get_file, tools.reset):
        only_reads = tool == tools.get_file
        server.add_tool(
            answering(tool),
            description=inspect.getdoc(tool),
            annotations=ToolAnnotations(
                read_only_hint=only_reads, destructive_hint=False, open_world_hint=False
            ),
        )
        _refuse_others(server, tool.__name__)
    return server


def _refuse_others(server: MCPServer, name: str) -> None:
    """Have a tool refuse arguments that it does not have: a misspelt deadline would be none."""
    registered = server._tool_manager.get_tool(name)  # noqa: SLF001 - the SDK has no setting for it
    if registered is None:
        raise LookupError(name)
    model = registered.fn_metadata.arg_model
    model.model_config["extra"] = "forbid"
    model.model_rebuild(force=True)
    registered.parameters["additionalProperties"] = False


def log_plainly() -> None:
    """Have warnings be a line each: clients show them in a log, and the SDK would wrap them in a table."""
    logging.basicConfig(level=logging.WARNING, format="sandbox-kernel: %(message)s")


async def serve(sandbox: AsyncSandbox, told: str) -> None:
    """Serve one session over standard input and output, until its client ends it or a signal does."""
    log_plainly()
    desk = Desk(sandbox)
    loop = asyncio.get_running_loop()
    leaving: list[asyncio.Task[None]] = []

    def leave(number: int) -> None:
        leaving.append(loop.create_task(_leave(desk, number)))

    for number in _SIGNALS:
        loop.add_signal_handler(number, leave, number)
    await make_server(desk, told).run_stdio_async()


async def _leave(desk: Desk, number: int) -> None:
    """End the sandbox and this process: a thread of the SDK's waits for standard input, whatever we do."""
    with suppress(Exception):
        await asyncio.wait_for(desk.close(), CLOSING_SECONDS)
    os._exit(128 + number)
