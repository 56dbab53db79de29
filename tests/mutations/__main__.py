"""Take the walls away one by one: python -m tests.mutations [NAME…]."""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.mutations import table
from tests.mutations.copies import a_copy, require_imported
from tests.mutations.mutation import Mutation
from tests.mutations.trial import Verdict, outcomes_of, try_out
from tests.mutations.walls import MUTATIONS

ALL_SECONDS = 1200
"""For all tests together, with every wall in its place."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Try them out and say what became of them; 0 when every one was caught."""
    options = _parser().parse_args(arguments)
    if options.table:
        table.write()
        return 0
    chosen = list(_chosen(options.names))
    if not chosen:
        print(f"No mutation is called {' or '.join(options.names)}.")
        return 2
    began = time.monotonic()
    with a_copy() as original:  # the checkout may be worked on meanwhile
        if not _stands(chosen, original):
            return 1
        uncaught = [verdict for verdict in _verdicts(chosen, original, options.jobs) if not verdict.caught]
    for verdict in uncaught:
        print(f"\n{verdict.mutation.name}: {', '.join(verdict.survivors) or 'no test ran'}\n{verdict.words}")
    print(f"{len(chosen) - len(uncaught)} of {len(chosen)} caught in {time.monotonic() - began:.0f} s.")
    return 1 if uncaught else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="what names begin with; default: all")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (default: 2)")
    parser.add_argument("--table", action="store_true", help="write README.md and try nothing")
    return parser


def _chosen(names: Sequence[str]) -> Iterator[Mutation]:
    for mutation in MUTATIONS:
        if mutation.needs_root and os.geteuid() != 0:
            continue
        if not names or mutation.name.startswith(tuple(names)):
            yield mutation


def _stands(chosen: Sequence[Mutation], original: Path) -> bool:
    """Run all tests with every wall in its place: one that fails already would prove nothing."""
    tests = list(dict.fromkeys(test for mutation in chosen for test in mutation.caught_by))
    began = time.monotonic()
    with a_copy(original) as copy:
        require_imported(copy)
        outcomes, words = outcomes_of(tests, copy, ALL_SECONDS)
    bad = [f"{test} {outcome}" for test, outcome in outcomes.items() if outcome not in ("passed", "skipped")]
    skipped = sum(outcome == "skipped" for outcome in outcomes.values())
    print(f"With every wall in its place: {len(tests) - len(bad) - skipped} tests passed, ", end="")
    print(f"{skipped} were skipped, {len(bad)} did not pass ({time.monotonic() - began:.0f} s).")
    if bad:
        print(*bad, words, sep="\n")
    return not bad


def _verdicts(chosen: Sequence[Mutation], original: Path, jobs: int) -> Iterator[Verdict]:
    """Yield what became of each, as it is known."""
    with ThreadPoolExecutor(jobs) as pool:
        for done in as_completed([pool.submit(try_out, mutation, original) for mutation in chosen]):
            verdict = done.result()
            word = "caught" if verdict.caught else "SURVIVED"
            missed = f"  ({', '.join(verdict.survivors)})" if verdict.survivors else ""
            print(f"{word:8} {verdict.seconds:5.1f} s  {verdict.mutation.name}{missed}", flush=True)
            yield verdict


if __name__ == "__main__":
    sys.exit(main())
