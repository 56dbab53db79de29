"""What passes for a picture, and what does not."""

import io
import zlib

import pytest

from sandbox_kernel.checks import picture
from sandbox_kernel.checks.picture import Picture, read_png
from tests.checks.pictures import blank, drawing, part, png

WHOLE = drawing()


def test_a_picture() -> None:
    """A whole PNG with something in it is one."""
    assert read_png(WHOLE) == Picture(60, 60, is_blank=False)


@pytest.mark.parametrize("filter_", [0, 1, 2])
def test_one_colour(filter_: int) -> None:
    """A picture of one colour is told, however its rows are written."""
    assert read_png(blank(filter_=filter_)) == Picture(60, 60, is_blank=True)


def test_pictures_of_matplotlib() -> None:
    """Its figures are pictures; one on which nothing was drawn is of one colour."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    empty, drawn = Figure(figsize=(2, 2)), Figure(figsize=(2, 2))
    drawn.subplots().plot([1, 2])
    found = []
    for figure in (empty, drawn):
        file = io.BytesIO()
        FigureCanvasAgg(figure).print_png(file)
        found.append(read_png(file.getvalue()))
    assert found == [Picture(200, 200, is_blank=True), Picture(200, 200, is_blank=False)]


@pytest.mark.parametrize(
    ("content", "flaw"),
    [
        (b"", "it is not a PNG"),
        (b"GIF89a", "it is not a PNG"),
        (WHOLE[:8], "it is a PNG that is broken or cut off"),
        (WHOLE[:8] + b"noise" * 100, "it is a PNG that is broken or cut off"),
        (WHOLE[:-12], "it is a PNG that is broken or cut off"),
        (WHOLE.replace(b"IDAT", b"IDAX"), "it is a PNG that is broken or cut off"),
        (WHOLE[:8] + part((b"IEND", b"")), "it is a PNG that is broken or cut off"),
        (png(0, 60, b""), "it is a PNG of an impossible size or kind"),
        (png(1 << 31, 1 << 31, b"\0"), "it is a PNG of an impossible size or kind"),
        (png(1, 10_001, bytes(2 * 10_001)), "it is a PNG of an impossible size or kind"),
        (png(60, 60, bytes(61 * 60), colour=5), "it is a PNG of an impossible size or kind"),
        (png(60, 60, bytes(61 * 60), bits=7), "it is a PNG of an impossible size or kind"),
        (png(60, 60, b""), "it is a PNG whose pixels are missing"),
        (png(60, 60, bytes(61 * 59)), "it is a PNG whose pixels are missing"),
        (
            WHOLE[:33] + part((b"IDAT", b"no such data")) + part((b"IEND", b"")),
            "it is a PNG whose pixels are missing",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_none(content: bytes, flaw: str) -> None:
    """A signature, a size and noise are no picture, and none is unpacked beyond the size that it has."""
    assert read_png(content) == flaw


def test_no_bomb_is_unpacked() -> None:
    """What unpacks to far more than the picture has room for is left after a little more than that."""
    room = 61 * 60
    looked = picture._look(zlib.compress(bytes(10_000_000)), 61, 1, room)
    assert looked
    assert room < looked[0] <= room + picture._WANTED
