"""The terminal's rim: the only place that prints and exits.

One module per command; `app` puts them together and turns errors into one sentence and an exit
code. Commands are imported when they are called, because people wait for `--help`.
"""

from sandbox_kernel.cli.app import main

__all__ = ["main"]
