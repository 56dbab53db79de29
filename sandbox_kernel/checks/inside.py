"""What runs in a submission's kernel when values are asked for. Nothing outside executes it.

Its text is sent to the kernel and executed in a namespace of its own, so that a submission which
calls something `list` or `len` gets an honest answer all the same. Types are told by identity, by
the classes of literals, and values are read by these classes' own methods: a subclass whose
`__eq__`, `__len__` or `__class__` lies is described by its name, and by nothing that it says.

None of this is a wall. The submission shares the process and can answer in our place, whatever is
written here. So no expected value ever gets in here: whatever answers has to know what is right.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable  # noqa: TC003 -- read at run time by nobody, and cheap
from typing import Any

NODES = 10_000  # values in one answer: those in lists, dictionaries and columns count
TEXT = 30_000  # characters of text in one answer: with NODES, and all escapes, it stays below a mebibyte
DEPTH = 20  # levels of lists and dictionaries
BITS = 4096  # of a whole number: 1,234 digits, which Python writes out and reads without protest

KIND: Any = (0).__class__.__class__
BOOL, INT, FLOAT, COMPLEX = True.__class__, (0).__class__, (0.0).__class__, 0j.__class__
STR, BYTES, TUPLE, SET = "".__class__, b"".__class__, ().__class__, {0}.__class__
LIST: Any = [].__class__
DICT: Any = {}.__class__

Described = Any  # ["number", "int", "42"], ["sequence", "list", 2, […]], ["object", "module.Class"], …


def loaded(module: str, name: str) -> Any:
    """Return what a module calls so, None where the submission has not imported that module."""
    return getattr(sys.modules.get(module), name, None)


def class_name(of: Any) -> str:
    """Return a class's own name and module, whatever its metaclass says of them."""
    names = [KIND.__dict__[part].__get__(of) for part in ("__module__", "__qualname__")]
    module, name = (part[:200] if KIND(part) is STR else "?" for part in names)
    return f"{module}.{name}"


def ancestors(of: Any) -> Any:
    """Return a class and those that it is derived from."""
    return KIND.__dict__["__mro__"].__get__(of)


class Describer:
    """Describes values as lists that JSON can hold, until its allowance is used up."""

    def __init__(self) -> None:
        self.nodes, self.text = NODES, TEXT
        self._known: dict[int, Callable[[Any, int], Described]] = {}
        plain = {None.__class__: self._none, BOOL: self._bool, STR: self._str, BYTES: self._bytes}
        numbers = {INT: self._int, FLOAT: self._float, COMPLEX: self._printed}
        several = {LIST: self._list, TUPLE: self._list, SET: self._set, frozenset: self._set}
        others = {range: self._list, DICT: self._dict}
        for kinds in (plain, numbers, several, others):
            self._known.update({id(of): describe for of, describe in kinds.items()})
        for module, name, describe in (
            ("collections", "OrderedDict", self._dict),
            ("collections", "defaultdict", self._dict),
            ("collections", "Counter", self._dict),
            ("collections", "deque", self._list),
            ("datetime", "datetime", self._moment),
            ("datetime", "date", self._moment),
            ("datetime", "time", self._moment),
            ("fractions", "Fraction", self._printed),
            ("decimal", "Decimal", self._printed),
            ("numpy", "ndarray", self._array),
            ("pandas", "Series", self._array),
            ("pandas", "Timestamp", self._moment),
            ("pandas", "DataFrame", self._frame),
        ):
            if (of := loaded(module, name)) is not None:
                self._known[id(of)] = describe

    def describe(self, value: Any, depth: int = DEPTH) -> Described:
        """Return what a value is: its form, its type, and what it holds."""
        self.nodes -= 1
        of = KIND(value)
        if self.nodes < 0:
            return ["omitted", "?"]
        if describe := self._known.get(id(of)):
            return describe(value, depth)
        if value is loaded("pandas", "NA") or value is loaded("pandas", "NaT"):
            return ["none", "pandas.NA"]
        generic = loaded("numpy", "generic")
        if generic is not None and any(base is generic for base in ancestors(of)) and value.dtype.type is of:
            plain = value.item()
            if KIND(plain) is of:  # a longdouble, which no number of Python's can hold
                return self._printed(value, depth)
            form, _, *held = self.describe(plain, depth)
            return [form, f"numpy.{of.__name__}", *held]
        return self._object(class_name(of))

    def _object(self, name: str) -> Described:
        if len(name) > self.text:
            return ["omitted", "?"]
        self.text -= len(name)
        return ["object", name]

    def _none(self, _value: Any, _depth: int) -> Described:
        return ["none", "NoneType"]

    def _bool(self, value: Any, _depth: int) -> Described:
        return ["bool", "bool", value is True]

    def _int(self, value: Any, _depth: int) -> Described:
        if INT.bit_length(value) > BITS:
            return ["large", "int", INT.bit_length(value)]
        return self._written("number", "int", INT.__repr__(value))

    def _float(self, value: Any, _depth: int) -> Described:
        of: Any = KIND(value)
        return ["number", of.__name__, of.__repr__(value)]  # some twenty characters: NODES bounds them

    def _printed(self, value: Any, _depth: int) -> Described:
        of: Any = KIND(value)
        return self._written("number", _shown(of), of.__str__(value))

    def _str(self, value: Any, _depth: int) -> Described:
        return self._written("text", "str", value)

    def _bytes(self, value: Any, _depth: int) -> Described:
        if BYTES.__len__(value) > self.text:
            return ["large", "bytes", BYTES.__len__(value)]
        return self._written("bytes", "bytes", BYTES.hex(value))

    def _moment(self, value: Any, _depth: int) -> Described:
        return self._written("moment", _shown(KIND(value)), KIND(value).isoformat(value))

    def _written(self, form: str, of: str, text: str) -> Described:
        if STR.__len__(text) > self.text:
            return ["large", of, STR.__len__(text)]
        self.text -= STR.__len__(text)
        return [form, of, text]

    def _list(self, value: Any, depth: int) -> Described:
        return self._several("sequence", value, depth)

    def _set(self, value: Any, depth: int) -> Described:
        return self._several("set", value, depth)

    def _several(self, form: str, value: Any, depth: int) -> Described:
        of = KIND(value)
        length = of.__len__(value)
        if not depth or length > self.nodes:
            return [form, _shown(of), length, None]
        # A copy: a thread of the submission's may go on to add to it.
        return [form, _shown(of), length, self._each(LIST(of.__iter__(value)), depth - 1)]

    def _each(self, values: Iterable[Any], depth: int) -> list[Described]:
        return [self.describe(value, depth) for value in values]

    def _dict(self, value: Any, depth: int) -> Described:
        length = DICT.__len__(value)
        if not depth or 2 * length > self.nodes:
            return ["mapping", _shown(KIND(value)), length, None]
        pairs = [self._each(pair, depth - 1) for pair in LIST(DICT.items(value))]
        return ["mapping", _shown(KIND(value)), length, pairs]

    def _array(self, value: Any, depth: int) -> Described:
        of, length = _shown(KIND(value)), len(value) if value.ndim else 1
        if not depth or value.size > self.nodes:
            return ["sequence", of, length, None]
        if not value.ndim:
            form, _, *held = self.describe(value.tolist(), depth)
            return [form, of, *held]
        return ["sequence", of, length, self._each(value.tolist(), depth - 1)]

    def _frame(self, value: Any, depth: int) -> Described:
        rows, columns = value.shape
        if not depth or columns + rows * columns > self.nodes:
            return ["frame", "pandas.DataFrame", rows, None]
        described = []
        for number, label in enumerate(value.columns):
            column = value.iloc[:, number]
            cells = self._each(column.tolist(), depth - 1)
            described.append([self.describe(label, depth - 1), str(column.dtype)[:200], cells])
        return ["frame", "pandas.DataFrame", rows, described]


def _shown(of: Any) -> str:
    """Return the name of a class that is known by identity, as people write it."""
    module, _, name = class_name(of).rpartition(".")
    return name if module == "builtins" else f"{module.partition('.')[0]}.{name}"


def call(names: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Call a function of the submission's; return what it returned or raised, described."""
    function = DICT.get(names, asked["function"])
    if not callable(function):
        return {"function": "missing" if asked["function"] not in names else "not callable"}
    try:
        returned = function(*asked["arguments"], **asked["keywords"])
    except KeyboardInterrupt:  # the deadline's
        raise
    except BaseException as error:  # noqa: BLE001 -- SystemExit as well: what it raises is the answer
        return {"function": "raised", **_raised(error)}
    return {"function": "returned", "value": Describer().describe(returned)}


def _raised(error: BaseException) -> dict[str, Any]:
    of, entered = KIND(error), error.__traceback__
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 -- the submission's own method
        said = ""
    return {
        "classes": [class_name(base) for base in ancestors(of)[:20]],
        "said": said[:500] if KIND(said) is STR else "",
        "inside": entered is not None and entered.tb_next is not None,
    }


def answer(names: dict[str, Any], request: dict[str, Any]) -> None:
    """Publish what was asked for, as JSON under the name of the question."""
    import json  # noqa: PLC0415 -- outside, this module is text that tests look at

    said: dict[str, Any] = {"nonce": request["nonce"]}
    describer = Describer()
    wanted = [name for name in request["variables"] if name in names]
    said["variables"] = {name: describer.describe(names[name]) for name in wanted}
    if request["call"] is not None:
        said["call"] = call(names, request["call"])
    publish(json.dumps(said), request["kernel"])


def publish(text: str, kernel: bool) -> None:
    """Tell a text where nothing is printed: as a kernel does, or as a program's runner does."""
    if kernel:
        from IPython import get_ipython  # noqa: PLC0415

        get_ipython().display_pub.publish({"text/plain": text})
    else:
        import _sandbox_runner  # type: ignore[import-not-found]  # noqa: PLC0415 -- it is there

        _sandbox_runner.show(text)
