"""The README's table of attacks is the registry's, which the other tests of this folder run."""

from tests.adversarial import table


def test_the_readme_s_table_is_the_registry_s(repository):
    """`python -m tests.adversarial.table --write` puts it there."""
    readme = (repository / "README.md").read_text()
    assert table.replaced(readme) == readme


def test_there_are_attacks_of_each_class():
    """A hundred and fifty at the least."""
    assert table.distinct() >= 150
