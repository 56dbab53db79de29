"""The README's table of costs is that of the recorded run."""

import json

from sandbox_kernel.bench.figures import FIGURES
from sandbox_kernel.bench.results import read_document
from tests.benchmarks import table


def test_the_readme_s_table_is_the_record_s(repository):
    """`python -m tests.benchmarks.table --write` puts it there, with the command that made it."""
    readme, document = (repository / "README.md").read_text(), read_document(table.RECORD)
    assert table.replaced(readme, document) == readme
    assert all(f"`{command}`" in readme for command in document["commands"])


def test_the_record_is_of_today_s_figures():
    """What is recorded is what `--baseline` would measure; a figure that is no more has no row."""
    document = json.loads(table.RECORD.read_text())
    assert document["figures"].keys() <= FIGURES.keys()
    assert all(figure["title"] == FIGURES[name].title for name, figure in document["figures"].items())
