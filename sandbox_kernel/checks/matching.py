"""Whether a text is the expected one, contains it, or matches a pattern.

A pattern is a teacher's and the text a stranger's, who may have written it so that a backtracking
engine never comes to an end. RE2 takes time that is linear in the text's length, whatever both are; it
has no look-around and no back-references, and a pattern with one is refused when it is read.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

Whitespace = Literal["exact", "trim", "collapse"]
WHITESPACE: tuple[str, ...] = get_args(Whitespace)
"""Every character counts; or not those at the ends of lines, nor empty lines first and last; or any
run of them is one space."""

_RUNS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a text has to be. One of the first three is given."""

    equals: str | None = None
    contains: tuple[str, ...] = ()
    matches: Any = None
    """A pattern that `compiled` has returned."""
    ignore_case: bool = False
    whitespace: Whitespace = "trim"

    @property
    def is_met_by_anything(self) -> bool:
        """Whether no text lacks it: one of its parts is empty, or only white space that does not count."""
        if self.matches is not None:
            return self.matches.search("") is not None
        return not all(self._normal(part) for part in self.contains)

    def miss(self, text: str) -> str | None:
        """Return why a text is not what is expected, without saying what is; None if it is."""
        if self.matches is not None:
            return None if self.matches.search(_scalar(text)) else "does not match the expected pattern"
        said = self._normal(text)
        if self.equals is not None:
            if said == self._normal(self.equals):
                return None
            return "is empty" if not said else "is not the expected text"
        lacking = sum(self._normal(part) not in said for part in self.contains)
        if not lacking:
            return None
        return (
            f"lacks {lacking} of the expected texts" if len(self.contains) > 1 else "lacks the expected text"
        )

    def _normal(self, text: str) -> str:
        if self.whitespace == "collapse":
            text = _RUNS.sub(" ", text).strip()
        elif self.whitespace == "trim":
            text = "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
        return text.casefold() if self.ignore_case else text

    def __str__(self) -> str:
        """Return what is expected, for those who may know."""
        if self.matches is not None:
            return f"the pattern {self.matches.pattern!r}"
        return repr(self.equals) if self.equals is not None else ", ".join(map(repr, self.contains))


def _scalar(text: str) -> str:
    """Return a text that RE2 can be given: it knows no half characters (lone surrogates)."""
    return text.encode("utf-8", "replace").decode("utf-8")


def compiled(pattern: str, *, ignore_case: bool) -> Any:
    """Return a pattern whose `search` takes linear time; `^` and `$` are the ends of lines.

    :raises ValueError: it is not one, or needs more than that; the message says what is wrong.
    """
    import re2  # noqa: PLC0415 -- a library of its own, for those who have patterns

    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not ignore_case
    try:
        return re2.compile(f"(?m){pattern}", options=options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise ValueError(reason) from error
