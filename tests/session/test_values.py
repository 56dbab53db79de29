"""Values as bytes and back: the same on arrival, and nothing of a liar's is believed."""

import json
import pickle
import struct
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sandbox_kernel.errors import TransferError
from sandbox_kernel.session import values
from sandbox_kernel.session.suspicion import MAX_BRACKETS, MAX_COLUMNS, believe

ROOM = 1 << 20


def crossed(value: Any) -> Any:
    kind, data = values.encode(value, ROOM)
    return believe(kind, bytearray(data))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        2**70,
        -1.5,
        float("inf"),
        "\0 é \ud800",
        b"\0\xff",
        [],
        {"a": [1, {"b": None}], "": {}},
    ],
)
def test_plain_values(value: Any) -> None:
    """JSON's types and bytes arrive as they left."""
    assert crossed(value) == value
    assert type(crossed(value)) is type(value)


def test_what_json_makes_of_it() -> None:
    """A tuple arrives as a list; what is no number stays none."""
    assert crossed((1, (2,))) == [1, [2]]
    assert str(crossed(float("nan"))) == "nan"


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(10)[::3],
        np.array(3.5),
        np.float32(2.5),
        np.zeros((0, 3), dtype=">i2"),
        np.array(["a", "bcd"]),
        np.array([True, False]),
        np.array(["2020-01-01", "NaT"], dtype="M8[ns]"),
        np.array([(1, [2.0, 3.0])], dtype=[("a", "i4"), ("b", "f8", 2)]),
        np.array([], dtype="U0"),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_arrays(array: Any) -> None:
    """Arrays arrive with their type, shape and contents, and can be written to."""
    arrived = crossed(array)
    assert (arrived.dtype, arrived.shape, type(arrived)) == (
        array.dtype,
        array.shape,
        type(array[()] if not array.ndim else array),
    )
    np.testing.assert_array_equal(arrived, array)
    if arrived.size and arrived.ndim:
        arrived.flat[0] = arrived.flat[-1]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
        pd.DataFrame({"a": [1.5, 2.5]}, index=pd.Index(["k", "l"], name="id")),
        pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["p", None])),
        pd.DataFrame({"c": pd.Categorical(["u", "v"]), "t": pd.date_range("2020", periods=2, tz="UTC")}),
        pd.DataFrame({"n": pd.to_timedelta([1, 2], "s")}, index=[5, 6]),
        pd.DataFrame({"a": []}),
        pd.DataFrame({"a": [2**60 + 1, None]}, dtype=object),
        pd.DataFrame({"a": [1, 2]}, index=["k", "l"])[[]],
    ],
)
def test_frames(frame: pd.DataFrame) -> None:
    """DataFrames arrive with their columns, types and index."""
    pd.testing.assert_frame_equal(crossed(frame), frame)


def test_tables() -> None:
    """Arrow tables arrive as they left, nested columns and dictionaries included."""
    table = pa.table(
        {
            "x": [1, None],
            "l": [[1], [2, 3]],
            "s": [{"a": "u"}, None],
            "d": pa.array(["a", "b"]).dictionary_encode(),
        }
    )
    assert crossed(table).equals(table)


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return (pytest.fail, ("it was unpickled",))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({1, 2}, "type builtins.set"),
        ([object()], "type builtins.object"),
        ({1: 2}, "key that is no text but of type builtins.int"),
        ([np.float32(1)], "type numpy.float32"),
        (np.array([{}]), "dtype object"),
        (np.array([(1, None)], dtype=[("a", "i4"), ("b", "O")]), "dtype object"),
        (np.ma.masked_array([1, 2], [0, 1]), "masked array"),
        (np.array(["a"], dtype=np.dtypes.StringDType()), "dtype object"),
        (pd.Series([1]), "to_frame"),
        (pd.DataFrame({1: [2]}), "name is no text but 1"),
        (pd.DataFrame({"a": [1, "x"]}), "Arrow cannot hold"),
        (pd.DataFrame({"__index_level_0__": [1]}, index=["k"]), "Arrow cannot hold"),
        (pd.DataFrame({"p": pd.period_range("2020", periods=1, freq="M")}), "column of a type of its own"),
        ("x" * (ROOM + 1), "too large"),
        (np.zeros(ROOM), "too large"),
        (pa.table({"a": np.zeros(ROOM)}), "too large"),
        (10**5000, "cannot be written"),
    ],
    ids=range(17),
)
def test_what_does_not_cross(value: Any, why: str) -> None:
    """What has no form is refused before anything is sent, with what is in the way."""
    with pytest.raises(values.Unsendable, match=why):
        values.encode(value, ROOM)


def test_what_is_too_deep() -> None:
    """So is what is nested without end."""
    deep: list[Any] = []
    deep.append(deep)
    with pytest.raises(values.Unsendable, match="nested"):
        values.encode(deep, ROOM)


@pytest.mark.parametrize(
    "text",
    [
        b"[1, 2",
        b"\xff",
        b"[" * 200_000,
        b'{"a":' * 101 + b"1" + b"}" * 101,
        b"[" * 101 + b"]" * 101,
        b"9" * 5000,
        b"[" + b"[]," * MAX_BRACKETS + b"0]",
    ],
    ids=["cut", "no text", "open", "deep", "deep lists", "endless number", "many lists"],
)
def test_hostile_json(text: bytes) -> None:
    """JSON that is none, or that would take more than it shows, is refused in a sentence."""
    with pytest.raises(TransferError):
        believe("json", bytearray(text))


def npy(header: str, body: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytearray:
    return bytearray(b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(header)) + header.encode() + body)


@pytest.mark.parametrize(
    "data",
    [
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1250000000000,), }\n", b"x" * 8),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }\n", b"x" * 8),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1), }\n", b"x" * 8),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n", b"x" * 8),
        npy("{'descr': '|V0', 'fortran_order': False, 'shape': (9999999999,), }\n"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", b"x" * 8),
        npy("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,), }\n", pickle.dumps(Evil())),
        npy("{'descr': 'nonsense', 'fortran_order': False, 'shape': (1,), }\n", b"x"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': 'x', }\n", b"x" * 8),
        npy("__import__('os').abort()\n"),
        npy("(" * 5000 + ")" * 5000),
        npy("{'descr': '<f8'}\n", version=(3, 0)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 1" + "0" * 30 + "), }\n"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (True,), }\n", b"x" * 8),
        npy("{'descr': ('<f8', (2,)), 'fortran_order': False, 'shape': (1,), }\n", b"x" * 16),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (" + "1," * 100 + "), }\n", b"x" * 8),
        bytearray(pickle.dumps(Evil())),
        bytearray(b"PK\x03\x04"),
        bytearray(),
    ],
    ids=[*range(12), "endless", "true", "subarray", *range(12, 16)],
)
def test_hostile_arrays(data: bytearray) -> None:
    """An array whose header lies is refused, and nothing is reserved for what it announces."""
    tracemalloc.start()
    with pytest.raises(TransferError, match="not what it says"):
        believe("npy", data)
    assert tracemalloc.get_traced_memory()[1] < 50 << 20
    tracemalloc.stop()


def stream(table: pa.Table, **options: Any) -> bytearray:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return bytearray(sink.getvalue().to_pybytes())


def patched(data: bytearray, was: bytes, by: bytes) -> bytearray:
    place = data.rindex(was)
    data[place : place + len(was)] = by
    return data


OFFSETS = struct.pack("<3i", 0, 1, 2)
EXTENSION = {"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": "x"}


@pytest.mark.parametrize(
    "data",
    [
        patched(stream(pa.table({"s": ["x", "y"]})), OFFSETS, struct.pack("<3i", 0, 1, 1 << 30)),
        patched(stream(pa.table({"s": ["x", "y"]})), OFFSETS, struct.pack("<3i", 0, -5, 2)),
        patched(stream(pa.table({"s": ["x", "y"]})), b"xy", b"\xff\xff"),
        stream(pa.table({"z": np.zeros(100)}), compression="zstd"),
        stream(pa.table({"z": np.zeros(100)}), compression="lz4"),
        stream(pa.table({"n": pa.nulls(5)})),
        stream(pa.table({"b": pa.array([b""] * 5, pa.binary(0))})),
        stream(pa.table({"v": pa.array(["x" * 100] * 9, pa.string_view())})),
        stream(pa.table({"e": pa.array([{}] * 5, pa.struct([]))})),
        stream(pa.table({"r": pa.RunEndEncodedArray.from_arrays(pa.array([5], pa.int32()), [1])})),
        stream(pa.table([[1]], schema=pa.schema([pa.field("x", pa.int64(), metadata=EXTENSION)]))),
        stream(pa.table({str(number): [1] for number in range(MAX_COLUMNS + 1)})),
        stream(pa.table({"x": [1]}))[:100],
        bytearray(b"\xff" * 64),
        bytearray(pickle.dumps(Evil())),
    ],
    ids=range(15),
)
@pytest.mark.parametrize("kind", ["arrow", "frame"])
def test_hostile_tables(kind: str, data: bytearray) -> None:
    """A table that points astray, unfolds, or names code is refused."""
    with pytest.raises(TransferError):
        believe(kind, bytearray(data))


def test_rows_that_are_not_there() -> None:
    """Rows that take no bit each are refused: no memory is reserved for what a number says."""
    data = stream(pa.table({"x": pa.array([7] * 777, pa.int8())}))
    many = patched(data, struct.pack("<q", 777), struct.pack("<q", 777 << 40))
    with pytest.raises(TransferError):
        believe("arrow", many)


def test_columns_made_of_the_same_bytes() -> None:
    """Columns that all point at one place are refused: as a frame each would get memory of its own."""
    columns, size = 100, 800
    data = stream(pa.table({str(number): np.arange(size // 8) for number in range(columns)}))
    assert believe("frame", data).shape == (size // 8, columns)
    head, body, end = data[: -8 - columns * size], data[-8 - columns * size :][:size], data[-8:]
    apart = b"".join(struct.pack("<4q", place * size, 0, place * size, size) for place in range(columns))
    head = patched(head, apart, struct.pack("<4q", 0, 0, 0, size) * columns)
    head = patched(head, struct.pack("<q", columns * size), struct.pack("<q", size))
    for kind in ("arrow", "frame"):
        with pytest.raises(TransferError, match="same bytes"):
            believe(kind, head + body + end)


MANY = 1_200_000  # as objects, more than a frame of so few bytes may take


def bits(count: int) -> pa.Array:
    return pa.array(np.zeros(count, bool))


@pytest.mark.parametrize(
    "column",
    [
        lambda: pa.StructArray.from_arrays([bits(MANY)], ["x"]),
        lambda: pa.ListArray.from_arrays(pa.array(np.zeros(2_200_001, np.int32)), bits(0)),
        lambda: pa.ListArray.from_arrays([0, MANY], pa.StructArray.from_arrays([bits(MANY)], ["x"])),
        lambda: pa.StructArray.from_arrays([pa.array(["x" * (1 << 20)] * 300).dictionary_encode()], ["x"]),
        lambda: pa.DictionaryArray.from_arrays([0], pa.StructArray.from_arrays([bits(MANY)], ["x"])),
        lambda: pa.array(np.zeros(34_000_000, bool), mask=np.arange(34_000_000) == 0),
        lambda: pa.array(np.zeros(7_000_000, np.int8), mask=np.arange(7_000_000) == 0),
    ],
    ids=["dicts", "arrays", "dicts in an array", "copies", "dictionary", "truths", "numbers"],
)
def test_bits_that_become_objects(column: Callable[[], pa.Array]) -> None:
    """A frame of which each bit would be an object here is refused before there is one."""
    data = stream(pa.table({"c": column()}))
    with pytest.raises(TransferError, match="16 times"):
        believe("frame", data)


@pytest.mark.parametrize("index", ["9", '{"a": 1}', '["a", "b"]', "[[]]", "[1]", "[", '["a"]'])
def test_hostile_names_of_an_index(index: str) -> None:
    """A frame's index is what its columns are, whatever its names say."""
    table = pa.table({"x": [1]}).replace_schema_metadata({"index": index, "pandas": json.dumps({"x": []})})
    with pytest.raises(TransferError):
        believe("frame", stream(table))


def test_an_unknown_form() -> None:
    """There are five forms, and pickle is none of them."""
    with pytest.raises(TransferError, match="no such form"):
        believe("pickle", bytearray(pickle.dumps(Evil())))
