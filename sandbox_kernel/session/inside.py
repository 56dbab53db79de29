"""What moves values at the far side: sent into a kernel as text behind `values`, never imported out here.

It runs in a namespace of its own. What does not fit into one message waits in the kernel's memory, under a
name that only its sender knows. All of it is a courtesy, no guard: user code can patch what it uses.
"""

import base64
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # its text stands before this one's
    from sandbox_kernel.session.values import Unsendable, decode, encode  # noqa: TC004

Answer = tuple[dict[str, Any], Any]

WAITING = "_sandbox_values"
"""The attribute of IPython's shell in which values wait that cross in pieces."""


def answer(request: bytes, data: memoryview) -> str:
    """Do what is asked for; return what became of it, as text that survives being shown."""
    asked = json.loads(bytes(request).decode())
    try:
        said, content = ACTIONS[asked.pop("do")](data, **asked)
    except Unsendable as error:
        said, content = {"unsendable": str(error)}, b""
    except Exception as error:  # noqa: BLE001 -- whatever failed: an expression may raise anything
        said, content = {"error": f"{type(error).__name__}: {error}"[:500]}, b""
    return base64.b64encode(json.dumps(said).encode() + b"\n" + content).decode()


def put(data: memoryview, name: str, kind: str, waiting: str, *, last: bool) -> Answer:
    """Take a piece of a value; the last one makes it a variable of the notebook's."""
    pieces = _waiting().setdefault(waiting, bytearray())
    pieces += data
    if last:
        try:
            _shell().user_ns[name] = decode(kind, _waiting().pop(waiting))
        except ModuleNotFoundError as error:
            raise Unsendable(f"needs {error.name}, which is not installed inside") from None
    return {}, b""


def get(_: memoryview, expression: str, waiting: str, size: int, limit: int) -> Answer:
    """Return the form of an expression's value, how many bytes it has, and the first of them."""
    kind, content = encode(_shell().ev(expression), limit)
    if len(content) > size:
        _waiting()[waiting] = content
    return {"kind": kind, "size": len(content)}, content[:size]


def more(_: memoryview, waiting: str, offset: int, size: int) -> Answer:
    """Return the next bytes of a value, and forget it after the last."""
    content = _waiting()[waiting]
    if offset + size >= len(content):
        forget(_, waiting)
    return {}, content[offset : offset + size]


def forget(_: memoryview, waiting: str) -> Answer:
    """Let go of what waits."""
    _waiting().pop(waiting, None)
    return {}, b""


def _waiting() -> dict[str, Any]:
    found: dict[str, Any] = vars(_shell()).setdefault(WAITING, {})
    return found


def _shell() -> Any:
    from IPython import get_ipython  # noqa: PLC0415 -- it is there inside

    return get_ipython()


ACTIONS: dict[str, Any] = {"put": put, "get": get, "more": more, "forget": forget}
