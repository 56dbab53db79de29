"""Values that people write into a manifest: what is taken, and in which words the rest is refused."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import chain, islice
from typing import Final

from sandbox_kernel.errors import NotebookError

MAX_VALUES: Final = 10_000
"""Values of one run's parameters, counted through lists and mappings: they become code of one cell."""
MAX_DEPTH: Final = 50


class ManifestError(NotebookError):
    """A manifest that was not understood: which file, which line, what is wrong, what to do."""


def refuse_unknown(names: Iterable[str], known: Iterable[str], where: str) -> None:
    """Refuse the first name that is not known, with the nearest one that is.

    :raises ManifestError: there is such a name.
    """
    known = tuple(known)
    for name in names:
        if name not in known:
            near = get_close_matches(name.lower(), known, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}."
            raise ManifestError(f"{where}: {_short(name)} is nothing that a manifest says; {advice}")


def check_parameters(parameters: Mapping[object, object], where: str) -> dict[str, object]:
    """Return parameters that a notebook can be given.

    :raises ManifestError: a name is none of a variable's, or a value is not of JSON's kinds.
    """
    for name in parameters:
        if not isinstance(name, str) or not name.isidentifier():
            raise ManifestError(f"{where}: {_short(name)} is not a name that a variable can have.")
    _check_values(list(parameters.values()), where)
    return {str(name): value for name, value in parameters.items()}


def _check_values(values: list[object], where: str) -> None:
    """Look at each value, level by level: an alias may make a small text a large value, or an endless one."""
    count = 0
    for _ in range(MAX_DEPTH):
        count += len(values)
        if count > MAX_VALUES:
            raise ManifestError(
                f"{where}: the parameters hold more than {MAX_VALUES} values; pass a file's name."
            )
        for value in values:
            _check_kind(value, where)
        below = chain.from_iterable(map(_children, values))
        values = list(islice(below, MAX_VALUES))  # a long list may be there a thousand times
        if not values:
            return
    raise ManifestError(f"{where}: the parameters are nested more than {MAX_DEPTH} levels deep.")


def _check_kind(value: object, where: str) -> None:
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ManifestError(f"{where}: the key {_short(key)} is no text; write it in quotes.")
    elif not isinstance(value, str | bool | int | float | list | None):
        raise ManifestError(
            f"{where}: {_short(value)} is {type(value).__name__}, which no parameter is; put it in quotes."
        )


def _children(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
