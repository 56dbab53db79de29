"""A program as it is taught."""

from __future__ import annotations

import sys


def main() -> int:
    sys.stdout.write("Hello, ")
    sys.stdout.write("world!\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
