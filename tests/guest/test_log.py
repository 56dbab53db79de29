import os
import sys
import time

import pytest

from sandbox_kernel.guest.log import BURST_BYTES, BYTES_PER_SECOND, LogPipe
from sandbox_kernel.wire import MAX_LOG_CHARACTERS, Log


@pytest.fixture
def pipe():
    """A log pipe with a clock that a test sets, and the end to write to."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    now = [0.0]
    log = LogPipe(read, clock=lambda: now[0])
    yield log, write, now
    log.close()
    os.close(write)


def text_of(logs):
    return "".join(log.text for log in logs)


def test_text_passes(pipe):
    """What was written is passed on as text."""
    log, write, _ = pipe
    assert log.read() == []
    os.write(write, b"hello\n")
    assert log.read() == [Log("hello\n")]


def test_characters_may_be_cut_between_writes(pipe):
    """A character that arrives in two halves is one; half of one at the end is marked."""
    log, write, _ = pipe
    first, second = "\u00e7".encode()[:1], "\u00e7".encode()[1:]
    os.write(write, b"gar" + first)
    assert text_of(log.read()) == "gar"
    os.write(write, second + b"on" + first)
    assert text_of(log.read()) == "\u00e7on"
    assert text_of(log.drain()) == "\ufffd"


def test_long_text_is_cut(pipe):
    """No single log is longer than the wire allows."""
    log, write, _ = pipe
    os.write(write, b"x" * 50_000)
    logs = log.read()
    assert text_of(logs) == "x" * 50_000
    assert max(len(each.text) for each in logs) == MAX_LOG_CHARACTERS


def test_a_flood_is_dropped_and_counted(pipe):
    """Beyond the burst nothing passes until time has passed; then a notice says how much was lost."""
    log, write, now = pipe
    passed = dropped = 0
    for _ in range(2 * BURST_BYTES // 32_768):
        os.write(write, b"x" * 32_768)
        size = len(text_of(log.read()))
        passed += size
        dropped += 32_768 - size
    assert passed == BURST_BYTES
    now[0] = 1.0
    os.write(write, b"again")
    assert text_of(log.read()).endswith("again")
    os.write(write, b"x" * 60_000)
    assert len(text_of(log.read())) <= BYTES_PER_SECOND
    assert dropped == BURST_BYTES


def test_the_loss_is_told_at_the_end_too(pipe):
    """If nothing more passes, the notice comes with the last drain."""
    log, write, _ = pipe
    for _ in range(BURST_BYTES // 32_768):
        os.write(write, b"x" * 32_768)
        log.read()
    os.write(write, b"lost")
    assert text_of(log.drain()) == (
        "\n[4 bytes of the kernel's own log were dropped here: it wrote too fast]\n"
    )


def test_the_end_of_file_closes_it():
    """Once every writer is gone there is nothing more to wait for."""
    read, write = os.pipe()
    log = LogPipe(read)
    os.write(write, b"last")
    os.close(write)
    assert text_of(log.drain()) == "last"
    assert log.descriptor is None
    log.close()


def test_a_flood_neither_blocks_the_kernel_nor_fills_the_stream(unstarted):
    """100 MB on a kernel's own standard output pass through the pipe at once, and are not relayed."""
    started = time.monotonic()
    unstarted.start(sys.executable, "-S", "-c", "import os\nfor _ in range(1600): os.write(1, b'x' * 65536)")
    log, how = unstarted.log_until_exit()
    took = time.monotonic() - started
    assert how.returncode == 0
    assert log.count("x") < BURST_BYTES + took * BYTES_PER_SECOND
    assert "bytes of the kernel's own log were dropped" in log
