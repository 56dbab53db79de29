"""A second that nobody who reads notebooks should wait for.

nbformat imports jsonschema, and that, where it is installed (JupyterLab brings it), what checks
international addresses: rfc3987_syntax, which makes a parser of its grammar anew at each import. No
schema of a notebook asks for one. Whoever does later, in this process, gets it then.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Final

GRAMMAR: Final = "rfc3987_syntax"


class _Later(ModuleType):
    """Stands for the package while jsonschema takes from it what it will call."""

    @staticmethod
    def is_valid_syntax(*arguments: Any, **named: Any) -> Any:
        """Import the package, and ask it."""
        return import_module(GRAMMAR).is_valid_syntax(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        """Return what there is beside it, of the package itself: nobody is to miss it."""
        if name.startswith("__"):  # the import system's own questions
            raise AttributeError(name)
        if sys.modules.get(GRAMMAR) is self:
            del sys.modules[GRAMMAR]
        return getattr(import_module(GRAMMAR), name)


@contextmanager
def grammar_later() -> Iterator[None]:
    """Import jsonschema, and what needs it, without this package, which it imports when it is asked to."""
    if {GRAMMAR, "jsonschema"} & set(sys.modules) or find_spec(GRAMMAR) is None:
        yield
        return
    sys.modules[GRAMMAR] = stand_in = _Later(GRAMMAR)
    try:
        yield
    finally:
        if sys.modules.get(GRAMMAR) is stand_in:
            del sys.modules[GRAMMAR]
