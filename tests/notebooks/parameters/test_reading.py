"""From what people write to values; papermill's own reading is compared in `test_parity`."""

import os
import threading
from pathlib import Path

import pytest

from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks.parameters.reading import from_file, from_yaml, together, value_of


def test_order() -> None:
    """Of parameters of one name the last source counts: base64, files, YAML, typed, raw."""
    sources = {
        "encoded": ["YTogMQpiOiAxCmM6IDEKZDogMQ=="],  # a, b, c and d are 1
        "texts": ["{a: 2, b: 2, c: 2}", "{c: 3}"],
        "typed": [("a", "4"), ("b", "4")],
        "raw": [("a", "5")],
    }
    assert together(**sources) == {"a": "5", "b": 4, "c": 3, "d": 1}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("True", True),
        ("None", None),
        ("1_0", 10),
        (" 7 ", 7),
        ("1e3", 1000.0),
        ("true", "true"),
        ("0x1", "0x1"),
        ("", ""),
    ],
)
def test_types(text: str, value: object) -> None:
    """A value is what it looks like to Python."""
    found = value_of(text)
    assert (found, type(found)) == (value, type(value))


def test_files(tmp_path: Path) -> None:
    """Files may be YAML or JSON, at an address, or a pipe that a shell has made; a date stays text."""
    file, pipe = tmp_path / "p.yaml", tmp_path / "pipe"
    file.write_text("day: 2026-01-02\nempty:\nlist: [1, yes]\n")
    assert from_file(str(file)) == {"day": "2026-01-02", "empty": None, "list": [1, True]}
    assert from_file(f"file://{file}") == from_file(str(file))
    file.write_text('{"a": {"b": 1e3}}')
    assert from_file(str(file)) == {"a": {"b": "1e3"}}  # YAML's number has a point
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("a: 1",))
    writer.start()
    assert from_file(str(pipe)) == {"a": 1}
    writer.join()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1, 2]", "-y is a list; write names with their values"),
        ("a", "-y is a str"),
        ("a: [", "-y cannot be read as YAML"),
        ("a: !!python/object/apply:os.system [x]", "could not determine a constructor"),
        ("a: " + "9" * 5000, "cannot be read as YAML"),
        ("a: 1" + ":1" * 80_000, "a number has more than 4300 digits"),
        ("[" * 5000, "cannot be read as YAML"),
        ("x" * ((16 << 20) + 1), "-y is larger than 16 MiB"),
    ],
    ids=lambda text: text[:20],
)
def test_refusals(text: str, words: str) -> None:
    """What is no mapping of plain values is refused in one sentence."""
    with pytest.raises(NotebookError) as refusal:
        from_yaml(text, "-y")
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_refused_sources(tmp_path: Path) -> None:
    """A source that cannot be read is named."""
    with pytest.raises(NotebookError, match="-b is not base64"):
        together(encoded=["="])
    with pytest.raises(NotebookError, match=r"-b cannot be read as YAML"):
        together(encoded=["gICA"])
    with pytest.raises(NotebookError, match=r"cannot read .*nonesuch.yaml: No such file"):
        together(files=[str(tmp_path / "nonesuch.yaml")])
    with pytest.raises(NotebookError, match=r"/dev/zero is larger than 16 MiB"):
        together(files=["/dev/zero"])
