"""Runs code in one namespace, piece after piece: `python -c 'import _sandbox_runner…'`, inside.

REQUESTS has, for each piece, four bytes of its length and then a marshalled pair: the name of its file and
the code. ANSWERS gets lines of JSON: an empty one at the beginning, {"begun": true} just before the first
piece runs that can be compiled, {"shown": TEXT} for what a piece has shown with `show`, and at its end one of

    {"ended": "ok"}
    {"ended": "error", "name": …, "text": …, "compiled": true or false}

Everything that code has written to its standard streams is in their pipes before the line on its end.

None of this is a wall: the code has this process to itself and may say all that by itself. Whoever reads
takes it for what a stranger says. Old Pythons run it as well: it is the kernel's interpreter, not ours.
Nothing is imported but what every Python has loaded anyway: to start takes as long as `python -c pass`.
"""

from __future__ import annotations

import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal  # without `enum`, which the other brings

REQUESTS, ANSWERS = 3, 4
"""Descriptors, where the guest has put them."""

LENGTH = 4
"""Bytes of a request's length, the least significant first."""

PROGRAM = "submission.py"
"""What the code is told that it is called: nobody has written it to a file."""

MOST = 10_000
"""Characters of an error's text."""

OWN = os.getpid()
"""The process that is asked."""

FLUSHED = ("stdout", "stderr", "__stdout__", "__stderr__")


class Source:
    """What `inspect` and tracebacks ask for the text of the program, the first piece, which is in no file."""

    def __init__(self) -> None:
        self.text = ""

    def get_source(self, _name: str) -> str:
        """Return the text."""
        return self.text


def quoted(text: str) -> str:
    """Return a text as JSON has it, without halves of pairs of surrogates, which are no text elsewhere."""
    try:
        from _json import encode_basestring_ascii as quote  # noqa: PLC0415 - without the rest of `json`
    except ImportError:
        from json import dumps as quote  # noqa: PLC0415
    return str(quote(text.encode("utf-8", "replace").decode()))


def say(line: str) -> None:
    """Write a line to whoever asks."""
    data = memoryview((line + "\n").encode("ascii"))
    while data:
        data = data[os.write(ANSWERS, data) :]


def show(text: str) -> None:
    """Tell a text, apart from all that is printed; a fork of the code's own tells nothing."""
    if os.getpid() == OWN:
        say('{"shown": ' + quoted(text) + "}")


def request() -> tuple[str, str]:
    """Return the next piece, its file's name and its code; leave where there will be no more."""
    name, code = marshal.loads(taken(int.from_bytes(taken(LENGTH), "little")))  # noqa: S302 - the host's
    return str(name), str(code)


def taken(count: int) -> bytes:
    """Return so many bytes."""
    data = b""
    while len(data) < count:
        more = os.read(REQUESTS, count - len(data))
        if not more:
            os._exit(0)
        data += more
    return data


def run(code: Any, names: dict[str, Any]) -> BaseException | None:
    """Run code, which an interrupt may end; return what it has raised."""
    try:
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            exec(code, names)  # noqa: S102 - what all this is for
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except BaseException as error:  # noqa: BLE001 - SystemExit as well: it ends the piece, not the process
        return error
    return None


def flush() -> None:
    """Have in the pipes what was written: of the streams as they are now, and as they were."""
    for name in FLUSHED:
        try:
            getattr(sys, name).flush()
        except BaseException:  # noqa: BLE001, PERF203, S112 - a stream of the code's own may be anything
            continue


def told(error: BaseException, *, compiled: bool) -> str:
    """Return the line on an error."""
    name = type.__dict__["__name__"].__get__(type(error))
    try:
        text = str(error)[:MOST]
        text = text if type(text) is str else ""
    except BaseException:  # noqa: BLE001 - its own method
        text = ""
    return (
        f'{{"ended": "error", "name": {quoted(name)}, "text": {quoted(text)}, '
        f'"compiled": {"true" if compiled else "false"}}}'
    )


def serve(names: dict[str, Any], source: Source) -> None:
    """Run what is asked for until there is no more."""
    begun = False
    while True:
        name, text = request()
        if "__file__" in text:  # not otherwise: who finds it looks for a file of that name
            names.setdefault("__file__", PROGRAM)
        try:
            code = compile(text, name, "exec", dont_inherit=True)
        except BaseException as error:  # noqa: BLE001 - SyntaxError, but also what a parser's depth leads to
            say(told(error, compiled=False))
            continue
        if not begun:  # from here on, the code may say what it likes
            begun, source.text = True, text
            say('{"begun": true}')
        raised = run(code, names)
        flush()
        if os.getpid() != OWN:  # a fork that has not ended itself: the other one answers
            os._exit(0)
        say('{"ended": "ok"}' if raised is None else told(raised, compiled=True))
        del raised, code


def main() -> None:
    """Become the process in which the code finds itself a program, and serve."""
    for descriptor in (REQUESTS, ANSWERS):
        os.set_inheritable(descriptor, False)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)  # type: ignore[union-attr]
    module, source = type(sys)("__main__"), Source()
    sys.modules["__main__"], sys.argv = module, [PROGRAM]
    names = module.__dict__
    names.update(__builtins__=sys.modules["builtins"], __loader__=source)
    say("")
    serve(names, source)
