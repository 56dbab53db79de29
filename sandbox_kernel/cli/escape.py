"""Text from a kernel, made fit for a terminal.

A terminal obeys what it is sent: sequences that retitle it, write to the clipboard (OSC 52), clear
it, move the cursor over what we have said, or make it type answers into the user's shell. So
everything that comes from a kernel or a notebook passes through here.

Rules:
- Newline and tab stay. A carriage return drops the line so far, as a terminal would show it.
- Colours stay where the terminal has them: SGR sequences with harmless parameters. Each line that
  has one ends in a reset, so that colours cannot leak into what we print.
- Every other control character, C1 included (U+009B is a CSI to some terminals), the marks that
  reverse the direction of text, and lone surrogates become visible: ␛, <U+202E>.
- Lines are bounded, so that a kernel that never ends one cannot fill our memory.
"""

import re

MAX_LINE = 16_384
"""Characters held while waiting for the end of a line; longer ones are broken there."""

RESET = "\x1b[0m"
_SGR = re.compile(r"\x1b\[([0-9;:]{0,32})m")
_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_TRAPS = {5, 6, 8}
"""SGR parameters that blink or conceal."""


def plain(text: str) -> str:
    """Return the text on one line, without colours, every control character visible."""
    return _visible(_SGR.sub("", text).replace("\r\n", " ").replace("\n", " ").replace("\t", " "))


def safe_line(line: str, *, colour: bool) -> str:
    """Return one line (without its newline) that a terminal may be sent."""
    if not colour:
        return _visible(_SGR.sub("", line))
    pieces = _SGR.split(line)
    out = [_visible(pieces[0])]
    for parameters, text in zip(pieces[1::2], pieces[2::2], strict=True):
        out += [_safe_sgr(parameters), _visible(text)]
    return "".join(out) + (RESET if len(pieces) > 1 else "")


def _safe_sgr(parameters: str) -> str:
    """Return the sequence, or nothing if it hides text.

    The parameters of 38, 48 and 58 are colours (38;5;8 is grey), so only codes before them count.
    """
    for code in re.split("[;:]", parameters):
        number = int(code or 0)
        if number in (38, 48, 58):
            break
        if number in _TRAPS:
            return ""
    return f"\x1b[{parameters}m"


def _visible(text: str) -> str:
    return _HARMFUL.sub(_name, text)


def _name(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"<U+{code:04X}>"


class Lines:
    """Cuts a stream of text into lines that a terminal may be sent."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour
        self._rest = ""

    @property
    def rest(self) -> str:
        """The line that has not ended yet, as it would look now."""
        return self._shown(self._rest)

    def feed(self, text: str) -> list[str]:
        """Take in more text and return the lines that it completes, without their newlines."""
        *lines, rest = (self._rest + text).split("\n")
        ended = rest.endswith("\r")  # what follows may overwrite the line, or be its newline
        rest = _overwritten(rest)
        while len(rest) > MAX_LINE:
            lines.append(rest[:MAX_LINE])
            rest = rest[MAX_LINE:]
        self._rest = rest + "\r" * ended
        return [self._shown(line) for line in lines]

    def _shown(self, line: str) -> str:
        return safe_line(_overwritten(line), colour=self._colour)

    def flush(self) -> list[str]:
        """Return what is left as a last line, if anything is."""
        lines, self._rest = [self.rest] if self._rest else [], ""
        return lines


def _overwritten(line: str) -> str:
    """Return what the last carriage return within a line has left of it."""
    return line.rstrip("\r").rpartition("\r")[2]
