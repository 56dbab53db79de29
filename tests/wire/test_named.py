"""Named tuples and numbers without what brings them: whoever uses them cannot tell."""

import contextlib
import copy
import enum
import pickle
import subprocess
import sys
import typing

import pytest

from sandbox_kernel.wire.named import IntEnum, NamedTuple, suppress


class Ours(NamedTuple):
    """A point."""

    x: int
    y: int = 2
    """How far up."""

    def __bool__(self) -> bool:
        """Be true at the origin, too."""
        return True

    @property
    def far(self) -> int:
        """Return the distance."""
        return self.x + self.y


class Theirs(typing.NamedTuple):
    """A point."""

    x: int
    y: int = 2

    def __bool__(self) -> bool:
        """Be true at the origin, too."""
        return True


def test_they_are_like_those_of_typing():
    for kind in (Ours, Theirs):
        point = kind(1)
        assert isinstance(point, tuple)
        assert (point, point.x, point.y, kind(y=0, x=0)) == ((1, 2), 1, 2, (0, 0))
        assert kind(0, 0)
        assert kind._fields == ("x", "y")
        assert kind._field_defaults == {"y": 2}
        assert point._replace(y=5)._asdict() == {"x": 1, "y": 5}
        assert (kind.__doc__, kind.__module__) == ("A point.", __name__)
        assert pickle.loads(pickle.dumps(point)) == point
    assert Ours(1).far == 3
    assert repr(Ours(1)) == repr(Theirs(1)).replace("Theirs", "Ours")


def test_a_field_that_is_not_given_is_missed():
    with pytest.raises(TypeError, match="'x'"):
        Ours()


class OurNumber(IntEnum):
    """A number."""

    ONE = 1
    TWO = 2

    @property
    def next(self) -> int:
        """Return what follows."""
        return self + 1


class TheirNumber(enum.IntEnum):
    """A number."""

    ONE = 1
    TWO = 2


@pytest.mark.parametrize("kind", [OurNumber, TheirNumber])
def test_numbers_are_like_those_of_enum(kind):
    assert (list(kind), list(reversed(kind)), len(kind)) == ([1, 2], [2, 1], 2)
    assert kind(2) is kind["TWO"] is kind.TWO
    assert (kind.TWO.name, kind.TWO.value, int(kind.TWO), str(kind.TWO), f"{kind.TWO}") == (
        "TWO",
        2,
        2,
        "2",
        "2",
    )
    assert {kind.ONE: "a"}[1] == "a"
    assert kind.ONE < kind.TWO
    assert kind.TWO in kind
    assert pickle.loads(pickle.dumps(kind.ONE)) is copy.deepcopy(kind.ONE) is kind.ONE
    assert repr(kind.ONE) == f"<{kind.__name__}.ONE: 1>"
    with pytest.raises(ValueError, match=f"3 is not a valid {kind.__name__}"):
        kind(3)


def test_numbers_have_what_their_class_says():
    assert OurNumber.ONE.next == 2
    assert OurNumber.__doc__ == "A number."


@pytest.mark.parametrize("kind", [suppress, contextlib.suppress])
def test_what_is_suppressed_ends_the_block_and_nothing_else_does(kind):
    with kind(KeyError, OSError):
        raise FileNotFoundError
    with kind(KeyError):
        pass
    with pytest.raises(ValueError), kind(KeyError):
        raise ValueError


def test_the_guest_imports_none_of_what_brings_them():
    """It is imported anew for each sandbox, before its kernel is started."""
    code = "import sandbox_kernel.guest.supervisor, sandbox_kernel.guest.service; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "sandbox_kernel.wire.named" in found
    assert not {"typing", "enum", "contextlib", "functools", "json", "re", "signal"} & set(found)
