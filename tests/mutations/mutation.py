"""One protection, how it is switched off, and the tests that must notice."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.mutations.copies import environment


@dataclass(frozen=True, slots=True)
class Mutation:
    """A protection, switched off by exchanging a text that its file has exactly once."""

    name: str
    protects: str
    """What its user is promised, in one sentence."""
    file: str
    """Below the checkout."""
    old: str
    new: str
    caught_by: tuple[str, ...]
    """Tests of pytest, each of which alone must fail: FILE::TEST, with a parameter where one is enough."""
    needs_root: bool = False
    """Whether an ordinary user's sandbox has no such wall."""
    then: str = ""
    """A module to be run after the change, where a file is made from the one that was changed."""

    def changed(self, text: str) -> str:
        """Return the file's text without the protection.

        :raises LookupError: the file no longer says what is to be exchanged, or says it twice.
        """
        found = text.count(self.old)
        if found != 1:
            raise LookupError(
                f"{self.name}: {self.file} has the text to be exchanged {found} times, not once"
            )
        return text.replace(self.old, self.new)

    def apply(self, checkout: Path) -> None:
        """Switch the protection off in a checkout.

        :raises LookupError: as `changed`.
        """
        path = checkout / self.file
        path.write_text(self.changed(path.read_text(encoding="utf-8")), encoding="utf-8")
        if self.then:
            command = [sys.executable, "-m", self.then]
            subprocess.run(
                command, cwd=checkout, env=environment(checkout), check=True, stdout=subprocess.DEVNULL
            )


def within(file: str, *tests: str) -> tuple[str, ...]:
    """Return the full names of tests of one file below tests/."""
    return tuple(f"tests/{file}::{test}" for test in tests)
