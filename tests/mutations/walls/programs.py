"""What comes out of a process that is no kernel: bounded, and believed of what was asked only."""

from tests.mutations.mutation import Mutation, within

PROGRAM = "sandbox_kernel/host/program.py"
GRADING = "sandbox_kernel/checks/grading.py"


def _program(*tests: str) -> tuple[str, ...]:
    return within("host/test_program.py", *tests)


MUTATIONS = (
    Mutation(
        "program-output-is-charged",
        "What a program prints is charged to its budget, and dropped beyond.",
        PROGRAM,
        "elif self.budget.charge(len(data), overhead=0):",
        "elif self.budget.charge(0) or True:",
        _program("test_output_ends_at_its_budget"),
    ),
    Mutation(
        "program-answers-end",
        "Answers without an end end the sandbox.",
        PROGRAM,
        "        if self._answered > MAX_ANSWER:\n",
        "        if self._answered < 0:\n",
        _program("test_an_answer_without_an_end_ends_it", "test_a_piece_has_so_many_bytes_of_answers"),
    ),
    Mutation(
        "program-lines-are-bytes",
        "A right submission that prints line by line is not cut where one that prints at once is not.",
        PROGRAM,
        "elif self.budget.charge(len(data), overhead=0):",
        "elif self.budget.charge(len(data)):",
        _program("test_many_lines_are_as_much_as_their_bytes"),
    ),
    Mutation(
        "program-empty-lines",
        "A flood of empty answers does not take a processor outside.",
        PROGRAM,
        "            if line or self._greeted:\n",
        "            if line:\n",
        _program("test_empty_lines_are_no_answers"),
    ),
    Mutation(
        "program-answers-take-no-memory",
        "What an answer holds beside what is asked for is not made into objects.",
        PROGRAM,
        "_read_line: Final = Decoder(_Said).decode",
        "_read_line = lambda line: __import__('msgspec').convert(__import__('json').loads(line), _Said)",
        _program("test_what_nobody_asked_for_takes_no_memory"),
    ),
    Mutation(
        "program-texts-are-counted",
        "Texts that are dropped are counted as well, and at last too many.",
        PROGRAM,
        "piece is None or piece.texts == MAX_SHOWN",
        "piece is None or len(piece.shown) == MAX_SHOWN",
        _program("test_texts_for_which_there_is_no_room_count_as_well"),
    ),
    Mutation(
        "program-runs-once",
        "A submission that has been run does not get another try by saying that it was not.",
        PROGRAM,
        "compiled=compiled or piece.begun",
        "compiled=compiled",
        (
            *_program("test_what_has_begun_was_compiled"),
            *within("checks/test_plain.py", "test_who_was_run_is_not_run_once_more[while it runs]"),
        ),
    ),
    Mutation(
        "program-questions-are-python",
        "Nor by refusing the questions that follow.",
        GRADING,
        "        except NotPlainError as error:\n",
        "        except ZeroDivisionError as error:\n",
        within("checks/test_plain.py", "test_who_was_run_is_not_run_once_more[when it is asked]"),
    ),
    Mutation(
        "program-cancelled-ends",
        "The next call is not answered by what a cancelled one still does.",
        "sandbox_kernel/session/program.py",
        "        except asyncio.CancelledError:\n            self._program.kill()\n",
        "        except asyncio.CancelledError:\n",
        within("session/test_program.py", "test_nobody_gets_the_answer_to_a_cancelled_call"),
    ),
    Mutation(
        "program-cancelled-end",
        "An end that is cancelled leaves no directory behind.",
        "sandbox_kernel/session/kernel.py",
        "        finally:  # a cancelled end is an end nevertheless\n",
        "        except ZeroDivisionError:\n",
        within("session/test_program.py", "test_a_cancelled_end_is_an_end"),
    ),
    Mutation(
        "program-threads-are-not-the-function",
        "What a thread prints does not count as what a function prints that is called meanwhile.",
        GRADING,
        "(*KERNELS_OWN, *[THREADS] * calls)",
        "KERNELS_OWN",
        within("checks/test_plain.py", "test_who_needs_a_kernel"),
    ),
    Mutation(
        "program-deadlines-that-kill",
        "A program that does not outlive being interrupted has met its deadline, and not died by itself.",
        "sandbox_kernel/session/program.py",
        "cause = passed[0] if passed else death",
        "cause = death",
        within("session/test_program.py", "test_who_does_not_outlive_an_interrupt_has_met_its_deadline"),
    ),
    Mutation(
        "program-fork-does-not-show",
        "A function that is called and has forked is answered for once.",
        "sandbox_kernel/guest/program/_sandbox_runner.py",
        "    if os.getpid() == OWN:",
        "    if True:",
        within("guest/test_program.py", "test_forks_do_not_answer"),
    ),
    Mutation(
        "program-answers-come-last",
        "What was printed before an answer is there before it: a right submission does not lose its output.",
        "sandbox_kernel/guest/program/service.py",
        "        if answer:\n",
        "        if answer := answer or self._read(self._program.answers):\n",
        within("guest/test_program.py", "test_no_answer_overtakes_what_was_printed_before_it"),
    ),
    Mutation(
        "program-answers-are-asked-for",
        "Answers that nobody asked for are counted, and at last too many.",
        PROGRAM,
        '            self._refuse("the end of nothing")\n',
        "",
        _program("test_answers_that_nobody_asked_for_end_it_at_last"),
    ),
    Mutation(
        "program-code-limit",
        "Code that is longer than the policy allows is not sent.",
        PROGRAM,
        "        if size > self._policy.code:\n",
        "        if size < 0:\n",
        _program("test_code_has_a_limit"),
    ),
    Mutation(
        "program-secrets",
        "Secrets are masked in what a program prints.",
        PROGRAM,
        'stdout, stderr = (self._hide.text(said.decode(errors="replace")) for said',
        'stdout, stderr = (said.decode(errors="replace") for said',
        _program("test_secrets_are_masked"),
    ),
    Mutation(
        "program-fork-does-not-answer",
        "A fork of the code's own does not answer for the process that was asked.",
        "sandbox_kernel/guest/program/_sandbox_runner.py",
        "        if os.getpid() != OWN:",
        "        if False:",
        within("guest/test_program.py", "test_forks_do_not_answer"),
    ),
    Mutation(
        "program-only-what-needs-no-kernel",
        "Whoever is judged by what only a kernel shows gets one.",
        GRADING,
        "    if any(check.condition.needs_kernel for check in suite.checks):\n        return False\n",
        "",
        within("checks/test_plain.py", "test_who_needs_a_kernel"),
    ),
    Mutation(
        "pool-outrun",
        "Where launches outrun the pool, it takes no time from them.",
        "sandbox_kernel/host/pool.py",
        "return self.size > 0 and not outrun",
        "return self.size > 0",
        within("session/test_program.py", "test_a_pool_that_is_outrun_keeps_out"),
    ),
)

SECTIONS = (("Programs", MUTATIONS),)
