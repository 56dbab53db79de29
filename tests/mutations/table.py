"""README.md of this folder, made from the list."""

from itertools import groupby
from pathlib import Path

from tests.mutations.mutation import Mutation
from tests.mutations.walls import SECTIONS

README = Path(__file__).with_name("README.md")

_HEAD = """\
# What happens when a wall is taken away

A guard is worth what its test is worth. Each line below is a protection that
`python -m tests.mutations` switches off, in a copy of the checkout, and the tests that must fail
then: every one of them, each for itself. A protection that can be switched off unnoticed is a bug
in the tests.

```
python -m tests.mutations                     # all of them, two at a time
python -m tests.mutations docker- bubblewrap- # those whose names begin so
python -m tests.mutations --jobs 4
python -m tests.mutations --table             # writes this file
```

It is run by hand, before a release and after changes to a wall. Continuous integration only
makes sure that each of the {count} still applies, and that its tests are there. Tests are named
below `tests/`.
"""


def text() -> str:
    """Return what README.md must say."""
    count = sum(len(mutations) for _, mutations in SECTIONS)
    return "\n".join([_HEAD.format(count=count), *(_section(*section) for section in SECTIONS)])


def _section(title: str, mutations: tuple[Mutation, ...]) -> str:
    lines = [f"## {title}", "", "| Switched off | What it protects | Caught by |", "| --- | --- | --- |"]
    return "\n".join([*lines, *map(_line, mutations), ""])


def _line(mutation: Mutation) -> str:
    name = f"`{mutation.name}`{' (root)' if mutation.needs_root else ''}"
    return f"| {name} | {mutation.protects} | {'<br>'.join(_tests(mutation))} |"


def _tests(mutation: Mutation) -> list[str]:
    """Return the tests, file by file."""
    pairs = [test.removeprefix("tests/").split("::") for test in mutation.caught_by]
    grouped = groupby(pairs, key=lambda pair: pair[0])
    return [f"{file}: {', '.join(f'`{test}`' for _, test in found)}" for file, found in grouped]


def write() -> None:
    """Write README.md."""
    README.write_text(text(), encoding="utf-8")
