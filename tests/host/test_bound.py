"""What reading a message takes is what is promised: see SECURITY.md, "The host's memory".

The tests of floods measure what many small messages take; these, the worst single ones.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox_kernel.host.bound import WORKING
from sandbox_kernel.host.content import content_filters
from sandbox_kernel.host.guard import MAX_REPLY
from sandbox_kernel.host.jupyter import RawMessage, Signer, compose
from sandbox_kernel.host.ledger import Ledger
from sandbox_kernel.host.parts import MAX_VALUES
from sandbox_kernel.host.reading import READING, Reader
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import Channel, Message

SIZE = MAX_REPLY
"""Bytes of each message: what is the least that a policy's largest message can be."""

SMILE = "\U0001f600"

WORST = {
    "one letter that makes all wide, and half of one": (
        "stream",
        ('{"name":"stdout","text":"\\ud800' + SMILE, "x" * 64, '"}'),
    ),
    "an object for a text": ("stream", ('{"text":["' + SMILE, "\U0010ffff", '"]}')),
    "short lines": ("error", ('{"ename":"a","evalue":"b","traceback":["a"', ',"a"', "]}")),
    "a Bokeh figure": (
        "display_data",
        (
            '{"data":{"application/vnd.bokehjs_exec.v0+json":"","application/javascript":"' + SMILE,
            "<" * 64,
            '"},"metadata":{}}',
        ),
    ),
    "a Vega figure": (
        "display_data",
        ('{"data":{"application/vnd.vegalite.v5+json":{"a":[0', ',"<"', "]}}}"),
    ),
}


def _growth() -> int:
    """Read the message that is described on the standard input; return the bytes that this took at most."""
    msg_type, (head, unit, tail) = WORST[sys.argv[1]]
    count = min(MAX_VALUES - 9, (SIZE - len(head.encode()) - len(tail)) // len(unit.encode()))
    content = b"%s%s%s" % (head.encode(), unit.encode() * count, tail.encode())
    raw = compose(msg_type, {})
    parts = RawMessage((), b"", raw.header, raw.parent, raw.metadata, content).parts()
    reader = Reader(Ledger(), outer=Signer(b"key"), filters=content_filters(Policy()))
    before = _status("VmRSS")
    reader.seal(reader.open(Message(Channel.IOPUB, parts)))
    return _status("VmHWM") - before


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


@pytest.mark.parametrize("name", WORST)
def test_no_message_takes_more_than_is_promised(name):
    """Whatever is in it."""
    command = (sys.executable, "-m", "tests.host.test_bound", name)
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert SIZE // 2 < grown < READING * SIZE + WORKING, f"{grown >> 20} MiB"


if __name__ == "__main__":
    print(_growth())
