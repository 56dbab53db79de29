"""One submission: run in a sandbox of its own, asked for what checks have to know, judged outside.

Rules:

- The sandbox is fresh, serves this submission alone, and holds nothing of the checks but the names of
  variables and functions, and the arguments of calls, once the submission has come to its end.
- A submission that does not come to its end, or is not heard of after it, fails every check.
- Variables are looked at before anything is called: what a call does to them does not count.
- What takes as long as a submission likes (reading it, judging it) is bounded, and done beside the event
  loop: others go on meanwhile.
- Each call is a question of its own, with a deadline of its own: one that hangs costs its own check.
"""

import asyncio
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Final

from sandbox_kernel.checks.evidence import Called, Error, Evidence, Ran
from sandbox_kernel.checks.kinds import Call
from sandbox_kernel.checks.questions import Answer, Question, ask, read_answer
from sandbox_kernel.checks.submission import Piece, Submission, SubmissionError, read_submission
from sandbox_kernel.checks.suite import Suite
from sandbox_kernel.checks.values import AnswerError, Value
from sandbox_kernel.checks.verdicts import Graded, Verdict, all_failed, judge
from sandbox_kernel.errors import ExitCode, PolicyError, SandboxError
from sandbox_kernel.notebooks.script import is_good_exit
from sandbox_kernel.policy import Policy, format_seconds, format_size
from sandbox_kernel.session import AsyncSandbox, Execution, Outcome
from sandbox_kernel.session.program import NotPlainError, Program
from sandbox_kernel.session.session import BOUND, EARLIER

ANSWER_SECONDS: Final = 30.0
"""For an answer, where the policy gives cells more: it takes milliseconds, unless threads that the
submission has left behind take the processor."""

EXIT: Final = "from sys import exit; quit = exit"
"""Run before a submission that says one of the two: a kernel takes them for a wish to end it, a moment
later, and goes on with the code until then. It leaves no name that was not there."""

PROGRAM: Final = """
def as_a_program():
    import asyncio, concurrent.futures, sys
    def run(*given, run=asyncio.run, **named):
        with concurrent.futures.ThreadPoolExecutor(1) as apart:
            return apart.submit(run, *given, **named).result()
    asyncio.run, sys.argv = run, ["submission.py"]
as_a_program()
del as_a_program
"""
"""Run before a script that may look at its arguments, which would be its kernel's, or may begin an event
loop, of which there may be but one in a thread: the kernel has one already."""

FILE: Final = '__file__ = "submission.py"'
"""Run before a script that may look for itself, or for files beside it."""

_NO_INPUT: Final = ("EOFError", "EOF when reading a line")
"""What a program's `input()` raises where there is none."""

KERNELS_OWN: Final = (
    *("ipython", "display", "ipywidgets", "breakpoint", "pdb"),
    *("matplotlib", "pylab", "seaborn", "plotly", "bokeh", "altair"),
)
"""Words of which a script that has one is run by a kernel: it may mean what IPython gives it, or draw
figures that a kernel shows. In small letters. One that is there by chance costs time, and nothing else."""

THREADS: Final = "thread"
"""The same for a script whose functions are called: what threads print meanwhile, only a kernel tells from
what the function prints."""

_IN_A_CELL: Final = re.compile(r"\(\d+\.py, (line \d+)\)$")
"""Where an error of syntax is, with the name that a kernel gives to a piece of code."""


class _Stop(Exception):  # noqa: N818 -- nothing of ours has failed
    """The submission has not come to its end."""

    def __init__(self, outcome: str, cause: str) -> None:
        super().__init__(cause)
        self.outcome, self.cause = outcome, cause


async def grade(path: Path, suite: Suite, policy: Policy, name: str | None = None) -> Graded:
    """Run one submission and judge it.

    :param name: what reports call it; its path, if nothing else is said.
    :raises SandboxError: no submission can be run here with this policy.
    """
    began, called = monotonic(), name or str(path)

    def graded(outcome: str, cause: str, verdicts: tuple[Verdict, ...] = ()) -> Graded:
        return Graded(
            submission=called,
            outcome=outcome,
            cause=cause,
            verdicts=verdicts or all_failed(suite, cause),
            duration=monotonic() - began,
            was_run=outcome not in (Outcome.LOST, Outcome.CANCELLED),
        )

    try:
        submission = await asyncio.to_thread(read_submission, path, policy.code)
        evidence = await _evidence(submission, suite, policy)
        verdicts = await asyncio.to_thread(judge, suite, evidence)
        return graded(Outcome.OK, "it ran to its end", verdicts)
    except SubmissionError as error:
        return graded("unusable", str(error))
    except _Stop as stop:
        return graded(stop.outcome, stop.cause)
    except SandboxError as error:
        if error.exit_code == ExitCode.USAGE:
            raise
        return graded(Outcome.LOST, str(error).rstrip("."))
    except Exception as error:  # noqa: BLE001 -- a bug of ours must not cost all others their results
        bug = f"{type(error).__name__}: {error}"[:200]
        return graded(Outcome.LOST, f"it could not be judged, which is a bug in sandbox-kernel: {bug}")


def require_room(suite: Suite, policy: Policy) -> None:
    """See to it that what will be asked is not longer than what may be sent, and may take the time it says.

    :raises PolicyError: it is, or a call's own timeout is beyond the policy's, which ends it.
    """
    for check in suite.checks:
        call, most = check.condition.call, policy.cell_timeout
        if call and call.timeout and most is not None and call.timeout > most:
            raise PolicyError(
                f"check {check.name!r}: its timeout of {format_seconds(call.timeout)} is longer than "
                f"'cell_timeout', {format_seconds(most)}, which ends the call; allow as much."
            )
    names = {check.condition.variable: None for check in suite.checks if check.condition.variable}
    calls = [call for check in suite.checks if (call := check.condition.call) is not None]
    longest = max(len(question.code) for question in (ask(names), *(ask((), call) for call in calls)))
    if longest > policy.code:
        raise PolicyError(
            f"'code' is {format_size(policy.code)}, and to ask for values and calls takes up to "
            f"{format_size(longest)}; allow as much."
        )


async def _evidence(submission: Submission, suite: Suite, policy: Policy) -> Evidence:
    """Return what a submission has done, in a sandbox of its own; in another one if it is no plain Python.

    :raises _Stop: it did not come to its end.
    """
    if is_plain(submission, suite, policy):
        with suppress(NotPlainError):
            async with Program(policy) as program:
                return await _Examination(program, suite).of(submission)
    async with AsyncSandbox(policy) as sandbox:
        return await _Examination(sandbox, suite).of(submission)


def is_plain(submission: Submission, suite: Suite, policy: Policy) -> bool:
    """Tell whether a submission may be run without a kernel, and be judged the same.

    It may if it is a script, and neither it nor a check of it wants what only a kernel has. Where kernels
    begin with modules imported, one is used: it has what it takes longest to import.
    """
    if not submission.is_script or policy.preload:
        return False
    if any(check.condition.needs_kernel for check in suite.checks):
        return False
    source = submission.pieces[0].source.lower()
    calls = any(check.condition.call is not None for check in suite.checks)
    return not any(word in source for word in (*KERNELS_OWN, *[THREADS] * calls))


class _Examination:
    """What is done with one sandbox."""

    def __init__(self, sandbox: AsyncSandbox | Program, suite: Suite) -> None:
        self._sandbox = sandbox
        self._suite = suite
        self._has_kernel = isinstance(sandbox, AsyncSandbox)

    async def of(self, submission: Submission) -> Evidence:
        """Run a submission and ask what has to be known. :raises _Stop: it did not come to its end."""
        if self._has_kernel and (prelude := _prelude(submission)):
            await self._sandbox.run(prelude)
        cells = tuple([await self._run(piece, submission) for piece in submission.pieces])
        variables = await self._variables()
        calls = {
            number: await self._called(self._ask((), call), call.timeout)
            for number, check in enumerate(self._suite.checks)
            if (call := check.condition.call) is not None
        }
        return Evidence(cells, variables, calls)

    async def _run(self, piece: Piece, submission: Submission) -> Ran:
        execution = await self._sandbox.run(piece.source)
        ran = _ran(piece, execution)
        if execution.ok or (execution.outcome is Outcome.ERROR and self._may_go_on(ran, submission)):
            return ran
        where = "" if submission.is_script else f", in cell {piece.number}"
        if ran.error and execution.outcome is Outcome.ERROR:
            said = "" if self._has_kernel else _last_words(ran)
            raise _Stop(execution.outcome, f"{told(ran.error, submission)}{said}{where}")
        raise _Stop(execution.outcome, f"{_why(execution)}{where}")

    def _may_go_on(self, ran: Ran, submission: Submission) -> bool:
        if ran.error is None:
            return False
        if self._suite.allow_errors or (
            submission.is_script and is_good_exit(ran.error.name, ran.error.text)
        ):
            return True
        return any(check.condition.permits(ran, ran.error) for check in self._suite.checks)

    async def _variables(self) -> dict[str, Value]:
        """Return the variables that checks look at. :raises _Stop: nothing is heard of the kernel."""
        names = {check.condition.variable: None for check in self._suite.checks if check.condition.variable}
        variables = (await self._answer(self._ask(names), called=False)).variables
        if len(names) > 1:  # all together have one allowance: who had to do without gets one alone
            for name in [name for name, value in variables.items() if value.is_cut()]:
                alone = (await self._answer(self._ask([name]), called=False)).variables
                variables |= {name: value for name, value in alone.items() if name in variables}
        return {name: value for name, value in variables.items() if name in names}

    def _ask(self, variables: Iterable[str], call: Call | None = None) -> Question:
        return ask(variables, call, kernel=self._has_kernel)

    async def _asked(self, question: Question, seconds: float) -> Execution:
        """Ask. :raises _Stop: it says that a question is no Python, and wants another sandbox for that."""
        try:
            return await self._sandbox.run(question.code, timeout=seconds)
        except NotPlainError as error:
            raise _Stop("silent", f"it left a kernel that does not answer: {error}") from error

    async def _answer(self, question: Question, *, called: bool) -> Answer:
        """Ask. :raises _Stop: there is no answer that is one."""
        execution = await self._asked(question, ANSWER_SECONDS)
        if not execution.ok or execution.truncated:
            cause = execution.truncated or _why(execution)
            raise _Stop(_ending_of(execution), f"it left a kernel that does not answer: {cause}")
        try:
            return read_answer([shown.text for shown in execution.displays], question.nonce, called=called)
        except AnswerError as error:
            raise _Stop("silent", f"it left a kernel that does not answer: {error}") from error

    async def _called(self, question: Question, seconds: float | None) -> Called:
        """Call a function, and return what came of it; no answer is an answer, too."""
        execution = await self._asked(question, seconds or ANSWER_SECONDS)
        if not execution.ok:
            return Called(end="unanswered", said=_said(execution))
        try:
            texts = [shown.text for shown in execution.displays]
            called = read_answer(texts, question.nonce, called=True).called
        except AnswerError as error:
            return Called(end="unanswered", said=f"when it was called, {error}")
        assert called  # noqa: S101 -- for mypy
        return replace(called, stdout=execution.stdout, is_cut=execution.truncated is not None)


def _ran(piece: Piece, execution: Execution) -> Ran:
    """Return what a cell did, as evidence."""
    shown = [output for output in execution.outputs if output.kind in ("display", "value")]
    error = execution.error
    return Ran(
        number=piece.number,
        tags=piece.tags,
        stdout=execution.stdout,
        stderr=execution.stderr,
        results=tuple(output.text for output in shown if output.text),
        pictures=tuple(data for output in shown if (data := output.bytes("image/png")) is not None),
        error=Error(error.name, error.message) if error else None,
        is_cut=execution.truncated is not None,
    )


def _ending_of(execution: Execution) -> str:
    return "silent" if execution.ok else execution.outcome


def _prelude(submission: Submission) -> str:
    """Return what has to be run before a submission; "" if nothing has to be."""

    def says(*words: str) -> bool:
        return any(word in piece.source for piece in submission.pieces for word in words)

    parts = [EXIT] * says("exit", "quit")
    if submission.is_script:
        parts += [PROGRAM] * says("arg", "asyncio") + [FILE] * says("__file__")
    return "\n".join(parts)


def told(error: Error, submission: Submission) -> str:
    """Return what an error is to its author, who knows a file by its name, and no frontends."""
    if error.name == "StdinNotImplementedError" or (error.name, error.text) == _NO_INPUT:
        return "it asked for input(), which nobody answers here"
    file = f"{submission.name}, " if submission.is_script else ""
    return f"it raised {_IN_A_CELL.sub(lambda found: f'({file}{found[1]})', str(error))}"


def _last_words(ran: Ran) -> str:
    """Return what a program has said that has ended itself, as `argparse` does: why."""
    lines = ran.stderr.strip().splitlines() if ran.error and ran.error.name == "SystemExit" else []
    return f": {lines[-1][:200]}" if lines else ""


def _said(execution: Execution) -> str:
    """Return why a function was not answered for, to who has handed it in."""
    return f"{_why(execution)}{', in an earlier call' if EARLIER in execution.cause else ''}"


def _why(execution: Execution) -> str:
    """Return the cause, without what is said to whoever chose a timeout, or could reset the sandbox."""
    cause = execution.cause.partition(f" {EARLIER}")[0]
    return cause.partition(f" {BOUND}")[0].rstrip(".")
