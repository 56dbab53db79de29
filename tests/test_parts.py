"""How the tests are divided: `tests/conftest.py` lists folders and files of theirs."""

import pytest

from tests.conftest import FORKED, LONGEST, MORE, REPOSITORY, place_in

TESTS = REPOSITORY / "tests"


@pytest.mark.parametrize("parts", [FORKED, LONGEST, MORE], ids=["FORKED", "LONGEST", "MORE"])
def test_lists_name_what_is_there(parts: tuple[str, ...]) -> None:
    """A name that is stale would move nothing, without a word."""
    assert [part for part in parts if not (TESTS / part).exists()] == []
    assert len(set(parts)) == len(parts)


def test_make_test_has_what_it_is_for() -> None:
    """Kernels and their wall, as root and as an ordinary user, in peers' suites and in a browser."""
    parts = ("wire", "guest", "policy", "provisioner", "conformance", "lifecycle", "adversarial", "fuzz")
    for part in (*parts, "peers", "browser", "ordinary"):
        files = sorted((TESTS / part).glob("test_*.py")) or [TESTS / f"test_{part}.py"]
        assert any(file.exists() and place_in(MORE, file) == len(MORE) for file in files), part


def test_a_name_is_whole() -> None:
    """A folder's name stands for what is in it, and for nothing that only begins alike."""
    parts = ("bench", "cli/test_run.py")
    assert place_in(parts, TESTS / "bench" / "test_run.py") == 0
    assert place_in(parts, TESTS / "cli" / "test_run.py") == 1
    assert place_in(parts, TESTS / "benchmarks" / "test_table.py") == len(parts)
