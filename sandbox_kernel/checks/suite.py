"""A CHECKS file: read whole, or refused in a sentence that names the place."""

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from sandbox_kernel.checks.fields import Fields, named
from sandbox_kernel.checks.kinds import KINDS, Condition
from sandbox_kernel.errors import ChecksError

MAX_FILE: Final = 1 << 20
"""Bytes of a CHECKS file: a thousand long checks."""
MAX_CHECKS: Final = 1000
"""In one file: each may ask the kernel a question."""

_COMMON: Final = ("kind", "name", "points", "message", "show_expected")
_FILE: Final = ("title", "policy", "allow_errors", "show_expected", "checks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One condition, what it is worth, and what is said of it."""

    kind: str
    name: str
    points: float
    condition: Condition
    message: str | None = None
    """What a student is told when the condition is not met, before the reason."""
    show_expected: bool = False
    """Whether the reason may tell what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A CHECKS file that is usable."""

    source: str
    """What messages call it."""
    checks: tuple[Check, ...]
    title: str | None = None
    policy: Mapping[str, object]
    """What submissions are allowed, where it is not the profile's."""
    allow_errors: bool = False
    """Whether a submission goes on after an error that no check asks for, and is judged all the same."""

    @property
    def points(self) -> float:
        """What all checks are worth together."""
        return sum(check.points for check in self.checks)


def read_suite(path: Path) -> Suite:
    """Return what a CHECKS file says.

    :raises ChecksError: it cannot be read, or something in it is not understood.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise ChecksError(f"cannot read {path}: {error.strerror}.") from error
    if len(content) > MAX_FILE:
        raise ChecksError(f"{path} is larger than {MAX_FILE >> 20} MiB, which no CHECKS file is.")
    return parse_suite(content, str(path))


def parse_suite(content: bytes | str, source: str) -> Suite:
    """Return what a CHECKS file's content says; `source` is what messages call it.

    :raises ChecksError: something in it is not understood.
    """
    try:
        written = yaml.load(content, Loader=_Loader)  # noqa: S506 -- a safe one, which also minds its keys
    except yaml.YAMLError as error:
        raise ChecksError(f"{source} is not YAML: {_one_line(error)}") from error
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:  # as PyYAML fails
        raise ChecksError(f"{source} cannot be read: {str(error)[:200]}.") from error
    fields = Fields(written, source, _FILE)
    entries = fields.items("checks")
    if not 0 < len(entries) <= MAX_CHECKS:
        raise fields.refuse(f"'checks' has {len(entries)} entries; it has to have 1 to {MAX_CHECKS}.")
    reveal = fields.flag("show_expected")
    return Suite(
        source=source,
        checks=tuple(
            _read_check(entry, f"{source}, check {n}", reveal=reveal) for n, entry in enumerate(entries, 1)
        ),
        title=fields.text("title") if "title" in fields else None,
        policy=fields.mapping("policy", {}),
        allow_errors=fields.flag("allow_errors"),
    )


def _read_check(entry: object, place: str, *, reveal: bool) -> Check:
    if not isinstance(entry, Mapping):
        raise ChecksError(f"{place}: {named(entry)} stands where a mapping with a 'kind' should be.")
    every = (*_COMMON, *dict.fromkeys(key for kind in KINDS.values() for key in kind.KEYS))
    kind = Fields(entry, place, every).choice("kind", KINDS)
    fields = Fields(entry, f"{place} ({kind})", (*_COMMON, *KINDS[kind].KEYS))
    condition = KINDS[kind].read(fields)
    return Check(
        kind=kind,
        name=fields.text("name", condition.title),
        points=fields.number("points", 1),
        condition=condition,
        message=fields.text("message") if "message" in fields else None,
        show_expected=fields.flag("show_expected", default=reveal),
    )


_OWN: Final = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+)", "-+0123456789"),
    "float": (
        r"[-+]?(?:(?:0|[1-9][0-9_]*)(?:\.[0-9_]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?i:inf)|\.(?i:nan)",
        "-+.0123456789",
    ),
}
"""What is no text, by how it looks and begins. YAML 1.1, which PyYAML reads, has `no` for false, 010 for 8,
12:30 for 750, and 1e-9 for a text: no submission would be right."""


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Return what a plain value may be, by its first character: as PyYAML has it, but for what is our own."""
    found = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in _OWN]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for name, (pattern, letters) in _OWN.items():
        for letter in letters:
            found.setdefault(letter, []).append((f"tag:yaml.org,2002:{name}", re.compile(f"(?:{pattern})$")))
    return found


class _Loader(yaml.SafeLoader):
    """Reads values as they look to people, and refuses what was forgotten, or would go unheard."""

    yaml_implicit_resolvers = _resolvers()

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return the mapping. :raises yaml.YAMLError: a key of it is there twice, or nothing follows one."""
        seen: set[tuple[str, str]] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if (key.tag, key.value) in seen and key.value != "<<":
                raise _misread(f"the key {key.value[:60]!r} is there twice", node)
            seen.add((key.tag, key.value))
            if key.value and isinstance(value, yaml.ScalarNode) and not value.value and value.tag == _NULL:
                raise _misread(f"{key.value[:60]!r} is empty; write null if nothing is meant", value)
        return super().construct_mapping(node, deep)


_NULL: Final = "tag:yaml.org,2002:null"


def _misread(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _one_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = " ".join(str(getattr(error, "problem", None) or error).split())
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}{problem[:200]}{_ADVICE if _is_text_with_colon(problem, mark) else ''}."


_ADVICE: Final = "; put a text that holds ': ' in quotes"


def _is_text_with_colon(problem: str, mark: yaml.Mark | None) -> bool:
    """Tell whether a colon that stands where none may is its line's second: one of a text, most likely."""
    if not problem.startswith("mapping values are not allowed") or mark is None or mark.buffer is None:
        return False
    return ": " in mark.buffer[: mark.pointer].rpartition("\n")[2]
