"""Walls to attack: one sandbox for each engine and purpose, shared by all attacks of a session."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.adversarial.walls import Walls


@pytest.fixture(scope="session")
def walls(request: pytest.FixtureRequest) -> Iterator[Walls]:
    """Sandboxes with bait around them; started when they are asked for."""
    with contextlib.ExitStack() as stack:
        yield Walls(request, stack)
