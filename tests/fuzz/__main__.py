"""Fuzz for as long as you like: `python -m tests.fuzz guard|decoder [libFuzzer's options] FOLDER`.

Needs atheris (`pip install atheris`), which is no requirement of the tests: they replay what it
found worth keeping. Put new finds into tests/fuzz/corpus with `-merge=1`.
"""

import logging
import sys

import atheris

with atheris.instrument_imports(include=["sandbox_kernel"]):
    from tests.fuzz import script

TARGETS = {"guard": script.play, "decoder": script.decode}

if __name__ == "__main__":
    logging.disable()
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
