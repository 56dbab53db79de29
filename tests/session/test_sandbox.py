"""`Sandbox`: what a call returns, how it ends, and that the next one works."""

import threading

import pytest

import sandbox_kernel
from sandbox_kernel import Sandbox
from sandbox_kernel.errors import CodeFailedError, SessionError
from sandbox_kernel.policy import Policy
from sandbox_kernel.session import Outcome, Output

MEMORY_BOMB = "held = []\nwhile True: held.append(bytearray(b'x') * (32 << 20))"
STUBBORN = "while True:\n try:\n  begun = True\n  while True: pass\n except KeyboardInterrupt: pass"
"""Without a statement before the inner loop, Python 3.11 forgets to guard it."""
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="


def test_lazy_exports() -> None:
    """The package offers its classes, and says so of a name that it does not have."""
    assert sandbox_kernel.Sandbox is Sandbox
    assert sandbox_kernel.Policy is Policy
    with pytest.raises(AttributeError, match="Sandbix"):
        _ = sandbox_kernel.Sandbix


def test_a_deadline_that_passes_before_the_kernel_has_the_code(shared: Sandbox) -> None:
    """The interrupt does not overtake the code, which would run on, and cost the sandbox."""
    shared.run("kept = 3")
    for _ in range(10):
        assert shared.run("while True: pass", timeout=0.0005).outcome is Outcome.TIMEOUT
        assert shared.run("kept").value == "3"


LOST_REPLY = """
session = get_ipython().kernel.session
send = session.send
def losing(stream, what, *rest, **more):
    if what != "execute_reply":
        return send(stream, what, *rest, **more)
    session.send = send
session.send = losing
"""
"""Something has gone wrong in the kernel; by an interrupt alone it does not."""


def test_a_reply_that_never_comes_costs_the_call_and_not_the_sandbox(shared: Sandbox) -> None:
    """A kernel that answers a later request is idle, and keeps its variables."""
    shared.run("kept = 3")
    assert shared.run(LOST_REPLY, timeout=0.2).outcome is Outcome.TIMEOUT
    assert shared.run("kept").value == "3"


def test_a_call(shared: Sandbox) -> None:
    """A call has what was printed, on both streams, and the last expression's value."""
    code = "import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('more')\n{'a': 1}"
    result = shared.run(code)
    assert result.or_raise() is result
    assert (result.outcome, result.cause, result.error) == (Outcome.OK, "", None)
    assert (result.stdout, result.stderr, result.value) == ("out\nmore\n", "err\n", "{'a': 1}")
    assert result.data == {"text/plain": "{'a': 1}"}
    assert result.truncated is None
    assert result.seconds > 0


def test_nothing_to_run(shared: Sandbox) -> None:
    """Empty code runs to its end."""
    assert shared.run(" \n").ok


def test_state_is_kept(shared: Sandbox) -> None:
    """What one call defines, the next one has; calls are counted."""
    first = shared.run("number = 20")
    second = shared.run("number + 1")
    assert second.value == "21"
    assert second.count == first.count + 1


def test_an_error(shared: Sandbox) -> None:
    """An error has its name, message, and a traceback with and without colours."""
    result = shared.run("print('before')\nraise ValueError('what\\nelse')")
    assert (result.outcome, result.cause) == (Outcome.ERROR, "The code raised ValueError: what")
    assert (result.error.name, result.error.message) == ("ValueError", "what\nelse")
    assert result.stdout == "before\n"
    assert "\x1b" in "".join(result.error.raw)
    assert "\x1b" not in result.error.traceback
    assert "line 2" in result.error.traceback
    with pytest.raises(CodeFailedError, match="what") as raised:
        result.or_raise()
    assert raised.value.execution is result


def test_displays(shared: Sandbox) -> None:
    """What is shown comes in all its forms, pictures as bytes, and an update where the first was."""
    code = (
        f"display({{'image/png': '{PIXEL}', 'text/plain': 'a pixel'}}, raw=True)\n"
        "handle = display('first', display_id=True)\nprint('between')\nhandle.update('second')"
    )
    result = shared.run(code)
    picture, text = result.displays
    assert picture.image.mime == "image/png"
    assert picture.image.data.startswith(b"\x89PNG")
    assert result.images == (picture.image,)
    assert text.text == "'second'"
    assert [output.kind for output in result.outputs] == ["display", "display", "stdout"]


def test_cleared(shared: Sandbox) -> None:
    """What code clears is gone, as in a notebook: at once, or with the next output."""
    clear = "from IPython.display import clear_output\n"
    code = f"{clear}print(1)\nclear_output()\nprint(2)\nclear_output(wait=True)\nprint('three')"
    assert shared.run(code).stdout == "three\n"


def test_listening(shared: Sandbox) -> None:
    """Outputs are heard while the code runs, in the thread that called."""
    heard: list[Output] = []
    threads = set()

    def listen(output: Output) -> None:
        heard.append(output)
        threads.add(threading.current_thread())

    result = shared.run(
        "import time\nfor i in range(3): print(i, flush=True); time.sleep(0.01)", on_output=listen
    )
    assert "".join(output.text for output in heard) == result.stdout == "0\n1\n2\n"
    assert threads == {threading.current_thread()}


def test_a_listener_that_raises_stops_the_code(shared: Sandbox) -> None:
    """What a listener raises reaches the caller, and the code is interrupted."""

    def enough(output: Output) -> None:
        raise LookupError(output.text)

    with pytest.raises(LookupError, match="begun"):
        shared.run(
            "try:\n    print('begun', flush=True)\n    while True: pass\nfinally: stopped = True",
            on_output=enough,
        )
    assert shared.run("stopped").value == "True"


def test_deadline(shared: Sandbox) -> None:
    """Code that is out of time is interrupted; what was defined is kept."""
    for timeout in (0.5, 5, 30):  # a busy machine may take longer to begin
        result = shared.run("kept = 1\nprint('begun', flush=True)\nwhile True: pass", timeout=timeout)
        assert (result.outcome, result.cause) == (Outcome.TIMEOUT, f"The deadline of {timeout:g} s passed.")
        if result.stdout:
            break
    assert result.stdout == "begun\n"
    assert result.error.name == "KeyboardInterrupt"
    assert shared.run("kept").value == "1"


def test_interrupt(shared: Sandbox) -> None:
    """Another thread interrupts the code: cancelled if that ends it, and whatever else it makes of it."""
    wait = (
        "import time\ntry:\n    print(1, flush=True)\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    {}"
    )

    def interrupt(_: Output) -> None:
        threading.Thread(target=shared.interrupt).start()

    result = shared.run(wait.format("raise"), on_output=interrupt)
    assert (result.outcome, result.cause) == (Outcome.CANCELLED, "The code was interrupted.")
    assert shared.run(wait.format("pass"), on_output=interrupt).ok
    shared.interrupt()  # nothing runs: nothing happens
    assert shared.run("1").value == "1"


def test_memory(shared: Sandbox) -> None:
    """A sandbox that was killed for its memory says so, also on the next call, until it is reset."""
    result = shared.run(f"print('before', flush=True)\n{MEMORY_BOMB}")
    assert result.outcome is Outcome.MEMORY
    assert result.cause == "Killed: used 256 MiB of 256 MiB memory ('memory')."
    assert result.stdout == "before\n"
    after = shared.run("1")
    assert (after.outcome, after.value, after.count) == (Outcome.MEMORY, None, None)
    assert after.cause.startswith(result.cause)
    shared.reset()
    assert shared.run("'held' in globals()").value == "False"


def test_stubborn_code(shared: Sandbox) -> None:
    """Code that will not be interrupted is ended with its sandbox, and the deadline is the reason."""
    for timeout in (0.3, 3, 30):  # on a busy machine it may be interrupted before it is stubborn
        result = shared.run(STUBBORN, timeout=timeout)
        assert result.outcome is Outcome.TIMEOUT
        if "did not react" in result.cause:
            break
    assert result.cause.startswith(f"The deadline of {timeout:g} s passed. The code did not react")
    assert shared.run("1").outcome is Outcome.TIMEOUT
    shared.reset()


@pytest.mark.parametrize(
    "end", ["import os; os._exit(3)", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"]
)
def test_a_death(shared: Sandbox, end: str) -> None:
    """A kernel that ends itself has died, at once, in words."""
    result = shared.run(end)
    assert result.outcome is Outcome.DIED
    assert "status 3" in result.cause or "SIGSEGV" in result.cause
    shared.reset()


@pytest.mark.parametrize("word", ["exit()", "quit()"])
def test_exit(shared: Sandbox, word: str) -> None:
    """Code that ends its session has ended it, and the next call hears of it."""
    result = shared.run(f"print('x')\n{word}")
    assert (result.outcome, result.stdout) == (Outcome.DIED, "x\n")
    assert "exit()" in result.cause
    assert shared.run("1").outcome is Outcome.DIED
    shared.reset()
    ended = shared.run("import sys; sys.exit(3)")
    assert (ended.outcome, ended.cause) == (Outcome.ERROR, "The code raised SystemExit: 3")
    assert shared.run("1").ok


def test_reset_and_close_end_what_runs(shared: Sandbox) -> None:
    """Neither waits for the code that runs; whoever waits for that is told."""
    ended = []

    def call(method: str) -> None:
        heard = threading.Event()
        run = threading.Thread(
            target=lambda: ended.append(
                own.run("print(1, flush=True)\n" + STUBBORN, on_output=lambda _: heard.set())
            )
        )
        run.start()
        assert heard.wait(30)
        getattr(own, method)()
        run.join(30)

    with Sandbox(memory="256m") as own:
        call("reset")
        assert own.run("1").value == "1"
        call("close")
    assert [result.outcome for result in ended] == [Outcome.CANCELLED] * 2
    assert [result.cause for result in ended] == ["The sandbox was reset.", "The sandbox was closed."]
    own.close()
    with pytest.raises(SessionError, match="closed"):
        own.run("1")


def test_threads(shared: Sandbox) -> None:
    """Calls from several threads are run one after the other."""
    results = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(shared.run(f"{n}").value)) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == [str(number) for number in range(8)]


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "soon", "0s", True])
def test_unusable_timeouts(shared: Sandbox, timeout: object) -> None:
    """A deadline is a number of seconds, or none."""
    with pytest.raises(SessionError, match="timeout="):
        shared.run("1", timeout=timeout)


@pytest.mark.parametrize("code", [None, b"1", "'\ud800'"])
def test_unusable_code(shared: Sandbox, code: object) -> None:
    """What is no text is not sent."""
    with pytest.raises(SessionError, match="The code is"):
        shared.run(code)


def test_a_timeout_beyond_the_policy() -> None:
    """The shorter deadline counts; where that is the policy's, the cause says what became of the call's."""
    with Sandbox(cell_timeout=1) as sandbox:
        late = sandbox.run("import time; time.sleep(60)", timeout=40)
        assert late.outcome is Outcome.TIMEOUT
        assert "cell_timeout" in late.cause
        assert late.cause.endswith(" The call's own timeout, 40 s, is longer and does not count.")
        late = sandbox.run("time.sleep(60)", timeout=0.01)
        assert late.cause == "The deadline of 0.01 s passed."


def test_limits() -> None:
    """Code over the limit is refused, output over it is cut and said to be; the sandbox goes on."""
    with Sandbox("strict", memory="256m", cell_timeout="30s") as sandbox:
        refused = sandbox.run("#" * 200_000)
        assert refused.outcome is Outcome.LIMIT
        assert "allows 100 KiB" in refused.cause
        cut = sandbox.run("print('x' * 3_000_000)")
        assert cut.ok
        assert "2.9 MiB" in cut.truncated
        assert sandbox.run("1").value == "1"
