"""Where a submission's value differs from the expected one, in words that do not give that one away.

What is expected is plain: what a YAML file holds. What is compared with it is a `Value`, whose type was
told by identity: nothing here calls anything of the submission's.

- A number is equal to a number, whatever their types; a bool to a bool only.
- A YAML list is equal to a list, tuple, array, series, range or deque of equal items, in that order;
  to a set of equal items in any order.
- A mapping is equal to a dictionary (also an OrderedDict, defaultdict or Counter) in any order.
- Dates and times are equal to those that are written alike, in ISO 8601.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from sandbox_kernel.checks.values import Tolerance, Value

EXACT = Tolerance()
MOST_PAIRS = 1_000_000
"""Pairs of items that are compared where order does not matter: a second or two, whoever made them many."""


def difference(expected: Any, actual: Value, tolerance: Tolerance = EXACT, name: str = "it") -> str | None:
    """Return a sentence's beginning on the first difference, None if there is none.

    :param name: what the sentence calls the value, `x` say; parts of it are called `x[0]`.
    """
    if actual.is_withheld:
        return f"{name} is {actual}, which is too large or too deep to be compared"
    match expected:
        case bool() | None:
            same = actual.form == ("none" if expected is None else "bool") and actual.content is expected
        case int() | float() | complex():
            same = actual.form == "number" and tolerance.accepts(expected, actual.content)
        case str():
            same = actual.form == "text" and actual.content == expected
        case bytes():
            same = actual.form == "bytes" and actual.content == expected
        case datetime() | date() | time():
            same = actual.form == "moment" and actual.content in _written(expected)
        case Mapping():
            return _of_mappings(expected, actual, tolerance, name)
        case _:
            return _of_several(expected, actual, tolerance, name)
    return None if same else f"{name} is {actual}"


def _written(moment: date | time) -> set[str]:
    """Return the ways to write it: a Timestamp of midnight is as good as the date that YAML reads."""
    written = {moment.isoformat()}
    if isinstance(moment, date) and not isinstance(moment, datetime):
        written.add(f"{moment.isoformat()}T00:00:00")
    return written


def _of_several(expected: Any, actual: Value, tolerance: Tolerance, name: str) -> str | None:
    if actual.form not in ("sequence", "set"):
        return f"{name} is {actual}"
    if len(expected) != len(actual.content):
        return f"{name} has {count(len(actual.content), 'item')}"
    if isinstance(expected, Sequence) and actual.form == "sequence":
        both = zip(expected, actual.content, strict=True)
        found = (difference(one, other, tolerance, f"{name}[{n}]") for n, (one, other) in enumerate(both))
        return next((sentence for sentence in found if sentence), None)
    if pairs(expected, actual) > MOST_PAIRS:
        return f"{name} is too large to be compared in any order"
    return None if not missing(expected, actual, tolerance) else f"{name} is {actual}"


def pairs(expected: Collection[Any], actual: Value) -> int:
    """Return how many pairs of items have to be compared, at most, where order does not matter.

    Items that are sets themselves, or hold some, have pairs of their own.
    """
    return len(expected) * len(actual.content) * max([1, *map(_pairs_within, actual.content)])


def _pairs_within(value: Value) -> int:
    if value.is_withheld:
        return 0
    within = [_pairs_within(part) for part in value.parts()]
    return len(within) ** 2 * max([1, *within]) if value.form == "set" else sum(within)


def missing(expected: Collection[Any], actual: Value, tolerance: Tolerance = EXACT) -> int:
    """Return how many of the expected items go without one of their own in the list or set, at the least.

    With a tolerance an item may be as good as several that are expected: it is given to the one that makes
    the most of them content, whatever their order. Takes as many comparisons as there are pairs, and no more
    steps after them.
    """
    fitting = [
        sum(1 << n for n, other in enumerate(actual.content) if difference(item, other, tolerance) is None)
        for item in expected
    ]
    owners: dict[int, int] = {}
    return sum(not _give_one(wanting, fitting, owners) for wanting in range(len(fitting)))


def _give_one(wanting: int, fitting: Sequence[int], owners: dict[int, int]) -> bool:
    """Give one of the fitting items (bits) to who wants it, if other owners can do with others; say so.

    An augmenting path of a bipartite matching, the shortest one: each item is looked at once.
    """
    unseen, wanted_by, asking = -1, dict[int, int](), [wanting]
    for owner in asking:  # grows
        found = fitting[owner] & unseen
        unseen &= ~found
        while found:
            item = found.bit_length() - 1
            found ^= 1 << item
            wanted_by[item] = owner
            if item in owners:
                asking.append(owners[item])
                continue
            _pass_on(item, wanting, wanted_by, owners)
            return True
    return False


def _pass_on(item: int, wanting: int, wanted_by: Mapping[int, int], owners: dict[int, int]) -> None:
    """Give a free item to who wanted it, the one given up for it to who wanted that, and so on."""
    given_up = {owner: item for item, owner in owners.items()}
    while True:
        owner = wanted_by[item]
        owners[item] = owner
        if owner == wanting:
            return
        item = given_up[owner]


def _of_mappings(expected: Any, actual: Value, tolerance: Tolerance, name: str) -> str | None:
    if actual.form != "mapping":
        return f"{name} is {actual}"
    if len(expected) != len(actual.content):
        return f"{name} has {count(len(actual.content), 'key')}"
    items = {_token(key): (key, value) for key, value in actual.content}
    for wanted, value in expected.items():
        key, item = items.get(_key(wanted), (None, None))
        if key is None or item is None:
            return f"{name} lacks a key"
        if sentence := difference(value, item, tolerance, f"{name}[{key}]"):
            return sentence
    return None


def _token(key: Value) -> tuple[object, ...]:
    """Return what is equal for keys that are equal here; what is no plain key is equal to nothing."""
    try:
        hash(key.content)
    except TypeError:
        return (object(),)
    form = key.form if key.form in ("none", "bool", "number", "text", "bytes", "moment") else object()
    return form, key.content


def _key(key: object) -> tuple[object, ...]:
    match key:
        case None:
            return "none", None
        case bool():
            return "bool", key
        case int() | float():
            return "number", key
        case date() | time():
            return "moment", key.isoformat()
        case bytes():
            return "bytes", key
    return "text", key


def count(number: int, thing: str) -> str:
    """Return "1 item", "2 items"."""
    return f"{number} {thing}{'s' * (number != 1)}"
