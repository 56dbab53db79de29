"""The condition on what a submission's function does when it is called."""

from dataclasses import dataclass
from typing import Any, Self

from sandbox_kernel.checks.comparing import difference
from sandbox_kernel.checks.evidence import Called, Evidence
from sandbox_kernel.checks.fields import Fields
from sandbox_kernel.checks.kinds.condition import Call, Condition
from sandbox_kernel.checks.kinds.variables import read_name, read_tolerance
from sandbox_kernel.checks.literal import literal
from sandbox_kernel.checks.matching import Expectation
from sandbox_kernel.checks.plain import plain
from sandbox_kernel.checks.values import Tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall(Condition):
    """A function that is called with these arguments returns, raises or prints what is expected."""

    KEYS = (
        "function",
        "arguments",
        "keywords",
        "timeout",
        "equals",
        "abs_tolerance",
        "rel_tolerance",
        "raises",
        "prints",
    )

    asked: Call
    how: str
    """What of it is looked at: "equals", "raises" or "prints"."""
    value: Any = None
    tolerance: Tolerance = Tolerance()  # noqa: RUF009 - frozen
    raises: str = ""
    prints: Expectation | None = None

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return what was written. :raises ChecksError: it is not usable."""
        how = fields.one_of("equals", "raises", "prints")
        call = _read_call(fields)
        match how:
            case "equals":
                return cls(asked=call, how=how, value=plain(fields, how), tolerance=read_tolerance(fields))
            case "raises":
                return cls(asked=call, how=how, raises=fields.class_name(how))
        return cls(asked=call, how=how, prints=Expectation(equals=fields.text(how)))

    @property
    def title(self) -> str:
        """What it is called without a name."""
        return str(self.asked)

    @property
    def expected(self) -> str:
        """What is expected."""
        match self.how:
            case "equals":
                return repr(self.value)
            case "raises":
                return self.raises
        return str(self.prints)

    @property
    def call(self) -> Call:
        """The call that has to be made."""
        return self.asked

    def miss(self, evidence: Evidence, number: int) -> str | None:
        """Return why the call did not do what is expected."""
        called = evidence.calls.get(number)
        if called is None:
            return "it was not called"
        match called.end:
            case "missing":
                return f"there is no function {self.asked.function}"
            case "not callable":
                return f"{self.asked.function} is no function"
            case "unanswered":
                return called.said
        return self._flaw(called)

    def _flaw(self, called: Called) -> str | None:
        if self.how == "raises":
            return self._unlike(called)
        if called.end == "raised" or called.value is None:
            return f"{self.asked} raised {_named(called)}"
        if self.prints is None:
            return difference(self.value, called.value, self.tolerance, str(self.asked))
        if called.is_cut:
            return f"what {self.asked} printed was too long, and cut"
        said = self.prints.miss(called.stdout)
        return None if said is None else f"what {self.asked} printed {said}"

    def _unlike(self, called: Called) -> str | None:
        if called.end != "raised":
            return f"{self.asked} raised nothing"
        if not called.inside:
            return f"{self.asked} raised {_named(called)}, for it does not take these arguments"
        names = {name for whole in called.classes for name in (whole, whole.rpartition(".")[2])}
        return None if self.raises in names else f"{self.asked} raised {_named(called)}"


def _read_call(fields: Fields) -> Call:
    """Return what has to be called. :raises ChecksError: it cannot be."""
    arguments = fields.items("arguments", [])
    keywords = fields.mapping("keywords", {})
    for key, given in (("arguments", arguments), ("keywords", keywords)):
        if given:
            plain(fields, key)
        try:
            literal(given)
        except TypeError as error:
            raise fields.refuse(f"{key!r} has {error} in it, which cannot be passed on.") from error
    timeout = fields.number("timeout", least=0.05) if "timeout" in fields else None
    return Call(read_name(fields, "function"), tuple(arguments), dict(keywords), timeout)


def _named(called: Called) -> str:
    name = called.classes[0].rpartition(".")[2] if called.classes else "something"
    lines = f"{name}: {called.said}".strip().removesuffix(":").splitlines()
    return lines[0][:200]
