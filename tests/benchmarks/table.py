"""The table of what a sandbox costs in the README, from the run that is recorded beside this file.

`python -m tests.benchmarks.table` prints it; `--write` puts it into the README. The record is made by
`sandbox-kernel bench --record tests/benchmarks/baseline.json`, by hand, on a machine that does nothing
else. Only ratios are shown: times are one machine's.
"""

import json
import sys
from pathlib import Path

RECORD = Path(__file__).with_name("baseline.json")
README = Path(__file__).parents[2] / "README.md"
START, END = "<!-- bench -->\n", "<!-- /bench -->\n"
QUIET = 1.0
"""Load below which a machine has no other work to speak of."""
COLUMNS = ("bubblewrap", "docker", "gvisor", "podman", "docker-run", "plain-ipc")


def table(document: dict) -> str:
    """Return the table as it stands in the README, and what made it."""
    machine = document["machine"]
    busy = machine["load"] >= QUIET
    figures = shown(document["figures"], busy=busy)
    columns = [name for name in COLUMNS if any(ratio(figure, name) for figure in figures)]
    lines = [["Compared with a plain kernel", *(document["subjects"][name] for name in columns)]]
    lines.append(["---", *["--:"] * len(columns)])
    for figure in figures:
        cells = [ratio(figure, name) for name in columns]
        if any(cells):
            lines.append([title(figure), *cells])
    made = "\n".join(f"- `{command}`" for command in document["commands"])
    where = f"{machine['cpus']} cores, Linux {machine['linux'].split('-')[0]}, Python {machine['python']}"
    other = f". It had other work: a load of {machine['load']:g} at the start" if busy else ""
    rows = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"{rows}\nOn {where}{other}. Made by\n\n{made}\n"


def shown(figures: dict, *, busy: bool) -> list[dict]:
    """Return the figures that tell something: the slowest trips on a busy machine tell of its other work."""
    return [figure for figure in figures.values() if not busy or figure["statistic"] == "median"]


def title(figure: dict) -> str:
    """Return a row's name; where more is better it says so."""
    return figure["title"] + (" (more is better)" if figure["better"] == "more" else "")


def ratio(figure: dict, subject: str) -> str:
    """Return how many times a plain kernel's figure this is, with quartiles; empty where there is none."""
    found = figure["of"].get(subject, {})
    if found.get("ratio") is None:
        return ""
    spread = found["ratio_quartiles"]
    return f"{found['ratio']:.2f}" + (f" ({spread[0]:.2f}-{spread[1]:.2f})" if spread else "")


def replaced(readme: str, document: dict) -> str:
    """Return the README with the table of this record."""
    before, _, rest = readme.partition(START)
    after = rest.partition(END)[2]
    return f"{before}{START}{table(document)}{END}{after}"


if __name__ == "__main__":
    recorded = json.loads(RECORD.read_text())
    if "--write" in sys.argv:
        README.write_text(replaced(README.read_text(), recorded))
    print(table(recorded))
