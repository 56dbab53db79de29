import ast
from pathlib import Path

import pytest

import sandbox_kernel
from sandbox_kernel import guest, wire

FILES = [
    Path(sandbox_kernel.__file__),
    *(path for package in (guest, wire) for path in sorted(Path(package.__file__).parent.rglob("*.py"))),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_older_python_can_read_it(path):
    """What runs inside an image keeps to the syntax of Python 3.9."""
    ast.parse(path.read_text(), feature_version=(3, 9))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_older_python_knows_what_it_says(path):
    """Nor does it say how long what it zips may be: that is Python 3.10's, and fails where it is called."""
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    assert not [call.lineno for call in calls if any(word.arg == "strict" for word in call.keywords)]
