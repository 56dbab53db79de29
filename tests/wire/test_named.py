"""Named tuples without `typing`: whoever uses them cannot tell."""

import pickle
import typing

import pytest

from sandbox_kernel.wire.named import NamedTuple


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
