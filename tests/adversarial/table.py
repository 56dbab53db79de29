"""The table of counts in the README: attacks by class and engine, from the registry that the tests run.

`python -m tests.adversarial.table` prints it; `--write` puts it into the README. What a machine's
kernel may lack is not counted, nor what an engine lets pass (SECURITY.md tells what that is).
"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.adversarial.attack import ATTACKS, KINDS
from tests.adversarial.cells import CELLS
from tests.adversarial.outside import OUTSIDE
from tests.adversarial.walls import ENGINES

README = Path(__file__).parents[2] / "README.md"
START, END = "<!-- attacks -->\n", "<!-- /attacks -->\n"
OUTSIDE_COLUMN = "outside"
HEADINGS = {
    "bubblewrap": "bubblewrap, as root and as a user",
    "docker": "Docker",
    "gvisor": "gVisor",
    "podman": "Podman",
    OUTSIDE_COLUMN: "the guard alone",
}


def counted() -> Iterator[tuple[str, str]]:
    """Yield class and column of each attack that is refused, and shown to work without what refuses it."""
    for one in ATTACKS.values():
        if not one.absent:
            yield from ((one.kind, engine) for engine in ENGINES if engine not in one.differs)
    for cell in CELLS.values():
        yield from ((cell.kind, engine) for engine in (*ENGINES, OUTSIDE_COLUMN))
    yield from ((kind, OUTSIDE_COLUMN) for kind, _ in OUTSIDE)


def distinct() -> int:
    """Return how many attacks there are."""
    return sum(not one.absent for one in ATTACKS.values()) + len(CELLS) + len(OUTSIDE)


def table() -> str:
    """Return the table as it stands in the README."""
    counts = Counter(counted())
    kinds = [kind for kind in KINDS if any(counts[kind, column] for column in HEADINGS)]
    rows = [[kind, *(counts[kind, column] for column in HEADINGS)] for kind in kinds]
    rows.append(["**together**", *(sum(counts[kind, column] for kind in kinds) for column in HEADINGS)])
    lines = [["Attacks", *HEADINGS.values()], ["---", *["--:"] * len(HEADINGS)], *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def replaced(readme: str) -> str:
    """Return the README with the table of today."""
    before, _, rest = readme.partition(START)
    after = rest.partition(END)[2]
    return f"{before}{START}{table()}{END}{after}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        README.write_text(replaced(README.read_text()))
    print(table())
    print(f"{distinct()} distinct attacks")
