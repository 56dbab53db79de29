"""As root, what matters is run once more as a user without privileges."""

import pytest

from tests.ordinary_user import OrdinaryUser

PATIENCE = 900  # seconds; alone it takes a third of that


SUITES = {
    "adversarial": (),
    "conformance": ("-k", "bubblewrap"),
    "host/engines/bubblewrap": (),
    "lifecycle": (),
}
"""What the wall is made of: folders of tests, and which of them."""


@pytest.mark.timeout(PATIENCE + 120)
@pytest.mark.parametrize("suite", SUITES)
def test_suite(ordinary_user: OrdinaryUser, suite: str) -> None:
    """The suite passes for an ordinary user, too, and skips nothing."""
    options = ("-q", "--tb=short", "-m", "not container", "-p", "no:cacheprovider", "-p", "no:xdist")
    done = ordinary_user.run(
        *(ordinary_user.python, "-m", "pytest", f"tests/{suite}", *options, *SUITES[suite]),
        timeout=PATIENCE,
        REQUIRE_ENGINES="bubblewrap",
        FORK="1",
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-20_000:]
