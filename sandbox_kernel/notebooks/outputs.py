"""From outputs as they arrived to outputs as they are saved.

A kernel sends text in many small pieces and draws progress bars with carriage returns. What is
saved is what a notebook user would see: neighbouring pieces of one stream joined, overwritten
text dropped. All of it in linear time, because the text is chosen by code that may be hostile.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import groupby

from nbformat import NotebookNode

MAX_DEPTH = 140
"""Levels of lists and objects that an output may have. Real ones (Vega, GeoJSON) have some twenty;
at a few hundred, what writes and reads notebooks runs out of stack."""


def notice(name: str, sentence: str) -> NotebookNode:
    """Return an error output that shows `sentence` to the reader of the notebook."""
    traceback = [f"{name}: {sentence}"]
    return _node(output_type="error", ename=name, evalue=sentence, traceback=traceback)


def presentable(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Return copies of `outputs` that can be written: text joined, and nothing json would refuse."""
    return [_serialisable(output) for output in _joined(outputs)]


def _joined(outputs: Iterable[NotebookNode]) -> Iterator[NotebookNode]:
    for stream, group in groupby(outputs, _stream_name):
        if stream is None:
            yield from group
            continue
        text = "".join(str(output.get("text", "")) for output in group)
        yield _node(output_type="stream", name=stream, text=overwritten(text))


def _node(**fields: object) -> NotebookNode:
    return NotebookNode(**fields)  # type: ignore[no-untyped-call]


def _stream_name(output: NotebookNode) -> str | None:
    return str(output.get("name")) if output.get("output_type") == "stream" else None


def overwritten(text: str) -> str:
    """Return `text` with carriage returns applied: on each line, what was written last.

    A return at the very end is kept, since what follows may still overwrite the line.
    """
    if "\r" not in text:
        return text
    *lines, last = text.split("\n")
    shown = [line.rstrip("\r").rpartition("\r")[2] for line in lines]
    kept = last.rstrip("\r").rpartition("\r")[2]
    if last.endswith("\r"):
        kept += "\r"
    return "\n".join([*shown, kept])


def _serialisable(output: NotebookNode) -> NotebookNode:
    reason = unsaveable(output)
    return output if reason is None else notice("OutputDropped", f"this output cannot be saved: {reason}")


def unsaveable(value: object) -> str | None:
    """Return why a value that came from a kernel cannot go into a notebook, None if it can."""
    if _deeper_than(value, MAX_DEPTH):
        return f"it is nested more than {MAX_DEPTH} levels deep"
    try:
        json.dumps(value)
    except (TypeError, ValueError) as error:
        return str(error)[:200]
    return None


def _deeper_than(value: object, levels: int) -> bool:
    level = [value]
    for _ in range(levels):
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return True


def _children(value: object) -> Iterable[object]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [child for child in children if isinstance(child, dict | list)]
