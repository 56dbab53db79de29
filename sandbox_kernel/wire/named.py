"""Named tuples, named numbers, queues and `suppress`, without what these are imported with elsewhere.

Every sandbox's first process imports this package before its kernel is started, and anew each time.
Modules that bring them (`typing`, `enum`, `collections`, `contextlib`) would take it half as long again as
all the rest.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from contextlib import suppress
    from enum import IntEnum
    from typing import Any, NamedTuple
else:
    from _collections import _tuplegetter, deque

    class _Named(tuple):
        """What named tuples can do, of which `namedtuple` itself takes three milliseconds to import."""

        __slots__ = ()
        _fields = ()
        _field_defaults = {}  # noqa: RUF012 - as it is called elsewhere, and nobody changes it

        def __new__(cls, *values: Any, **named: Any) -> Any:
            if not named and len(values) == len(cls._fields):
                return tuple.__new__(cls, values)
            given = {**cls._field_defaults, **dict(zip(cls._fields, values)), **named}
            unknown = named.keys() - set(cls._fields[len(values) :])  # or given twice
            if unknown or len(values) > len(cls._fields):
                raise TypeError(f"{cls.__name__}() takes {cls._fields}, each once; not also {[*unknown]}")
            missing = [field for field in cls._fields if field not in given]
            if missing:
                raise TypeError(f"{cls.__name__}() misses {', '.join(map(repr, missing))}")
            return tuple.__new__(cls, [given[field] for field in cls._fields])

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self))

        def _replace(self, **changes: Any) -> Any:
            return type(self)(**{**self._asdict(), **changes})

        def __repr__(self) -> str:
            return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self._asdict().items())})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

    class _Kind(type):
        """Makes a named tuple of a class with annotations."""

        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            fields = tuple(namespace.get("__annotations__", ()))
            defaults = {field: namespace.pop(field) for field in fields if field in namespace}
            getters = {field: _tuplegetter(number, "") for number, field in enumerate(fields)}
            own = {"__slots__": (), "_fields": fields, "_field_defaults": defaults, "__match_args__": fields}
            return type(name, (_Named,), {**namespace, **getters, **own})

    class NamedTuple(metaclass=_Kind):
        """The base of a class whose annotations are the fields of a tuple, the last ones with defaults."""

    class _Numbering(type):
        """Makes named numbers of the numbers in a class."""

        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            made = super().__new__(cls, name, bases, {k: v for k, v in namespace.items() if not k.isupper()})
            made.__members__ = {}
            for member_name in filter(str.isupper, namespace):
                member = int.__new__(made, namespace[member_name])
                member.name, member.value = member_name, int(member)
                made.__members__[member_name] = member
                setattr(made, member_name, member)
            return made

        def __call__(cls, value: int) -> Any:
            for member in cls.__members__.values():
                if member == value:
                    return member
            raise ValueError(f"{value!r} is not a valid {cls.__name__}")

        def __iter__(cls) -> Any:
            return iter(cls.__members__.values())

        def __reversed__(cls) -> Any:
            return reversed(cls.__members__.values())

        def __getitem__(cls, name: str) -> Any:
            return cls.__members__[name]

        def __len__(cls) -> int:
            return len(cls.__members__)

        def __contains__(cls, value: object) -> bool:
            return value in cls.__members__.values()

    class IntEnum(int, metaclass=_Numbering):
        """The base of a class of named numbers, each of which there is once."""

        __str__ = int.__repr__

        def __repr__(self) -> str:
            return f"<{type(self).__name__}.{self.name}: {int(self)}>"

        def __reduce__(self) -> tuple[Any, ...]:
            return type(self), (int(self),)

    class suppress:  # noqa: N801 - as it is called where it comes from
        """Leaves a block at an exception of these classes, as if it had come to its end."""

        def __init__(self, *classes: type[BaseException]) -> None:
            self._classes = classes

        def __enter__(self) -> None:
            pass

        def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
            return kind is not None and issubclass(kind, self._classes)


__all__ = ["IntEnum", "NamedTuple", "deque", "suppress"]
