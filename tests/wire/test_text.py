"""JSON without the module `json`: the same texts, and nothing more is accepted."""

import json
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_kernel.wire.text import dumps, loads

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_written_is_json_and_is_read_again(value):
    assert json.loads(dumps(value)) == value
    assert loads(dumps(value)) == value


@given(VALUES)
def test_what_json_writes_is_read(value):
    assert loads(json.dumps(value).encode()) == value


def test_tuples_are_lists_and_enumerations_are_numbers():
    assert dumps({"argv": ("a", "b"), "signum": signal.SIGINT}) == b'{"argv":["a","b"],"signum":2}'


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b" 1",
        b"1 ",
        b"{}{}",
        b"[1,]",
        b"{'a':1}",
        b"NaN",
        b"[-Infinity]",
        b"\xff",
        "ä".encode(),
        b'"\x01"',
        b"[",
        b'"a',
    ],
)
def test_anything_else_is_refused(junk):
    with pytest.raises(ValueError):
        loads(junk)


def test_what_is_nested_too_deeply_is_refused():
    with pytest.raises(RecursionError):
        loads(b"[" * 200_000)


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object()])
def test_what_has_no_json_is_not_written(value):
    with pytest.raises(TypeError):
        dumps(value)


def test_an_interpreter_without_its_own_scanner_reads_and_writes_the_same():
    code = (
        "import sys; sys.modules['_json'] = None\n"
        "from sandbox_kernel.wire.text import dumps, loads\n"
        "print(dumps({'a': [1, 'ä\\n', 0.5, None, True]}), loads(b'{\"b\": [1, 2.5]}'))\n"
        "try: loads(b'NaN')\n"
        "except ValueError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [
        """b'{"a":[1,"\\\\u00e4\\\\n",0.5,null,true]}' {'b': [1, 2.5]}""",
        "NaN is not a number",
    ]
