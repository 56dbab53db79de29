"""The least of each limit is enough for a kernel to start and answer."""

import pytest

from sandbox_kernel.policy.fields import KINDS, Number, Whole
from tests.provisioner.kernels import printed, running

LEAST = {
    name: kind.least
    for name, kind in KINDS.items()
    if isinstance(kind, Whole | Number) and "timeout" not in name
}


@pytest.mark.parametrize("field", LEAST)
def test_the_least_is_enough(jupyter, no_leftovers, field):
    """A kernel starts with the least of a field and the defaults of all others."""
    jupyter.spec(config={field: LEAST[field]})
    with running() as (_, client):
        assert printed(client, "print(6 * 7)") == "42"


def test_the_least_of_all_is_enough(jupyter, no_leftovers):
    """A kernel starts with the least of everything, given the time."""
    jupyter.spec(config=LEAST)
    with running() as (_, client):
        assert printed(client, "print(6 * 7)") == "42"
