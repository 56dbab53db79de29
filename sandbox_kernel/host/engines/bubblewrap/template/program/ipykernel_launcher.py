"""What a template runs, and what becomes of it: in the place of the module of that name.

`python -m ipykernel_launcher …` in this directory finds this file, so that a template has the very
words of the kernels that it will be forked into: their argv, /proc/self/cmdline and sys.flags are
true. It imports what a kernel imports, then only forks. Each fork enters a sandbox, loses every
privilege, waits for the guest's order, and runs the real ipykernel_launcher.

Standard library only, until it imports what it is here for.
"""

import importlib
import os
import runpy
import sys


def become_a_kernel() -> None:
    """Return in a process that is a kernel's, with nothing of ours in sight."""
    here = sys.path.pop(0)
    sys.dont_write_bytecode = True  # not here, and not in the user's environment
    sys.path.insert(0, here)
    template = importlib.import_module("sandbox_template")
    sys.path.remove(here)
    template.serve()
    for name in [name for name in sys.modules if name.split(".")[0] in ("sandbox_template", "raise_wall")]:
        del sys.modules[name]
    sys.dont_write_bytecode = False
    sys.path.insert(0, os.getcwd())  # as -m does


if __name__ == "__main__":
    become_a_kernel()
    runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)
