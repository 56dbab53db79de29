"""From messages to outputs: in their order, bounded, and whatever a hostile kernel sends."""

from typing import Any

import pytest

from sandbox_kernel.notebooks.client import MAX_PLACES
from sandbox_kernel.session import Output
from sandbox_kernel.session.recorder import COST, MAX_MESSAGE, MAX_NAME, MAX_TRACEBACK, Recorder


def message(kind: str, **content: Any) -> dict[str, Any]:
    return {"msg_type": kind, "content": content}


def shown(text: str, name: str | None = None, kind: str = "display_data") -> dict[str, Any]:
    return message(
        kind, data={"text/plain": text}, metadata={}, transient={"display_id": name} if name else {}
    )


def printed(text: str, name: str = "stdout") -> dict[str, Any]:
    return message("stream", name=name, text=text)


def texts(recorder: Recorder) -> list[str]:
    return [output.text for output in recorder.outputs]


def test_text_that_goes_on_is_one_output() -> None:
    """Pieces of one stream are joined until something else comes between."""
    recorder = Recorder()
    for one in (printed("a"), printed("b"), printed("c", "stderr"), printed("d"), shown("e"), printed("f")):
        recorder.take(one)
    assert texts(recorder) == ["ab", "c", "d", "e", "f"]


def test_no_more_is_kept_than_fits() -> None:
    """Over the limit text is cut and outputs are left out; whoever listens hears all of it."""
    heard: list[Output] = []
    recorder = Recorder(heard.append, limit=2 * COST + 10)
    for _ in range(1000):
        recorder.take(printed("x" * 100))
    recorder.take(shown("y" * 100))
    assert sum(map(len, texts(recorder))) <= 2 * COST + 10
    assert len(heard) == 1001
    assert recorder.dropped >= 1000 * 100 + 100 - 2 * COST - 10


def test_an_update_cannot_grow_beyond_the_limit() -> None:
    """What stands in the place of something else is counted as well."""
    recorder = Recorder(limit=2 * COST)
    recorder.take(shown("a", "name"))
    for _ in range(100):
        recorder.take(shown("b" * 100, "name", "update_display_data"))
    assert len(texts(recorder)) == 1
    assert recorder.dropped > 0


def test_an_update_changes_so_many_places() -> None:
    """What was shown ten thousand times under one name is not changed ten thousand times by each message."""
    recorder = Recorder()
    recorder.take(shown("else", "other"))
    for _ in range(MAX_PLACES + 50):
        recorder.take(shown("a", "name"))
    recorder.take(shown("b", "name", "update_display_data"))
    assert texts(recorder) == ["else", *["a"] * 50, *["b"] * MAX_PLACES]
    recorder.take(message("clear_output", wait=False))
    recorder.take(shown("c"))
    recorder.take(shown("b", "name", "update_display_data"))
    assert texts(recorder) == ["c"]


@pytest.mark.parametrize("large", [{"data": {"x" * 10**6: ""}}, {"transient": {"display_id": "x" * 10**6}}])
def test_what_is_large_elsewhere_is_not_kept(large: dict[str, Any]) -> None:
    """An output whose name or whose types are long counts as long."""
    recorder = Recorder(limit=10**6)
    recorder.take(message("display_data", **{"data": {}, "metadata": {}, **large}))
    assert recorder.outputs == ()
    assert recorder.dropped >= 10**6


def test_an_error_is_cut() -> None:
    """An error's parts have an end."""
    recorder = Recorder()
    recorder.take(message("error", ename="N" * 10**6, evalue="v" * 10**7, traceback=["t" * 10**7] * 10))
    assert len(recorder.error.name) == MAX_NAME
    assert len(recorder.error.message) == MAX_MESSAGE
    assert sum(map(len, recorder.error.raw)) <= MAX_TRACEBACK


@pytest.mark.parametrize(
    "malformed",
    [
        {},
        {"msg_type": "stream"},
        message("stream"),
        message("stream", name="stdout", text=1),
        message("stream", name="stdlog", text="x"),
        message("display_data", data="x"),
        message("display_data", data={"a": {1, 2}}),
        message("error", ename="x"),
        {"msg_type": "error", "content": None},
    ],
    ids=range(9),
)
def test_malformed_messages(malformed: dict[str, Any]) -> None:
    """They raise what the reader of messages skips them for, and leave nothing."""
    recorder = Recorder()
    with pytest.raises((KeyError, TypeError, AttributeError)):
        recorder.take(malformed)
    assert recorder.outputs == ()
    assert recorder.error is None


def test_odd_messages() -> None:
    """Fields of other types than they should have are left out."""
    recorder = Recorder()
    recorder.take(message("display_data", data={"text/plain": 7}, metadata=[], transient=[]))
    recorder.take(message("error", ename=1, evalue=None, traceback="x"))
    recorder.take(message("unheard_of"))
    (output,) = recorder.outputs
    assert (output.text, output.metadata, output.display_id, output.image) == ("", {}, None, None)
    assert (recorder.error.name, recorder.error.raw) == ("1", ())


@pytest.mark.parametrize("data", ["not base64!", "QUJ", 7, None])
def test_pictures_that_are_none(data: object) -> None:
    """What is not base64 is no picture, and raises nothing."""
    output = Output("display", {"image/png": data})
    assert output.image is None
    assert output.bytes("image/png") is None
