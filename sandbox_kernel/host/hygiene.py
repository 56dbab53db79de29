"""What a hostile kernel may say: headers and contents, repaired where that is safe.

Clients (nbclient, nbformat, Jupyter Server) trust their kernels. They raise on a MIME bundle that
is no dictionary, on a date that is none; some of it only when the notebook is saved, hours later.
So what leaves the guard has the fields and types that clients rely on. What JSON is let in at all
is `parts`' to say.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sandbox_kernel.host.jupyter import PROTOCOL_VERSION
from sandbox_kernel.host.parts import Json, UncleanMessageError

MAX_HEADER = 64 * 1024
"""Bytes of a header, parent or metadata: real ones stay below 2 KiB; widgets' metadata below 16."""

MAX_METADATA = 1 << 20
"""Bytes of a message's metadata: widths, sizes, an execution's timing."""

MAX_PROMPT = 10_000
"""Characters of a question: it stands on one line, or a few."""

MAX_TYPES = 100
"""MIME types of one output: a figure has five. A million of them take seconds, one by one."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T")
_VERSION = re.compile(r"5\.\d{1,2}")
_JSON_MIME = re.compile(r"application/(.*\+)?json")
_FILE_EXTENSION = re.compile(r"\.[A-Za-z0-9_]{1,16}")

STATES = ("busy", "idle", "starting")
"""What a kernel may say of itself. That it is dead is its host's to say: clients give it up."""


def clean_header(header: Json) -> Json:
    """Return a header of the protocol's fields alone, each as clients expect it.

    jupyter_client turns whatever looks like a date into one, and raises where it is none.

    :raises UncleanMessageError: it has no usable msg_id or msg_type.
    """
    get = header.get
    clean: Json = {
        "msg_id": _word(get("msg_id")),
        "msg_type": _word(get("msg_type")),
        "session": _word(get("session")),
        "username": _word(get("username")),
    }
    if not clean["msg_id"] or not clean["msg_type"]:
        raise UncleanMessageError("a header without msg_id or msg_type")
    date, version = get("date"), get("version")
    clean["date"] = date if _is_date(date) else datetime.now(UTC).isoformat()
    clean["version"] = (
        version if isinstance(version, str) and _VERSION.fullmatch(version) else PROTOCOL_VERSION
    )
    if "subshell_id" in header:
        clean["subshell_id"] = _word(header["subshell_id"]) or None
    return clean


def _word(value: Any) -> str:
    """Return a short text that is no date; anything else is as good as none."""
    usable = isinstance(value, str) and len(value) <= 255 and not _DATE.match(value)
    return value if usable else ""


def _is_date(value: Any) -> bool:
    if not isinstance(value, str) or not _DATE.match(value):
        return False
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _text(value: Any) -> str:
    """Return a text; what is none in a few letters: to spell it out would take many times its bytes."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        return "[...]" if isinstance(value, list) else "{...}"
    return repr(value)[:1000]


def _stream(content: Json) -> Json:
    name = content.get("name")
    return {
        "name": name if name in ("stdout", "stderr") else "stdout",
        "text": _text(content.get("text", "")),
    }


def _bundle(content: Json) -> Json:
    data = content.get("data")
    data = data if isinstance(data, dict) else {"text/plain": _text(data)}
    clean = dict(content)
    few = islice(data.items(), MAX_TYPES)
    clean["data"] = {mime: _datum(mime, value) for mime, value in few if _is_mime(mime)}
    for field in ("metadata", "transient"):
        value = content.get(field)
        if field == "metadata" or field in content:
            clean[field] = value if isinstance(value, dict) else {}
    if not isinstance(clean.get("transient", {}).get("display_id", ""), str):
        clean["transient"] = {}
    return clean


def _is_mime(name: str) -> bool:
    return len(name) <= 255


def _datum(mime: str, value: Any) -> Any:
    if _JSON_MIME.fullmatch(mime):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return value
    return _text(value)


def _result(content: Json) -> Json:
    clean = _bundle(content)
    clean["execution_count"] = _count(content.get("execution_count"))
    return clean


def _count(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < 1 << 53 else None


def _error(content: Json) -> Json:
    traceback = content.get("traceback")
    lines = traceback if isinstance(traceback, list) else []
    return {
        **content,
        "ename": _text(content.get("ename", "")),
        "evalue": _text(content.get("evalue", "")),
        "traceback": [line for line in lines if isinstance(line, str)],
    }


def _status(content: Json) -> Json:
    state = content.get("execution_state")
    return {**content, "execution_state": state if state in STATES else "unknown"}


def _execute_input(content: Json) -> Json:
    return {
        **content,
        "code": _text(content.get("code", "")),
        "execution_count": _count(content.get("execution_count")),
    }


def _execute_reply(content: Json) -> Json:
    clean = dict(content)
    if clean.get("status") not in ("ok", "error", "aborted", "abort"):
        clean["status"] = "error"
    if clean["status"] == "error":
        clean = _error(clean)
    if "execution_count" in clean:
        clean["execution_count"] = _count(clean["execution_count"])
    for field, kind in (("payload", list), ("user_expressions", dict)):
        if field in clean and not isinstance(clean[field], kind):
            clean[field] = kind()
    return clean


def _comm(content: Json) -> Json:
    if not isinstance(content.get("comm_id"), str):
        raise UncleanMessageError("a comm message without comm_id")
    data = content.get("data")
    return {**content, "data": _comm_data(data) if isinstance(data, dict) else {}}


def _comm_open(content: Json) -> Json:
    clean = _comm(content)
    for field in ("target_name", "target_module"):
        if field in clean and not isinstance(clean[field], str | None):
            raise UncleanMessageError(f"a comm whose {field} is no text")
    if clean.get("target_name") == "jupyter.widget" and "state" not in clean["data"]:
        raise UncleanMessageError("a widget without state")
    return clean


def _comm_data(data: Json) -> Json:
    """Return the data of a comm with the fields that widgets' clients index as they expect them."""
    for field in ("state", "states"):
        if field in data and not isinstance(data[field], dict):
            raise UncleanMessageError(f"a widget whose {field} is no object")
    paths = data.get("buffer_paths", [])
    if not isinstance(paths, list) or not all(isinstance(path, list) for path in paths):
        raise UncleanMessageError("a widget whose buffer_paths are no lists")
    return data


def _kernel_info(content: Json) -> Json:
    """Return what a kernel says of itself; nbconvert makes file names of some of it."""
    language = content.get("language_info")
    language = dict(language) if isinstance(language, dict) else {}
    if not _FILE_EXTENSION.fullmatch(_text(language.get("file_extension", ".py"))):
        language["file_extension"] = ".py"
    for field in ("name", "version", "mimetype", "pygments_lexer", "nbconvert_exporter"):
        if field in language:
            language[field] = re.sub(r"[^\w.+/ -]", "", _text(language[field]))[:100]
    version = content.get("protocol_version")
    usable = isinstance(version, str) and _VERSION.fullmatch(version)
    return {
        **content,
        "protocol_version": version if usable else PROTOCOL_VERSION,
        "language_info": language,
        "banner": _text(content.get("banner", ""))[:10_000],
    }


def _input_request(content: Json) -> Json:
    return {
        "prompt": _text(content.get("prompt", ""))[:MAX_PROMPT],
        "password": content.get("password") is True,
    }


def _clear(content: Json) -> Json:
    return {"wait": content.get("wait") is True}


_SHAPES: dict[str, Callable[[Json], Json]] = {
    "stream": _stream,
    "display_data": _bundle,
    "update_display_data": _bundle,
    "execute_result": _result,
    "error": _error,
    "status": _status,
    "execute_input": _execute_input,
    "execute_reply": _execute_reply,
    "comm_open": _comm_open,
    "comm_msg": _comm,
    "comm_close": _comm,
    "input_request": _input_request,
    "clear_output": _clear,
    "kernel_info_reply": _kernel_info,
}


def shape(msg_type: str, content: Json) -> Json:
    """Return the content with the fields and types that clients rely on for this message type.

    :raises UncleanMessageError: the message makes no sense without a field that is missing.
    """
    repair = _SHAPES.get(msg_type)
    return repair(content) if repair else content
