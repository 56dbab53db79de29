"""Figures from a sandbox, looked at without decoding them."""

import base64
import struct
import zlib

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from sandbox_kernel.batches.figures import MAX_FIGURE, MAX_OF_NOTEBOOK, Album, read_figure


def part(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(width: int = 2, height: int = 1, *extra: bytes, end: bytes = part(b"IEND", b"")) -> bytes:
    header = part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = part(b"IDAT", zlib.compress(b"\0" + b"\0" * 2))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + pixels + end


def text_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def displays(*values: object) -> object:
    outputs = [new_output("display_data", {"image/png": value}) for value in values]
    return new_notebook(cells=[new_code_cell("x", outputs=outputs)])


def test_a_figure() -> None:
    """A PNG is passed on as it came, with the size that it says."""
    figure = read_figure(base64.encodebytes(png(640, 480, part(b"tEXt", b"k\0v"))).decode())
    assert figure is not None
    assert (figure.width, figure.height) == (640, 480)
    assert figure.png == png(640, 480, part(b"tEXt", b"k\0v"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg onload=alert(1)>",
        b"\xff\xd8\xff\xe0JFIF",
        b"\x89PNG\r\n\x1a\n",
        png()[:-1],
        png()[:45] + b"!" + png()[46:],
        png() + b"<script>alert(1)</script>",
        png(end=b""),
        png().replace(b"IDAT", b"XDAT"),
        png(100_000, 1),
        png(8192, 8192),
        png(0, 1),
        png(2, 1, part(b"acTL", b"\0" * 8)),
        png(2, 1, part(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))),
        png(2, 1, part(b"tEXt", b"x" * MAX_FIGURE)),
        struct.pack(">8sI4s", b"\x89PNG\r\n\x1a\n", 0xFFFFFFFF, b"IHDR"),
    ],
    ids=[
        "nothing",
        "svg",
        "jpeg",
        "signature",
        "cut",
        "changed",
        "more",
        "endless",
        "unknown",
        "wide",
        "pixels",
        "empty",
        "animation",
        "two headers",
        "large",
        "short",
    ],
)
def test_what_is_none(content: bytes) -> None:
    """Other formats, animations, broken parts, what follows the end, gigabytes of pixels."""
    assert read_figure(text_of(content)) is None


@pytest.mark.parametrize("value", [None, 3, ["aGk="], {"a": 1}, "no base64!", "é", "A" * (1 << 20)])
def test_what_is_no_text(value: object) -> None:
    """A kernel may put anything where a figure's text should be."""
    assert read_figure(value) is None


def test_an_album_is_bounded() -> None:
    """So many figures of a notebook, so many bytes of all: what is left out is counted."""
    figures, left_out = Album().take(displays(*[text_of(png())] * 7, "junk"))
    assert (len(figures), left_out) == (MAX_OF_NOTEBOOK, 4)
    album = Album(room=2 * len(png()) + 1)
    assert [len(album.take(displays(text_of(png())))[0]) for _ in range(3)] == [1, 1, 0]


def test_outputs_of_any_shape() -> None:
    """Outputs without data, or with data that is none, have no figures."""
    nb = new_notebook(cells=[new_code_cell("x", outputs=[new_output("stream", name="stdout", text="x")])])
    nb.cells[0].outputs.append({"output_type": "display_data", "data": "image/png"})
    assert Album().take(nb) == ((), 0)
