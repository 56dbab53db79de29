"""Imports that nobody should wait for.

People wait for `--help`, for `ps`, and for the first cell of a run. So each command is a module
that only says which options it has; what it needs it imports when it is called.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

FORMATS: Final = ("rfc3987_syntax", "rfc3986_validator", "isoduration")
"""What jsonschema checks addresses and durations with. The first makes a parser of its grammar anew at each
import: more than a second."""


@contextmanager
def for_notebooks() -> Iterator[None]:
    """Import what reads notebooks without what no notebook needs.

    nbformat imports jsonschema, and that, where it is installed (JupyterLab brings it), what checks
    values of certain formats. No schema of a notebook asks for one, and jsonschema does without those
    that are not there. Whoever imports them afterwards gets them.
    """
    left_out = [name for name in FORMATS if name not in sys.modules]
    sys.modules.update(dict.fromkeys(left_out))  # type: ignore[arg-type]  # None: there is no such module
    try:
        yield
    finally:
        for name in left_out:
            del sys.modules[name]
