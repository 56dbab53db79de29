"""Conditions on what a submission has shown: text, figures, errors."""

import builtins
from dataclasses import dataclass
from typing import Any, Literal, Self, cast, get_args

from sandbox_kernel.checks.comparing import count
from sandbox_kernel.checks.evidence import Error, Evidence, Ran
from sandbox_kernel.checks.fields import Fields
from sandbox_kernel.checks.kinds.condition import Condition, Place
from sandbox_kernel.checks.matching import WHITESPACE, Expectation, Whitespace, compiled
from sandbox_kernel.checks.picture import read_png

Stream = Literal["stdout", "stderr", "results", "all"]
STREAMS: tuple[str, ...] = get_args(Stream)

MOST_PICTURES = 32
"""That a check looks at: more than a notebook shows, few enough that bombs among them take seconds."""


def read_expectation(fields: Fields) -> Expectation:
    """Return what is said of a text. :raises ChecksError: nothing is, or it is not usable."""
    given = fields.one_of("equals", "contains", "matches")
    ignore_case = fields.flag("ignore_case")
    pattern: Any = None
    if given == "matches":
        try:
            pattern = compiled(fields.text("matches"), ignore_case=ignore_case)
        except ValueError as error:
            raise fields.refuse(f"'matches' is not a pattern that RE2 can read: {error}.") from error
    expectation = Expectation(
        equals=fields.text("equals") if given == "equals" else None,
        contains=fields.texts("contains") if given == "contains" else (),
        matches=pattern,
        ignore_case=ignore_case,
        whitespace=cast("Whitespace", fields.choice("whitespace", WHITESPACE, "trim")),
    )
    if expectation.is_met_by_anything:
        raise fields.refuse(f"{given!r} is met by any text, an empty one too; say more of what is expected.")
    return expectation


@dataclass(frozen=True, slots=True)
class Output(Condition):
    """What was printed, or displayed, is as expected."""

    KEYS = ("equals", "contains", "matches", "ignore_case", "whitespace", "stream", "cell")

    text: Expectation
    stream: Stream
    place: Place

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return what was written. :raises ChecksError: it is not usable."""
        stream = cast("Stream", fields.choice("stream", STREAMS, "stdout"))
        return cls(read_expectation(fields), stream, Place.read(fields))

    @property
    def title(self) -> str:
        """What it is called without a name."""
        return f"output{self.place}"

    @property
    def expected(self) -> str:
        """What is expected."""
        return str(self.text)

    @property
    def needs_kernel(self) -> bool:
        """Whether the value of the last line counts."""
        return self.stream in ("results", "all")

    def miss(self, evidence: Evidence, number: int) -> str | None:  # noqa: ARG002
        """Return why the output is not as expected."""
        cells = self.place.among(evidence.cells)
        if not cells:
            return self.place.none
        if any(cell.is_cut for cell in cells):
            return "the output was too long, and cut"
        said = self.text.miss("".join(map(self._said, cells)))
        return None if said is None else f"the output {said}"

    def _said(self, cell: Ran) -> str:
        results = "".join(f"{result}\n" for result in cell.results)
        match self.stream:
            case "stdout":
                return cell.stdout
            case "stderr":
                return cell.stderr
            case "results":
                return results
        return cell.stdout + cell.stderr + results


@dataclass(frozen=True, slots=True)
class Figure(Condition):
    """There are figures: whole pictures of a plausible size, and not of one colour."""

    KEYS = ("count", "min_width", "min_height", "cell")

    least: int
    width: int
    height: int
    place: Place

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return what was written. :raises ChecksError: it is not usable."""
        least = fields.whole("count", 1, least=1)
        if least > MOST_PICTURES:
            raise fields.refuse(f"'count' is {least}; a check looks at the first {MOST_PICTURES} pictures.")
        width, height = (fields.whole(f"min_{side}", 50, least=1) for side in ("width", "height"))
        return cls(least, width, height, Place.read(fields))

    @property
    def title(self) -> str:
        """What it is called without a name."""
        return f"figure{self.place}"

    @property
    def expected(self) -> str:
        """What is expected."""
        return f"{count(self.least, 'figure')} of at least {self.width} x {self.height} pixels"

    @property
    def needs_kernel(self) -> bool:
        """Whether figures count, which a program has nowhere to show."""
        return True

    def miss(self, evidence: Evidence, number: int) -> str | None:  # noqa: ARG002
        """Return why there are not enough figures."""
        cells = self.place.among(evidence.cells)
        if not cells:
            return self.place.none
        pictures = [picture for cell in cells for picture in cell.pictures]
        flaws = [self._flaw(picture) for picture in pictures[:MOST_PICTURES]]
        good = flaws.count(None)
        if good >= self.least:
            return None
        flaw = next((flaw for flaw in flaws if flaw is not None), None)
        return f"there {'is' if good == 1 else 'are'} {count(good, 'figure')}" + (
            f", and another is none: {flaw}" if flaw else ""
        )

    def _flaw(self, content: bytes) -> str | None:
        picture = read_png(content)
        if isinstance(picture, str):
            return picture
        if picture.width < self.width or picture.height < self.height:
            return f"it has {picture.width} x {picture.height} pixels only"
        return "it is of one colour" if picture.is_blank else None


@dataclass(frozen=True, slots=True)
class CellError(Condition):
    """A cell raises an exception of this name, or of a built-in one that is derived from it."""

    KEYS = ("raises", "cell")

    raises: str
    place: Place

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return what was written. :raises ChecksError: it is not usable."""
        return cls(fields.class_name("raises"), Place.read(fields))

    @property
    def title(self) -> str:
        """What it is called without a name."""
        return f"error{self.place}"

    @property
    def expected(self) -> str:
        """What is expected."""
        return self.raises

    def permits(self, cell: Ran, error: Error) -> bool:
        """Tell whether this is the error that was asked for."""
        return self.place.covers(cell) and is_a(error.name, self.raises)

    def miss(self, evidence: Evidence, number: int) -> str | None:  # noqa: ARG002
        """Return why the error was not raised."""
        cells = self.place.among(evidence.cells)
        if not cells:
            return self.place.none
        errors = [cell.error for cell in cells if cell.error]
        if any(is_a(error.name, self.raises) for error in errors):
            return None
        return f"it raised {errors[0]}" if errors else "no error was raised"


def is_a(name: str, wanted: str) -> bool:
    """Tell whether the exception of this name is the wanted one, or a built-in one below it."""
    of, above = (getattr(builtins, one, None) for one in (name, wanted))
    if isinstance(of, type) and isinstance(above, type) and issubclass(above, BaseException):
        return issubclass(of, above)
    return name == wanted
