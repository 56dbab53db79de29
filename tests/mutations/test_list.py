"""That the list of mutations still fits the code; trying them out is done by hand."""

import ast
from functools import cache

import pytest

from tests.mutations import table
from tests.mutations.copies import CHECKOUT
from tests.mutations.walls import MUTATIONS


@cache
def defined_in(file):
    """Return the names of the tests of a file."""
    tree = ast.parse((CHECKOUT / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_it_applies_and_its_tests_are_there(mutation):
    """Its text stands in its file just once, Python understands what is left, its tests are there."""
    changed = mutation.changed((CHECKOUT / mutation.file).read_text())
    if mutation.file.endswith(".py"):
        ast.parse(changed)
    assert mutation.old != mutation.new
    assert mutation.protects.endswith(".")
    assert mutation.caught_by
    for test in mutation.caught_by:
        file, _, name = test.partition("::")
        assert name.partition("[")[0] in defined_in(file), test


def test_names_are_names():
    """No two mutations share one."""
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)


def test_the_table_is_up_to_date():
    """What is read in the repository is what would be run."""
    assert table.README.read_text() == table.text(), "run `python -m tests.mutations --table`"
