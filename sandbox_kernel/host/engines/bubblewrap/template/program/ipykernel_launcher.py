"""What a template runs, and what becomes of it: in the place of the module of that name.

`python -m ipykernel_launcher …` in this directory finds this file, so that a template has the very
words of the kernels that it will be forked into: their argv, /proc/self/cmdline and sys.flags are
true. It imports what a kernel imports, then only forks. Each fork enters a sandbox, loses every
privilege, waits for the guest's order, and runs the real ipykernel_launcher.

Standard library only, until it imports what it is here for.
"""

import sys

sys.dont_write_bytecode = True  # not here, and not in the user's environment
_HERE = sys.path.pop(0)


def _begin() -> None:
    sys.path.insert(0, _HERE)
    import sandbox_template  # noqa: PLC0415 - found only now

    sys.path.remove(_HERE)
    sandbox_template.serve()
    # From here on this is a kernel's process: nothing but the order's own is left to do.
    for name in ("sandbox_template", "raise_wall"):
        del sys.modules[name]
    sys.dont_write_bytecode = False


_begin()

import os  # noqa: E402
import runpy  # noqa: E402

sys.path.insert(0, os.getcwd())  # as -m does
runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)
