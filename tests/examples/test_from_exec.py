"""The page on leaving `exec()` behind, and the examples in docstrings, do what they show."""

import doctest
from pathlib import Path

import pytest

from sandbox_kernel.session import asynchronous, sandbox

GUIDE = Path(__file__).parents[2] / "examples" / "guides" / "from_exec.md"


def failures(test: doctest.DocTest) -> int:
    runner = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert test.examples
    return runner.run(test).failed


def test_the_page() -> None:
    """Every example of the page runs, on one sandbox."""
    test = doctest.DocTestParser().get_doctest(GUIDE.read_text(), {}, GUIDE.name, str(GUIDE), 0)
    assert failures(test) == 0


@pytest.mark.parametrize("module", [sandbox, asynchronous], ids=lambda module: module.__name__)
def test_docstrings(module: object) -> None:
    """So do those of the two classes."""
    tests = [test for test in doctest.DocTestFinder().find(module) if test.examples]
    assert [failures(test) for test in tests] == [0] * len(tests) != []
