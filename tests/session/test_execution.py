"""What a call returns, as it looks at a prompt and in a log."""

from base64 import b64encode

from sandbox_kernel.notebooks import Outcome
from sandbox_kernel.session import CodeError, Execution, Image, Output

PICTURE = b64encode(bytes(20 << 10)).decode()
FIGURE = Output("display", {"text/plain": "<Figure>", "image/png": PICTURE})


def test_a_picture_is_told_by_its_size() -> None:
    """Nobody reads base64; the picture itself is as it came."""
    assert repr(FIGURE) == "Output(kind='display', data={'image/png': <20 KiB>, 'text/plain': '<Figure>'})"
    assert repr(FIGURE.image) == "Image(mime='image/png', data=<20 KiB>)"
    assert FIGURE.image == Image("image/png", bytes(20 << 10))
    assert FIGURE.data["image/png"] == PICTURE


def test_a_drawing_is_text() -> None:
    """What is XML is shown as it begins, and as it ends."""
    shown = repr(Output("display", {"image/svg+xml": f"<svg>{'x' * 1000}</svg>"}))
    assert "<svg>" in shown
    assert len(shown) < 300


def test_an_error_is_told_once() -> None:
    """By its name and message; the traceback is there to be printed."""
    error = CodeError.of("ValueError", "no", ("\x1b[31mValueError\x1b[0m: no",))
    assert repr(error) == "CodeError(name='ValueError', message='no')"
    assert error.traceback == "ValueError: no"
    execution = Execution(outcome=Outcome.ERROR, cause="The code raised ValueError: no", error=error)
    assert "x1b" not in repr(execution)


def test_an_execution_is_short_whatever_is_in_it() -> None:
    """Each output once, few of many, and each text with its two ends; the values are kept."""
    text = "x" * 100_000
    execution = Execution(
        outcome=Outcome.OK, cause="", stdout=text, displays=(FIGURE,) * 500, outputs=(FIGURE,) * 500,
        data={"text/html": text, "image/png": PICTURE, "a/b": [text] * 99},
    )  # fmt: skip
    assert len(repr(execution)) < 4000
    assert execution.stdout == text
    assert repr(Execution(outcome=Outcome.OK, cause="", stdout="so\n", value="42", seconds=0.5, count=1)) == (
        "Execution(outcome=<Outcome.OK: 'ok'>, stdout='so\\n', value='42', seconds=0.5, count=1)"
    )
