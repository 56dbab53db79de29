"""As root, what matters is run once more as a user without privileges."""

import pytest

from tests.ordinary_user import OrdinaryUser

PATIENCE = 900  # seconds; alone it takes a tenth of that


SUITES = {
    "adversarial": (),
    "conformance": ("-k", "bubblewrap"),
    "host/engines/bubblewrap": (),
    "lifecycle": (),
}
"""What the wall is made of: folders of tests, and which of them."""
MORE = "host/engines/bubblewrap"
"""Of which folder `make test` leaves a part to `make test-more`."""
OPTIONS = ("-q", "--tb=short", "-p", "no:cacheprovider", "-p", "no:xdist")


def check(user: OrdinaryUser, suite: str, marks: str) -> None:
    done = user.run(
        *(user.python, "-m", "pytest", f"tests/{suite}", *OPTIONS, *SUITES[suite]),
        *("-m", f"not container and {marks}"),
        timeout=PATIENCE,
        REQUIRE_ENGINES="bubblewrap",
        FORK="1",
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-20_000:]


@pytest.mark.timeout(PATIENCE + 120)
@pytest.mark.parametrize("suite", SUITES)
def test_suite(ordinary_user: OrdinaryUser, suite: str) -> None:
    """The suite passes for an ordinary user, too, and skips nothing."""
    check(ordinary_user, suite, "not more")


@pytest.mark.more
@pytest.mark.timeout(PATIENCE + 120)
def test_more(ordinary_user: OrdinaryUser) -> None:
    """So does what `make test` leaves out."""
    check(ordinary_user, MORE, "more")
