"""Values as bytes, for both sides of the wall: JSON, numpy's .npy, Arrow's stream format. Nothing is pickled.

This module is imported out here, and sent into kernels as text: it runs on Python 3.9 or newer, with the
standard library alone where nothing else is needed. What a kernel sends is hostile until `suspicion`
has looked at it; what is read here is taken to be well formed.
"""

from __future__ import annotations

import io
import json
import sys
from typing import Any

JSON, NPY, ARROW, FRAME, BYTES = KINDS = ("json", "npy", "arrow", "frame", "bytes")
"""The forms in which a value crosses."""

DEEPEST = 100
"""Levels of lists and objects in a value: well below what Python's own stack allows on either side."""

INDEX = "__index_level_{}__"
"""What a frame's index is called on the way, where it has one that is not simply counted."""


class Unsendable(TypeError):  # noqa: N818 -- a plain word for a sentence's end
    """A value that does not cross; the text completes "… does not cross: it"."""


def encode(value: Any, limit: int) -> tuple[str, Any]:
    """Return the form in which a value crosses, and its bytes.

    :raises Unsendable: it has none of the forms, or would take more than `limit` bytes.
    """
    numpy, pyarrow, pandas = (sys.modules.get(name) for name in ("numpy", "pyarrow", "pandas"))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return BYTES, _bounded(bytes(value), limit)
    if numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic)):
        return NPY, _array_to_bytes(numpy, value, limit)
    if pandas is not None and isinstance(value, pandas.DataFrame):
        return FRAME, _frame_to_bytes(pandas, value, limit)
    if pandas is not None and isinstance(value, pandas.Series):
        raise Unsendable("is a Series; make it a DataFrame with to_frame()")
    if pyarrow is not None and isinstance(value, pyarrow.Table):
        return ARROW, _table_to_bytes(pyarrow, value, limit)
    refuse_unlike_json(value)
    try:
        return JSON, _bounded(json.dumps(value).encode(), limit)
    except ValueError as error:  # an integer of more digits than Python writes
        raise Unsendable(f"cannot be written as JSON ({error})") from None


def decode(kind: str, data: Any) -> Any:
    """Return the value that `encode` has made these bytes of.

    :raises ImportError: the package that it belongs to is not installed here.
    """
    if kind == BYTES:
        return bytes(data)
    if kind == JSON:
        return json.loads(bytes(data))
    if kind == NPY:
        import numpy  # noqa: ICN001, PLC0415 -- not everybody has it

        array = numpy.load(io.BytesIO(data), allow_pickle=False)
        return array if array.ndim else array[()]
    import pyarrow  # noqa: ICN001, PLC0415 -- not everybody has it

    with pyarrow.ipc.open_stream(pyarrow.py_buffer(data)) as stream:
        table = stream.read_all()
    return table if kind == ARROW else frame_of(table)


def refuse_unlike_json(value: Any) -> None:
    """Refuse what JSON would refuse, or return as something else: a set, a key that is a number.

    :raises Unsendable: names the type that is in the way.
    """
    level = [value]
    for _ in range(DEEPEST):
        for item in level:
            _refuse_alone(item)
        level = [child for item in level for child in _children(item)]
        if not level:
            return
    raise Unsendable(f"is nested more than {DEEPEST} levels deep")


def _refuse_alone(item: Any) -> None:
    if isinstance(item, dict):
        for key in item:
            if not isinstance(key, str):
                raise Unsendable(f"has a dict with a key that is no text but of type {_name(key)}")
    elif item is not None and not isinstance(item, (bool, int, float, str, list, tuple)):
        kinds = "JSON values, bytes, numpy arrays, Arrow tables and DataFrames"
        raise Unsendable(f"is, or has in it, something of type {_name(item)}; what crosses are {kinds}")


def _children(item: Any) -> list[Any]:
    return (
        list(item.values())
        if isinstance(item, dict)
        else list(item)
        if isinstance(item, (list, tuple))
        else []
    )


def _name(item: Any) -> str:
    return f"{type(item).__module__}.{type(item).__qualname__}"[:100]


def _bounded(data: Any, limit: int) -> Any:
    if len(data) > limit:
        raise Unsendable(f"is too large: {len(data)} bytes, of which {limit} may cross")
    return data


def _array_to_bytes(numpy: Any, value: Any, limit: int) -> Any:
    if value.dtype.hasobject:
        raise Unsendable("is an array of Python objects (dtype object), which would have to be pickled")
    if isinstance(value, numpy.ma.MaskedArray):
        raise Unsendable("is a masked array; send its data and its mask")
    if value.nbytes > limit:
        raise Unsendable(f"is too large: {value.nbytes} bytes, of which {limit} may cross")
    file = io.BytesIO()
    numpy.save(file, numpy.asarray(value), allow_pickle=False)
    return file.getvalue()


def _frame_to_bytes(pandas: Any, value: Any, limit: int) -> Any:
    """Return a frame as a table with its index as the first columns, unless it is simply counted."""
    try:
        import pyarrow  # noqa: ICN001, PLC0415 -- not everybody has it
    except ImportError:
        raise Unsendable("is a DataFrame, for which pyarrow is needed on both sides of the wall") from None
    for name in [*value.columns, *(name for name in value.index.names if name is not None)]:
        if not isinstance(name, str):
            raise Unsendable(f"is a DataFrame with a column or index whose name is no text but {name!r:.80}")
    index = value.index
    counted = isinstance(index, pandas.RangeIndex) and (index.start, index.step, index.name) == (0, 1, None)
    names = [] if counted and len(value.columns) else list(index.names)  # rows without columns are its index
    try:
        value = value.copy(deep=False) if names else value
        for level in range(len(names)):
            value.insert(level, INDEX.format(level), index.get_level_values(level))
        table = pyarrow.Table.from_pandas(value, preserve_index=False)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, ValueError) as error:
        raise Unsendable(f"is a DataFrame that Arrow cannot hold ({str(error)[:200]})") from None
    for field in table.schema:
        if isinstance(field.type, pyarrow.BaseExtensionType):  # would come out as the numbers beneath it
            raise Unsendable(f"is a DataFrame with a column of a type of its own, {field.type!s:.80}")
    return _table_to_bytes(pyarrow, table.replace_schema_metadata({"index": json.dumps(names)}), limit)


def frame_of(table: Any) -> Any:
    """Return the frame that a table was made of."""
    names = json.loads((table.schema.metadata or {}).get(b"index", b"[]"))
    if not isinstance(names, list) or not all(name is None or isinstance(name, str) for name in names):
        raise ValueError("the names of its index are none")
    # Whole numbers some of which are missing stay what they are: a float holds them up to 2**53 only.
    frame = table.to_pandas(ignore_metadata=True, integer_object_nulls=True)
    if names:
        frame = frame.set_index([INDEX.format(level) for level in range(len(names))])
        frame.index.names = names
    return frame


def _table_to_bytes(pyarrow: Any, value: Any, limit: int) -> Any:
    if value.nbytes > limit:
        raise Unsendable(f"is too large: {value.nbytes} bytes, of which {limit} may cross")
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, value.schema) as stream:
        stream.write_table(value)
    return _bounded(sink.getvalue().to_pybytes(), limit)
