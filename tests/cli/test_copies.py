"""Files that are given what cells print."""

from pathlib import Path

import pytest
from nbformat.v4 import new_output

from sandbox_kernel.cli.copies import copies
from sandbox_kernel.errors import NotebookError


def test_each_stream_has_its_file() -> None:
    """Text goes to the file of its stream as it comes, in pieces or whole; other outputs go nowhere."""
    with copies("out", "err") as files:
        for name, text in (("stdout", "a\r\x1b[1m"), ("stderr", "b\n"), ("stdout", "grüße \ud800\n")):
            files.take(new_output("stream", name=name, text=text))
        files.take(new_output("display_data", data={"text/plain": "c"}))
        assert Path("out").read_bytes() == "a\r\x1b[1mgrüße ?\n".encode()
    assert Path("err").read_text() == "b\n"
    assert files.failures == []


def test_both_in_one_file() -> None:
    """Two streams may have one file: neither overwrites the other. What was there before is gone."""
    Path("both").write_text("old " * 10)
    with copies("both", "both") as files:
        for number in range(4):
            files.take(new_output("stream", name=("stdout", "stderr")[number % 2], text=f"{number}\n"))
    assert Path("both").read_text() == "0\n1\n2\n3\n"


def test_a_full_disk() -> None:
    """A file that takes no more is given up, and that is told once."""
    with copies("/dev/full", None) as files:
        for _ in range(3):
            files.take(new_output("stream", name="stdout", text="x"))
    assert files.failures == [
        "--stdout-file took no more: No space left on device. The executed notebook has it all."
    ]


def test_refused() -> None:
    """What cannot be written is refused before anything runs."""
    with (
        pytest.raises(NotebookError, match="cannot write nonesuch/out: No such file"),
        copies("nonesuch/out", None),
    ):
        pass
