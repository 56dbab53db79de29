"""A notebook's parameters are read off its source, which is not executed."""

import time

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from sandbox_kernel.notebooks.parameters import inferred
from sandbox_kernel.notebooks.parameters.inferred import MAX_SOURCE, inferred_from

CELL = """\
# What this is about
%matplotlib inline
!ls
alpha = 0.1  # learning rate
beta: "int" = 3
gamma = None  # type: Optional[str] what it is called
names = [
    "a",  # the first
    "grün",
]  # all of them
ö = 1; late = "#no comment"  # behind two
a = b = c, d = 1, 2
print("not a parameter")
undefined: int
alpha = compute(1)
"""


def test_parameters() -> None:
    """Names come with type, default and comment, whatever stands between them."""
    found = {parameter.name: parameter for parameter in inferred_from(CELL)}
    shown = {name: (found[name].type, found[name].default, found[name].help) for name in found}
    assert shown == {
        "alpha": (None, "compute(1)", ""),
        "beta": ("int", "3", ""),
        "gamma": ("Optional[str]", "None", "what it is called"),
        "names": ("list", "['a', 'grün']", "all of them"),
        "ö": ("int", "1", ""),
        "late": ("str", '"#no comment"', "behind two"),
        "a": ("tuple", "(1, 2)", ""),
        "b": ("tuple", "(1, 2)", ""),
        "c": ("int", "1", ""),
        "d": ("int", "2", ""),
    } | {name: shown[name] for name in ("a", "b")}
    assert shown["a"] == shown["b"] == ("tuple", "1, 2", "")


def test_several_at_once() -> None:
    """Names that are set together have a value each, where the source shows it, and else a part of one."""
    source = "a, [b, c] = 1, ('x', None)  # three\nd, *e = load(1)\nf, t[i], o.p = 1, 2, 3"
    assert [(each.name, each.type, each.default, each.help) for each in inferred_from(source)] == [
        ("a", "int", "1", "three"),
        ("b", "str", "'x'", "three"),
        ("c", None, "None", "three"),
        ("d", None, "part of load(1)", ""),
        ("e", None, "part of load(1)", ""),
        ("f", "int", "1", ""),
    ]


def test_a_long_value_is_held_once() -> None:
    """Ten thousand names of a value of 100,000 characters do not take a gigabyte."""
    names = "".join(f"(x{number},) = " for number in range(10_000))
    found = inferred_from(f"{names}f('{'y' * 100_000}')")
    assert len(found) == 10_000
    assert len({id(each.default) for each in found}) == 1


@pytest.mark.parametrize(
    "source",
    [
        "alpha =",
        "alpha = '\0'",
        "x = " + "(" * 5000,
        "x = " + "-" * 100_000 + "1",
        "#" * (MAX_SOURCE + 1),
        "x = 'a'\ud800",
    ],
    ids=lambda source: source[:10],
)
def test_what_cannot_be_parsed(source: str) -> None:
    """A cell that is no Python, or too much of it, has no parameters and does no harm."""
    assert inferred_from(source) == []


def test_odd_escapes() -> None:
    """What Python would warn of is the notebook's affair."""
    assert inferred_from(r"x = '\d'  # y")[0].default == r"'\d'"


def test_nothing_is_executed(tmp_path: object) -> None:
    """The source is parsed alone."""
    assert [p.name for p in inferred_from(f"x = open('{tmp_path}/made', 'w')")] == ["x"]
    assert not list(tmp_path.iterdir())  # type: ignore[attr-defined]


def test_which_cell() -> None:
    """The first cell with the tag counts, if it is code; other cells set no parameters."""
    code = new_code_cell("x = 1", metadata={"tags": ["parameters"]})
    text = new_markdown_cell("x = 1", metadata={"tags": ["parameters"]})
    assert inferred(new_notebook(cells=[new_code_cell("y = 2"), code]))[0].name == "x"
    assert inferred(new_notebook(cells=[text, code])) == []
    assert inferred(new_notebook(cells=[new_code_cell("y = 2")])) == []


@pytest.mark.parametrize("source", ["a = 1\n" * 8_000, "a = 1;" * 8_000, "a = " * 16_000 + "1"])
def test_linear_time(source: str) -> None:
    """Many statements take no time that grows with their square: nobody would bound it, out here."""
    began = time.process_time()
    assert [parameter.default for parameter in inferred_from(source)] == ["1"]
    assert time.process_time() - began < 10
