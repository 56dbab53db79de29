"""Named tuples, named numbers and `suppress`, without what these are imported with elsewhere.

Every sandbox's first process imports this package before its kernel is started, and anew each time.
Modules that bring them (`typing`, `enum`, `contextlib`) would take it half as long again as all the rest.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import suppress
    from enum import IntEnum
    from typing import Any, NamedTuple
else:

    class _Kind(type):
        """Makes a named tuple of a class with annotations."""

        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            fields = list(namespace.pop("__annotations__", ()))
            defaults = [namespace.pop(field) for field in fields if field in namespace]
            module = namespace.pop("__module__")
            made = namedtuple(name, fields, defaults=defaults, module=module)  # noqa: PYI024 - that is how
            for attribute, value in namespace.items():
                setattr(made, attribute, value)
            return made

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


__all__ = ["IntEnum", "NamedTuple", "suppress"]
