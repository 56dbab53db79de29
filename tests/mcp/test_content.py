"""What a model is shown of outputs that code has chosen."""

import base64

import pytest

from sandbox_kernel.mcp.content import MAX_IMAGE, MAX_IMAGES, MAX_PIECE, MAX_TEXT, Page, clean, shortened
from sandbox_kernel.notebooks import Outcome
from sandbox_kernel.session import CodeError, Execution, Output

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def png(data: bytes = PIXEL, mime: str = "image/png") -> Output:
    return Output("display", {mime: base64.b64encode(data).decode(), "text/plain": "<Figure>"})


def shown(*outputs: Output) -> list[str]:
    page = Page()
    page.outputs(outputs)
    return [block.text if block.type == "text" else block.mime_type for block in page.result().content]


def test_a_picture() -> None:
    """A picture is shown as it is, and not its text."""
    assert shown(png()) == ["image/png"]


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (png(b"GIF89a"), "it says that it is image/png, and is not"),
        (png(PIXEL + b"x" * MAX_IMAGE), "it has 3.0 MiB, more than 3"),
        (png(PIXEL[:16] + b"\0\0\xff\xff" + PIXEL[20:]), "one of its sides has 65535 pixels, more than 8000"),
        (png(PIXEL[:12]), "one of its sides has 8001 pixels, more than 8000"),
        (png(b"RIFFxxxxAVI LIST", "image/webp"), "it says that it is image/webp, and is not"),
    ],
)
def test_no_picture(output: Output, reason: str) -> None:
    """What services refuse a conversation for is left out, with the reason."""
    assert shown(output) == [f"[A picture is left out: {reason}.]"]


def test_too_many_pictures() -> None:
    """There is an end to pictures."""
    found = shown(*[png()] * (MAX_IMAGES + 2))
    assert found.count("image/png") == MAX_IMAGES
    assert found[-1] == "\n".join(["[A picture is left out: there are more than a model can look at.]"] * 2)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"text/html": "<b>x</b>", "text/plain": "x"}, "x"),
        ({"text/html": "<b>x</b>"}, "[Output of type text/html, which is not shown.]"),
        ({"image/svg+xml": "<svg/>", "text/plain": "a drawing"}, "a drawing"),
        ({"text/markdown": "**x**"}, "**x**"),
        ({"application/json": {"a": [1]}}, '{"a": [1]}'),
        ({"text/plain": 17, "x/y": 1}, "[Output of type text/plain, x/y, which is not shown.]"),
        ({}, "[Output of type , which is not shown.]"),
    ],
)
def test_forms(data: dict[str, object], text: str) -> None:
    """Of several forms the one is shown that is text for a reader, and never HTML."""
    assert shown(Output("display", data)) == [text]


def test_text_has_an_end() -> None:
    """One output, and all together, have at most so many characters; both ends are kept."""
    found = shown(Output("stdout", {"text/plain": "a" + "x" * 200_000 + "z"}))
    assert MAX_PIECE <= len(found[0]) < MAX_PIECE + 100
    assert (found[0][0], found[0][-1]) == ("a", "z")
    many = shown(*[Output("stdout", {"text/plain": "y" * MAX_PIECE})] * 10)
    assert len(many[0]) < MAX_TEXT + 1000
    assert "[262144 more characters of output are left out." in many[0]


def test_an_error_is_shown_after_a_flood() -> None:
    """Why code failed is shown also where it has printed without end."""
    error = CodeError("E", "why", "the traceback", ())
    flood = [Output("stdout", {"text/plain": "y" * MAX_PIECE})] * 10
    page = Page()
    page.execution(Execution(outcome=Outcome.ERROR, cause="why", error=error, outputs=tuple(flood)))
    assert "\nthe traceback\n" in page.result().content[0].text


def test_thousands_of_outputs() -> None:
    """However many outputs there are, an answer has few parts, and what is said of them has an end."""
    for output in (png(b"none"), Output("display", {"text/plain": "x"}), Output("display", {"x/y": 1})):
        found = shown(*[output] * 10_000)
        assert len(found) == 1
        assert len(found[0]) < MAX_TEXT + 1000 + 10_000


def test_text_is_clean() -> None:
    """Control sequences and half characters do not reach a model, lines do."""
    assert clean("\x1b[31mred\x1b[0m\r\n\tnext\x00\x9b \ud800 é") == "red\n\tnext ? é"
    assert shortened("abcdef", 4) == "ab\n[2 characters are left out here]\nef"
