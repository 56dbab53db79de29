"""Values that came out of a sandbox: bytes that claim to be JSON, an array or a table, and may lie.

What reads such formats trusts their headers: it reserves what they announce, follows their offsets,
and looks up code by the names in them. So everything is compared with the bytes that are there before
any of it is believed, and what has more in it than plain data is refused.
"""

import json
import math
from collections.abc import Callable, Iterator
from struct import error as StructError  # noqa: N812 -- it is an exception, whatever its name
from struct import iter_unpack, unpack_from
from typing import Any, Final

from sandbox_kernel.errors import TransferError
from sandbox_kernel.session import values
from sandbox_kernel.session.unfolding import unfolded

MAX_BRACKETS: Final = 2_000_000
"""Lists and objects in a JSON value: an empty one takes three bytes there and some seventy here."""

MAX_COLUMNS: Final = 10_000
"""Fields of a table, nested ones included: each is some kilobytes of objects."""

MAX_UNFOLDED: Final = 256 << 20
MAX_GROWTH: Final = 16
"""Bytes of the Python objects that a frame's small parts become, and how many times its own bytes these may
be where it is larger: numbers and texts that pandas holds as objects take up to twelve times theirs."""

_LIES: Final = "What came out of the sandbox is not what it says that it is"


def believe(kind: str, data: bytearray) -> Any:
    """Return the value that came out of a sandbox in one of the forms of `values`.

    :raises TransferError: it is none that would be taken from a stranger.
    """
    reader = _READERS.get(kind)
    if reader is None:
        raise TransferError(f"{_LIES}: there is no such form of values.")
    try:
        return reader(data)
    except ImportError as error:
        raise TransferError(
            f"The value came out in the form {kind!r}, and {error.name} to read it is not installed here."
        ) from error
    except RecursionError:
        raise TransferError(f"{_LIES}: it is nested too deep.") from None


def _json(data: bytearray) -> Any:
    if data.count(b"[") + data.count(b"{") > MAX_BRACKETS:
        raise TransferError(f"The value has more than {MAX_BRACKETS} lists and dicts in it.")
    try:
        value = json.loads(data.decode())
        values.refuse_unlike_json(value)
    except ValueError as error:
        raise TransferError(f"{_LIES}: {str(error)[:200]}.") from None
    except values.Unsendable as error:
        raise TransferError(f"{_LIES}: it {error}.") from None
    return value


def _npy(data: bytearray) -> Any:
    """Return the array, with these bytes as its memory: nothing is reserved for what a header announces."""
    import io  # noqa: PLC0415 -- beside numpy, which not everybody has

    import numpy as np  # noqa: PLC0415

    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, columns_first, dtype = read[version](file)
    except (ValueError, TypeError, KeyError, SyntaxError, MemoryError) as error:
        raise TransferError(f"{_LIES}: no array has such a header ({str(error)[:200]}).") from None
    if dtype.hasobject:
        raise TransferError(f"{_LIES}: an array of Python objects, which would have to be unpickled.")
    count = math.prod(shape)
    if len(shape) > 64 or min(shape, default=0) < 0 or dtype.itemsize * count != len(data) - file.tell():
        raise TransferError(f"{_LIES}: the header speaks of another array than there is.")
    if not dtype.itemsize and count > len(data):
        raise TransferError(f"{_LIES}: it has {count} elements of no size.")
    start = np.frombuffer(data, np.uint8, offset=file.tell())
    try:
        array = start.view(dtype) if start.size else np.empty(count, dtype)
        array = array.reshape(shape, order="F" if columns_first else "C")
    except (ValueError, TypeError, OverflowError) as error:  # a dimension of 10**30 beside one of 0, or none
        raise TransferError(f"{_LIES}: numpy has no such array ({str(error)[:200]}).") from None
    return array if array.ndim else array[()]


def _table(data: bytearray) -> Any:
    import pyarrow as pa  # noqa: PLC0415 -- not everybody has it

    try:
        _refuse_tricks(pa, data)
        table = values.decode(values.ARROW, bytes(data))
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, StructError, IndexError) as error:
        raise TransferError(f"{_LIES}: {str(error)[:200]}.") from None
    return table


def _frame(data: bytearray) -> Any:
    import pyarrow as pa  # noqa: PLC0415 -- not everybody has it

    table = _table(data)
    if unfolded(pa, table) > max(MAX_UNFOLDED, MAX_GROWTH * len(data)):
        raise TransferError(f"{_LIES}: as a DataFrame it would take more than {MAX_GROWTH} times its bytes.")
    try:
        return values.frame_of(table)
    except (pa.ArrowException, AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise TransferError(f"{_LIES}: no DataFrame ({str(error)[:200]}).") from None


def _refuse_tricks(pa: Any, data: bytearray) -> None:
    """Refuse a stream in which few bytes become many, or names become code, before any of it is read.

    :raises TransferError: it is compressed, has extension types, or columns that take no room.
    """
    reader = pa.ipc.MessageReader.open_stream(pa.py_buffer(data))
    room = 0
    for message in _messages(reader):
        if message.type == "schema":
            _refuse_types(pa, pa.ipc.read_schema(message) if not _extends(message) else None)
        elif message.type in ("record batch", "dictionary"):
            if _is_compressed(message):
                raise TransferError(f"{_LIES}: it is compressed, so that nobody knows how large it is.")
            size = message.body.size if message.body is not None else 0
            if _claimed(message) > size:
                raise TransferError(f"{_LIES}: its columns are made of the same bytes.")
            room += size
            if _rows(message) > 8 * room + 8:
                raise TransferError(f"{_LIES}: it speaks of more rows than it has bits.")
        else:
            raise TransferError(f"{_LIES}: a message of the type {message.type!r}.")


def _messages(reader: Any) -> Iterator[Any]:
    while True:
        try:
            yield reader.read_next_message()
        except StopIteration:
            return


def _extends(message: Any) -> bool:
    """Whether a schema names extension types, whose code is looked up while it is read."""
    if b"ARROW:extension" in message.metadata.to_pybytes():
        raise TransferError(f"{_LIES}: it has types that are not Arrow's own.")
    return False


def _refuse_types(pa: Any, schema: Any) -> None:
    """Refuse what takes no room (null, empty structs), or points at the same bytes again (views)."""
    fields, seen = [field.type for field in schema], 0
    while fields:
        kind = fields.pop()
        seen += 1
        if seen > MAX_COLUMNS:
            raise TransferError(f"{_LIES}: it has more than {MAX_COLUMNS} columns.")
        if pa.types.is_dictionary(kind):
            fields += [kind.index_type, kind.value_type]
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
            fields.append(kind.value_type)
        elif pa.types.is_struct(kind) and kind.num_fields:
            fields += [kind.field(index).type for index in range(kind.num_fields)]
        elif not _is_plain(pa, kind):
            raise TransferError(f"A table with a column of type {str(kind)[:80]} does not cross.")


def _is_plain(pa: Any, kind: Any) -> bool:
    types = pa.types
    texts = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    numbers = (types.is_primitive, types.is_decimal128, types.is_decimal256)
    tests: tuple[Callable[[Any], bool], ...] = (*texts, *numbers)
    return any(test(kind) for test in tests)


# Arrow's messages are flatbuffers, which pyarrow has checked and does not show: of a Message the header
# is field 2; of a DictionaryBatch the batch is field 1; of a RecordBatch length is field 0, the buffers
# are 2, compression 3.


def _batch(message: Any) -> tuple[bytes, int]:
    buffer: bytes = message.metadata.to_pybytes()
    (root,) = unpack_from("<I", buffer, 0)
    table = _follow(buffer, _field(buffer, root, 2))
    return buffer, _follow(buffer, _field(buffer, table, 1)) if message.type == "dictionary" else table


def _is_compressed(message: Any) -> bool:
    return _field(*_batch(message), 3) is not None


def _claimed(message: Any) -> int:
    """Return how many bytes a batch's columns take of its body, bytes that two of them take counted twice."""
    buffer, table = _batch(message)
    place = _field(buffer, table, 2)
    if place is None:
        return 0
    start = _follow(buffer, place)
    (count,) = unpack_from("<I", buffer, start)
    parts = iter_unpack("<qq", buffer[start + 4 : start + 4 + 16 * count])  # where it begins, and its length
    return sum(abs(length) for _, length in parts)


def _rows(message: Any) -> int:
    buffer, table = _batch(message)
    place = _field(buffer, table, 0)
    return 0 if place is None else int(unpack_from("<q", buffer, place)[0])


def _field(buffer: bytes, table: int, number: int) -> int | None:
    """Return where a table has a field; None if it has not."""
    entries = table - unpack_from("<i", buffer, table)[0]
    size = unpack_from("<H", buffer, entries)[0]
    place = 4 + 2 * number
    offset = unpack_from("<H", buffer, entries + place)[0] if place < size else 0
    return table + offset if offset else None


def _follow(buffer: bytes, place: int | None) -> int:
    if place is None:
        raise TransferError(f"{_LIES}: a message without a part that each has.")
    return place + int(unpack_from("<I", buffer, place)[0])


def _bytes(data: bytearray) -> bytes:
    return bytes(data)


_READERS: Final[dict[str, Callable[[bytearray], Any]]] = {
    values.JSON: _json,
    values.NPY: _npy,
    values.ARROW: _table,
    values.FRAME: _frame,
    values.BYTES: _bytes,
}
