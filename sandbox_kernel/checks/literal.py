"""Plain data as Python text that needs no name to be read: a submission may call anything `float`."""

import math
from collections.abc import Mapping


def literal(value: object) -> str:
    """Return the text of a literal that has this value.

    :raises TypeError: there is none; says what it is.
    """
    match value:
        case None | bool() | int() | bytes():
            return repr(value)
        case str():
            return ascii(value)
        case float():
            return _number(value)
        case list():
            return f"[{', '.join(map(literal, value))}]"
        case tuple():
            return f"({''.join(f'{literal(item)}, ' for item in value)})"
        case Mapping():
            return f"{{{', '.join(f'{literal(key)}: {literal(item)}' for key, item in value.items())}}}"
    raise TypeError(f"a {type(value).__name__}")


def _number(value: float) -> str:
    if math.isnan(value):
        return "(1e999 - 1e999)"
    if math.isinf(value):
        return "1e999" if value > 0 else "-1e999"
    return repr(value)
