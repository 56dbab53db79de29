"""What runs a program's code inside, as a process of its own, and PID 1's way with it."""

import json
import marshal
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox_kernel.guest.life import Lodger
from sandbox_kernel.guest.program import _sandbox_runner as runner
from sandbox_kernel.guest.program.service import ProgramService
from sandbox_kernel.guest.program.start import Program
from sandbox_kernel.guest.tunnel import Tunnel
from sandbox_kernel.wire import Channel, Decoder, Message

DIRECTORY = str(Path(runner.__file__).parent)
STUB = (
    f"import sys; sys.path.insert(0, {DIRECTORY!r}); import _sandbox_runner as r; del sys.path[0]; r.main()"
)


class Runner:
    """A running one."""

    def __init__(self, directory: Path) -> None:
        requests, self._requests = os.pipe()
        answers, theirs = os.pipe()
        self._answers = os.fdopen(answers)
        self.begun = 0
        """How often it has said that code begins."""

        def streams() -> None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            high = [os.dup2(each, 200 + n) for n, each in enumerate((requests, theirs))]
            for number, each in zip((runner.REQUESTS, runner.ANSWERS), high, strict=True):
                os.dup2(each, number)

        self.process = subprocess.Popen(
            [sys.executable, "-c", STUB], preexec_fn=streams,  # noqa: PLW1509 - this test has one thread
            pass_fds=(3, 4, requests, theirs), cwd=directory,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        os.close(requests)
        os.close(theirs)
        assert self._answers.readline() == "\n"

    def ask(self, code: str) -> None:
        """Send a piece."""
        data = marshal.dumps(("submission.py", code), 2)
        os.write(self._requests, len(data).to_bytes(4, "little") + data)

    def answer(self) -> Any:
        """Return the next line that is about what the code did."""
        while (answer := json.loads(self._answers.readline())) == {"begun": True}:
            self.begun += 1
        return answer

    def run(self, code: str) -> list[Any]:
        """Return all answers to a piece."""
        self.ask(code)
        answers = [self.answer()]
        while "ended" not in answers[-1]:
            answers.append(self.answer())
        return answers

    def close(self) -> tuple[str, str]:
        """Return what it has printed."""
        os.close(self._requests)
        self._requests = -1
        printed = self.process.communicate(timeout=60)
        self._answers.close()
        return printed


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Runner]:
    started = Runner(tmp_path)
    yield started
    if started._requests >= 0:
        started.close()


OK = [{"ended": "ok"}]


def test_pieces_share_one_namespace(running: Runner) -> None:
    """It is that of a program: a module called __main__, whose classes can be pickled."""
    assert running.run("import pickle\nclass A: pass\nx = pickle.loads(pickle.dumps(A()))") == OK
    assert running.run("print(type(x) is A, __name__, __file__)") == OK
    assert running.close() == ("True __main__ submission.py\n", "")


@pytest.mark.parametrize(
    ("code", "name", "text"),
    [
        ("1/0", "ZeroDivisionError", "division by zero"),
        ("import sys; sys.exit(3)", "SystemExit", "3"),
        ("exit()", "SystemExit", "None"),
        ("input()", "EOFError", "EOF when reading a line"),
        ("class E(Exception):\n def __str__(self): 1/0\nraise E", "E", ""),
        ("class S(str): pass\nclass E(Exception):\n def __str__(self): return S('x')\nraise E", "E", "x"),
        ("raise ValueError('x' * 20000)", "ValueError", "x" * runner.MOST),
        ("raise ValueError('\\ud800\"')", "ValueError", '?"'),
    ],
)
def test_errors_are_told(running: Runner, code: str, name: str, text: str) -> None:
    """By their name and text; the process goes on."""
    assert running.run(code) == [{"ended": "error", "name": name, "text": text, "compiled": True}]
    assert running.run("pass") == OK


@pytest.mark.parametrize("code", ["!ls", "await x", "x = (", "a\0b", "return", "(" * 10_000])
def test_what_is_no_python_is_not_run(running: Runner, code: str) -> None:
    """It is told apart from an error of code that was run."""
    (told,) = running.run(f"print('ran')\n{code}")
    assert told["compiled"] is False
    assert running.close()[0] == ""


def test_the_first_piece_that_is_run_is_told_before_it_runs(running: Runner) -> None:
    """From then on, all that is said may be the code's."""
    for code, begun in (("x = (", 0), ("import os; os.write(4, b'{}\\n')", 1), ("pass", 1)):
        running.ask(code)
        running.answer()
        assert running.begun == begun


def test_who_does_not_look_for_its_file_has_none(running: Runner) -> None:
    """Processes that are started anew would look for it, and not find it."""
    code = "p = m.get_context('spawn').Process(target=print, args=('in',)); p.start(); p.join()"
    assert running.run(f"import multiprocessing as m\n{code}") == OK
    assert running.run("print(__file__)") == OK
    assert running.close() == ("in\nsubmission.py\n", "")


def test_output_is_there_before_its_end_is_told(running: Runner) -> None:
    """Also that of programs, in the order in which it was written."""
    assert running.run("import os\nprint('a')\nos.system('echo b')\nprint('c', end='')") == OK
    stdout = running.process.stdout
    assert stdout is not None
    assert os.read(stdout.fileno(), 100) == b"a\nb\nc"


def test_an_interrupt_ends_a_piece_and_nothing_else(running: Runner) -> None:
    """Between pieces it does nothing."""
    running.process.send_signal(signal.SIGINT)
    running.ask("import _sandbox_runner as r\nr.show('here')\nwhile True: pass")
    assert running.answer() == {"shown": "here"}
    running.process.send_signal(signal.SIGINT)
    assert running.answer()["name"] == "KeyboardInterrupt"
    running.process.send_signal(signal.SIGINT)
    assert running.run("pass") == OK


def test_streams_of_the_codes_own_may_be_anything(running: Runner) -> None:
    """An end is told, whatever flushing them leads to."""
    assert running.run("import sys\nsys.stdout = None\nclass S:\n flush = 1/1\nsys.stderr = S()") == OK
    assert running.run("pass") == OK


def test_forks_do_not_answer(running: Runner) -> None:
    """A child that comes to the end of the code has come to its own."""
    assert running.run("import os\nchild = os.fork()\nif child: os.waitpid(child, 0)") == OK
    assert running.run("print(child > 0)") == OK
    both = "import os, _sandbox_runner as r\nchild = os.fork()\nr.show('x')\nif child: os.waitpid(child, 0)"
    assert running.run(both) == [{"shown": "x"}, *OK]
    assert running.close()[0] == "True\n"


def test_sources_can_be_read(running: Runner) -> None:
    """By who looks for them in the usual way."""
    assert running.run("import inspect\ndef f():\n    return 1\nprint(inspect.getsource(f))") == OK
    assert running.run("def g(): pass\n\nprint(inspect.getsource(f))") == OK
    assert running.close()[0] == "def f():\n    return 1\n\n" * 2


def test_descriptors_are_not_inherited(running: Runner) -> None:
    """Programs that the code starts have no part in it."""
    assert running.run("import os\nos.system('ls /proc/self/fd/3 /proc/self/fd/4 2>/dev/null')") == OK
    assert running.close()[0] == ""


@pytest.mark.parametrize("moment", range(1, 7))
def test_no_answer_overtakes_what_was_printed_before_it(monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """Whenever PID 1 finds the two: here they come just before its first read, its second, and so on."""
    pipes = {number: os.pipe() for number in (0, 1, 2, 3, 4)}
    tunnel_in, tunnel_out = os.pipe(), os.pipe()
    ours = {
        number: writer if number == runner.REQUESTS else reader for number, (reader, writer) in pipes.items()
    }
    for descriptor in ours.values():
        os.set_blocking(descriptor, False)
    tunnel = Tunnel(tunnel_in[0], tunnel_out[1])
    service = ProgramService(tunnel, Lodger(), Program(os.getpid(), ours))
    reads, read = 0, os.read

    def read_late(descriptor: int, count: int) -> bytes:
        nonlocal reads
        reads += 1
        if reads == moment:
            for number in (1, 2, runner.ANSWERS):
                os.write(pipes[number][1], b"%d\n" % number)
        return read(descriptor, count)

    monkeypatch.setattr(os, "read", read_late)
    for _ in range(4):
        service._hear()
    monkeypatch.undo()
    tunnel.flush()
    said = list(Decoder(max_message=1000).receive(memoryview(os.read(tunnel_out[0], 10_000))))
    streams = [
        bytes(each.parts[0]) for each in said if isinstance(each, Message) and each.channel is Channel.IOPUB
    ]
    assert sorted(streams[:2]) == [b"1", b"2"]
    assert streams[2:] == [b"4"]
    for descriptor in {*tunnel_in, *tunnel_out, *(end for pipe in pipes.values() for end in pipe)}:
        os.close(descriptor)
