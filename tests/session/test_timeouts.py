"""A call's deadline, as people write it."""

import pytest

from sandbox_kernel.session.faces import checked_timeout


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(0.01, 0.01), (5, 5), ("10s", 10), ("1m30s", 90), ("2.5", 2.5), (None, None), ("none", None)],
)
def test_timeouts(written: object, seconds: float | None) -> None:
    """The same spellings as of the policy's deadlines; `test_sandbox` has what is refused."""
    assert checked_timeout(written) == seconds
