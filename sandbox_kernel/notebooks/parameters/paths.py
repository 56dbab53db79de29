"""Names of files with parameters in them: `out-{alpha}.ipynb`, `runs/{pm.run_uuid}.ipynb`.

They look like Python's format strings, and are none: nothing but a parameter's own text is put in.
No attribute is looked up, and no value leads to another folder.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from string import Formatter
from typing import Final
from uuid import uuid4

from sandbox_kernel.errors import NotebookError

_NUMBERS: Final = re.compile(r"[<>=^]?[+-]?0?\d{0,3},?(?:\.\d{1,2})?[bcdeEfFgGnosxX%]?", re.ASCII)
"""How numbers and texts may be formatted; the widths have an end."""
_MOMENTS: Final = re.compile(r"(?:%[a-zA-Z]|[-_. ,]){0,40}", re.ASCII)
Declared = Callable[[], Collection[str]]
_OWN: Final = re.compile(r"pm(?:\.(\w+)|\[(\w+)\])", re.ASCII)


def fill(template: str, parameters: Mapping[str, object], declared: Declared = tuple) -> str:
    """Return the name with each `{parameter}` replaced by its value; `{{` stands for a brace.

    papermill's own names are there, too: `{pm.run_uuid}`, `{pm.current_datetime_local}` and
    `{pm.current_datetime_utc}`.

    :param declared: asked, where something is missing, which parameters the notebook has: their defaults
        are known to its code alone.
    :raises NotebookError: it asks for something else, or a value makes no part of a name.
    """
    if "{" not in template and "}" not in template:
        return template
    own = _own()
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise NotebookError(f"{template} has a brace too many or too few; write {{{{ for a brace.") from error
    values = {**parameters, **own}
    name = "".join(
        text + ("" if name is None else _filled(template, name, (layout or "", how), values, declared))
        for text, name, layout, how in parts
    )
    if name.startswith("/") and not template.startswith("/"):
        raise NotebookError(f"{template} begins with a parameter that is empty: {name} leads elsewhere.")
    return name


def _own() -> dict[str, object]:
    now = datetime.now(UTC)
    return {
        "pm.run_uuid": str(uuid4()),
        "pm.current_datetime_local": now.astimezone().replace(tzinfo=None),
        "pm.current_datetime_utc": now,
    }


def _filled(
    template: str,
    written: str,
    layout: tuple[str, str | None],
    values: Mapping[str, object],
    declared: Declared,
) -> str:
    own = _OWN.fullmatch(written)
    name = f"pm.{own[1] or own[2]}" if own else written
    if name not in values:
        given = f"{written} is not given; add -p {written} VALUE."
        unknown = "no parameter has that name; write {{ for a brace."
        raise NotebookError(
            f"{template} asks for {{{written}}}, and {given if written in declared() else unknown}"
        )
    text = _formatted(template, name, values[name], layout)
    if "/" in text or "\0" in text or text in {".", ".."}:
        raise NotebookError(
            f"parameter {name!r} is {text[:100]!r}, which makes no part of {template}: it leads elsewhere."
        )
    return text


def _formatted(template: str, name: str, value: object, layout: tuple[str, str | None]) -> str:
    spec, conversion = layout
    allowed = _MOMENTS if isinstance(value, datetime) else _NUMBERS
    plain = isinstance(value, str | int | float | datetime | None)
    if not plain or conversion not in {None, "s"} or not allowed.fullmatch(spec):
        raise NotebookError(
            f"{template} cannot show parameter {name!r} so; write {{{name}}}, of a text or number."
        )
    try:
        return format(str(value) if conversion or value is None else value, spec)
    except ValueError as error:
        raise NotebookError(f"{template} cannot show parameter {name!r} so: {error}.") from error
