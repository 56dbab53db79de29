"""Texts against what is expected of them."""

import time

import pytest

from sandbox_kernel.checks.matching import Expectation, compiled


@pytest.mark.parametrize(
    ("expected", "said", "miss"),
    [
        ({"equals": "Hello"}, "Hello\n", None),
        ({"equals": "Hello\n"}, "Hello", None),
        ({"equals": "a\nb"}, "\na  \r\nb\t\n\n", None),
        ({"equals": "a b"}, "a  b", "is not the expected text"),
        ({"equals": "a b"}, " a b", "is not the expected text"),
        ({"equals": "a\n\nb"}, "a\nb", "is not the expected text"),
        ({"equals": "Hello"}, "", "is empty"),
        ({"equals": "Hello"}, "hello", "is not the expected text"),
        ({"equals": "straße", "ignore_case": True}, "STRASSE", None),
        ({"equals": "Hello", "whitespace": "exact"}, "Hello\n", "is not the expected text"),
        ({"equals": "a b", "whitespace": "collapse"}, "\n a \t\n b\n", None),
        ({"equals": ""}, "\n", None),
        ({"contains": ("42",)}, "x = 42.", None),
        ({"contains": ("42",)}, "x = 24.", "lacks the expected text"),
        ({"contains": ("a", "b", "c")}, "a", "lacks 2 of the expected texts"),
        ({"contains": ("a b",), "whitespace": "collapse"}, "(a\nb)", None),
        ({"contains": ("PI",), "ignore_case": True}, "pi", None),
    ],
)
def test_texts(expected: dict, said: str, miss: str | None) -> None:
    """What is expected is compared as it is asked to be, and not given away."""
    assert Expectation(**expected).miss(said) == miss


@pytest.mark.parametrize(
    ("pattern", "said", "fits"),
    [
        (r"^total: \d+$", "x\ntotal: 42\ny", True),
        (r"^total: \d+$", "total: 42 €", False),
        (r"(?s)a.*b", "a\n\nb", True),
        ("é+", "éé", True),
        ("x", "\ud800x", True),
    ],
)
def test_patterns(pattern: str, said: str, fits: bool) -> None:
    """A pattern is looked for anywhere, line by line."""
    found = Expectation(matches=compiled(pattern, ignore_case=False)).miss(said)
    assert found == (None if fits else "does not match the expected pattern")


def test_patterns_in_any_case() -> None:
    """Upper and lower case are alike where that is asked for."""
    assert Expectation(matches=compiled("^PI$", ignore_case=True)).miss("pi") is None
    assert Expectation(matches=compiled("^PI$", ignore_case=False)).miss("pi") is not None


@pytest.mark.parametrize("pattern", ["(a", "(?=a)", r"(a)\1", "(a{1000}){1000}", "a**"])
def test_patterns_that_are_refused(pattern: str) -> None:
    """What is no pattern, or could take for ever, is refused with the engine's own reason."""
    with pytest.raises(ValueError, match=r".+"):
        compiled(pattern, ignore_case=False)


def test_no_text_takes_for_ever() -> None:
    """The classic that takes a backtracking engine years is over at once."""
    began = time.process_time()
    assert Expectation(matches=compiled("(a+)+$", ignore_case=False)).miss("a" * 200_000 + "b")
    assert time.process_time() - began < 5
