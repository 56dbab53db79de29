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
        "elif self.budget.charge(len(data)):",
        "elif self.budget.charge(0) or True:",
        _program("test_output_ends_at_its_budget"),
    ),
    Mutation(
        "program-answers-end",
        "An answer without an end ends the sandbox.",
        PROGRAM,
        "            if len(self._line) > MAX_LINE:\n",
        "            if not self._line:\n",
        _program("test_an_answer_without_an_end_ends_it"),
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
        "        if os.getpid() != own:",
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
