import ast
from pathlib import Path

import pytest

import sandbox_kernel
from sandbox_kernel import guest, wire

FILES = [
    Path(sandbox_kernel.__file__),
    *(path for package in (guest, wire) for path in sorted(Path(package.__file__).parent.glob("*.py"))),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_older_python_can_read_it(path):
    """What runs inside an image keeps to the syntax of Python 3.9."""
    ast.parse(path.read_text(), feature_version=(3, 9))
