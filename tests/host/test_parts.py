"""JSON that no reader stumbles over, whichever of the two readers has read it."""

import json
import math
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sandbox_kernel.host.parts import (
    MAX_CONTAINERS,
    MAX_DEPTH,
    MAX_VALUES,
    UncleanMessageError,
    json_bytes,
    read_object,
)


def test_clean_json_keeps_its_bytes():
    """Nothing is rewritten that needs no repair."""
    part = b'{"text": "\\u00e4 1e5", "n": 1.5}'
    assert read_object(part, "content")[1] is part


VIEWED = {
    "clean": b'{"a": [1, 2.5, {"b": "\xc3\xa4"}]}',
    "many brackets": b'{"a": [%s]}' % b",".join([b"[]"] * 1000),
    "brackets in a text": json.dumps({"a": "[{" * 300_000}).encode(),
    "no number": b'{"a": NaN}',
    "half a pair": b'{"a": "\\ud800"}',
    "too deep": b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}",
    "too many arrays": b'{"a": [%s]}' % b",".join([b"[]"] * (MAX_CONTAINERS + 1)),
    "too many values": b'{"a": [%s]}' % b",".join([b"1"] * (MAX_VALUES + 2)),
    "a list": b"[]",
    "no JSON": b"{",
    "no text": b'{"a": "\xff"}',
}


@pytest.mark.parametrize("name", VIEWED)
def test_a_view_means_what_its_bytes_mean(name):
    """Long parts come as views of what has arrived: they are checked, read and refused alike."""

    def outcome(part):
        try:
            value, passed = read_object(part, "content")
        except UncleanMessageError as error:
            return str(error)
        return value, bytes(passed)

    assert outcome(memoryview(VIEWED[name])) == outcome(VIEWED[name])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_numbers_that_are_no_json_become_null(number):
    """NaN and infinities, however spelt, do not reach a strict JSON reader."""
    value, part = read_object(b'{"n": [%s]}' % number.encode(), "content")
    assert json.loads(part, parse_constant=pytest.fail) == value == {"n": [None]}


def test_lone_surrogates_are_replaced(tmp_path):
    """A notebook with such an output can be saved."""
    value, part = read_object(b'{"text": "a\\ud800b", "\\udfff": 1}', "content")
    assert value == {"text": "a\ufffdb", "\ufffd": 1} == json.loads(part)


def test_surrogate_pairs_stay():
    """An emoji written as a pair of escapes is no lone surrogate."""
    assert read_object(b'{"text": "\\ud83d\\ude00"}', "content")[0] == {"text": "\U0001f600"}


def test_depth_is_counted_outside_strings():
    """Brackets in a text are no nesting."""
    text = "[" * (MAX_DEPTH * 2) + '"'
    assert read_object(json.dumps({"text": text}).encode(), "content")[0] == {"text": text}


@pytest.mark.parametrize("end", [b"", b"\\", b'"', b"]" * 500_000])
@pytest.mark.parametrize("quote", [b'\\"', b'"'], ids=["escaped", "plain"])
def test_a_string_without_an_end_is_looked_at_once(quote, end):
    """To look for its end from each quote again took seconds for 64 KiB, with the whole process waiting."""
    begun = time.process_time()
    with pytest.raises(UncleanMessageError):
        read_object(b'{"a":"' + b"[" * 1000 + quote * 500_000 + end, "content")
    assert time.process_time() - begun < 10  # it is some hundredths; without the guard it is an hour


def _seconds_to_read(number: str) -> float:
    part = b'{"a":[' + b",".join([number.encode()] * 200_000) + b"]}"
    begun = time.process_time()
    read_object(part, "content")
    return time.process_time() - begun


@pytest.mark.parametrize("number", ["8e307", "1e-310", "2.2250738585072011e-308", "1.7976931348623158e308"])
def test_no_number_takes_long(number):
    """At the ends of what a double holds, readers may need hundreds of times as long, while all wait."""
    assert _seconds_to_read(number) < 15 * _seconds_to_read("1.5")


def test_wide_json_is_not_deep():
    """Many brackets side by side pass; the same number nested does not."""
    assert read_object(b'{"a": [' + b"[],"[:3] * 1000 + b"[]]}", "content")
    with pytest.raises(UncleanMessageError, match="deep"):
        read_object(b'{"a": ' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"}", "content")


NUMBERS = st.sampled_from(
    [
        "0",
        "-0",
        "-0.0",
        "1e5",
        "1E+5",
        "1e-400",
        "1e999",
        "NaN",
        "-Infinity",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "-",
    ]
)
TEXTS = st.text(
    st.sampled_from(list('ab"\\/bfnrtu0d8De{}[],: \t\n\x00\x1f\x7f\u00e4\u2028\U0001f600')), max_size=12
)
WORDS = NUMBERS | TEXTS | st.integers().map(str) | st.floats().map(json.dumps) | TEXTS.map(json.dumps)
DOCUMENTS = st.recursive(
    WORDS,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(st.tuples(TEXTS.map(json.dumps), inner), max_size=4).map(
            lambda pairs: "{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}"
        )
    ),
)


def _python_reads(part: bytes) -> Any:
    """What Python's own reader makes of it, repaired; ValueError where it is no object."""

    def real(text: str) -> float | None:
        return value if math.isfinite(value := float(text)) else None

    value = json.loads(part.decode(), parse_constant=lambda _: None, parse_float=real)
    if not isinstance(value, dict):
        raise ValueError("no object")
    text = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass")
    return json.loads(text.decode("utf-16", "replace"))


@given(
    DOCUMENTS.map(lambda text: f'{{"a":{text}}}'.encode()) | st.binary(max_size=20) | TEXTS.map(str.encode)
)
@example(b'{"a":"\xed\xa0\x80"}')
@example(b'{"a":%s}' % (b"9" * 4000))
@example(b'{"a":%s}' % (b"9" * 5000))
@example(b'\xef\xbb\xbf{"a":1}')
@example(b'{"a":1,"a":2}')
def test_both_readers_see_the_same(part):
    """The fast one is believed because it says what Python's says, or leaves it to that one."""
    try:
        expected = _python_reads(part)
    except ValueError:
        with pytest.raises(UncleanMessageError):
            read_object(part, "content")
        return
    value, written = read_object(part, "content")
    assert repr(value) == repr(expected)
    assert repr(json.loads(written, parse_constant=pytest.fail)) == repr(expected)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_what_is_written_can_be_read(value):
    """By any reader of JSON, and in UTF-8."""
    written = json_bytes({"a": value})
    assert json.loads(written.decode(), parse_constant=pytest.fail)


def test_half_a_pair_of_surrogates_can_be_written():
    """It comes from our own side: a file name in a sentence, say."""
    assert json.loads(json_bytes({"a": "x\ud800"})) == {"a": "x?"}
