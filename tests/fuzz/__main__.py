"""Fuzz for as long as you like: `python -m tests.fuzz guard|content|decoder [options] FOLDER`.

The options are libFuzzer's. Needs atheris (`pip install atheris`), which is no requirement of the
tests: they replay what it found worth keeping, in tests/fuzz/corpus.
"""

import logging
import sys

import atheris

with atheris.instrument_imports(include=["sandbox_kernel"]):
    from tests.fuzz import script

TARGETS = {"guard": script.play, "content": script.play_content, "decoder": script.decode}

if __name__ == "__main__":
    logging.disable()
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
