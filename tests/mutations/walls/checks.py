"""What a submission can do about its verdict: nothing that it is not entitled to."""

from tests.mutations.mutation import Mutation, within

_CHECKS = "sandbox_kernel/checks"
FIELDS = f"{_CHECKS}/fields.py"
GRADING = f"{_CHECKS}/grading.py"
INSIDE = f"{_CHECKS}/inside.py"
KINDS = f"{_CHECKS}/kinds"
MATCHING = f"{_CHECKS}/matching.py"
PICTURE = f"{_CHECKS}/picture.py"
QUESTIONS = f"{_CHECKS}/questions.py"
SUBMISSION = f"{_CHECKS}/submission.py"
VALUES = f"{_CHECKS}/values.py"
VERDICTS = f"{_CHECKS}/verdicts.py"


def _checks(file: str, *tests: str) -> tuple[str, ...]:
    return within(f"checks/{file}.py", *tests)


def _corpus(*submissions: str) -> tuple[str, ...]:
    return _checks("test_corpus", *(f"test_verdict[{submission}]" for submission in submissions))


MUTATIONS = (
    Mutation(
        "checks-who-does-not-end-fails",
        "A submission that died, or was stopped, passes no check, whatever it had printed by then.",
        GRADING,
        "            verdicts=verdicts or all_failed(suite, cause),\n",
        "            verdicts=verdicts or judge(\n"
        "                suite, Evidence((Ran(number=1, stdout='Hello, world!'),))\n"
        "            ),\n",
        _corpus("hello/exits_at_once.py", "hello/memory.py", "late/endless_loop.py"),
    ),
    Mutation(
        "checks-an-error-is-an-end",
        "Nor does one that raised an error which nobody asked for.",
        GRADING,
        "(execution.outcome is Outcome.ERROR and self._may_go_on(ran, submission)):\n",
        "execution.outcome is Outcome.ERROR:\n",
        _corpus("hello/error_after_it.py", "notebook/other_error.ipynb"),
    ),
    Mutation(
        "checks-the-end-is-real",
        "One that only says that it has come to its end is asked for a sign of life.",
        GRADING,
        "        variables = await self._variables()\n",
        "        asks = [one.condition.variable for one in self._suite.checks if one.condition.variable]\n"
        "        variables = await self._variables() if asks else {}\n",
        _corpus("hello/end_forged_and_exit.py", "hello/display_silenced.py"),
    ),
    Mutation(
        "checks-one-answer",
        "Two answers to one question are none.",
        QUESTIONS,
        "    if len(answers) != 1:\n",
        "    if not answers:\n",
        (
            *_checks("test_questions", "test_what_is_no_answer[2]"),
            *_corpus("hello/display_doubled.py", "variables/answers_by_a_thread.py"),
        ),
    ),
    Mutation(
        "checks-nonce",
        "An answer that was prepared beforehand answers nothing.",
        QUESTIONS,
        "    answers = [text for text in displayed if nonce in text]\n",
        "    answers = list(displayed)\n    nonce = _parsed(answers[0]).get('nonce') if answers else nonce\n",
        (
            *_checks("test_questions", "test_what_is_no_answer[1]"),
            *_corpus("variables/answer_prepared.py"),
        ),
    ),
    Mutation(
        "checks-types-by-identity",
        "A class that says it is `int` is none, and what it holds is not asked.",
        INSIDE,
        "        if describe := self._known.get(id(of)):\n",
        "        names = {one.__name__: self._known[id(one)] for one in (INT, FLOAT, STR, LIST, DICT)}\n"
        "        if describe := self._known.get(id(of)) or names.get(value.__class__.__name__):\n",
        _checks("test_values", "test_classes_that_lie"),
    ),
    Mutation(
        "checks-names-of-classes-are-claims",
        "A class of the submission's own is not taken for the library's that it is named after.",
        f"{KINDS}/variables.py",
        "    return wanted not in _BY_IDENTITY and wanted in (\n",
        "    return wanted in (\n",
        _corpus("frames/subclass.py", "variables/named_like_builtins.py"),
    ),
    Mutation(
        "checks-depth",
        "What is nested without end is described as that, and no memory is filled by it.",
        INSIDE,
        "        if not depth or length > self.nodes:\n            return [form, _shown(of), length, None]\n",
        "        if length > self.nodes:\n            return [form, _shown(of), length, None]\n",
        _checks("test_values", "test_nothing_is_endless"),
    ),
    Mutation(
        "checks-size-of-texts",
        "Nor is a gigabyte of text written into an answer.",
        INSIDE,
        "        if STR.__len__(text) > self.text:\n",
        "        if False:\n",
        _checks("test_values", "test_nothing_is_endless"),
    ),
    Mutation(
        "checks-answers-have-a-bottom",
        "An answer without a bottom is refused, and does not fill our stack.",
        VALUES,
        "        case [str(form), str(of), *held] if form in _READERS and depth:\n",
        "        case [str(form), str(of), *held] if form in _READERS:\n",
        _checks("test_values", "test_answers_without_a_bottom"),
    ),
    Mutation(
        "checks-numbers-are-numbers",
        "A number in an answer is one, and not so long that reading it takes for ever.",
        VALUES,
        "    if len(text) > MAX_DIGITS:\n        raise ValueError\n",
        "",
        _checks("test_values", "test_long_numbers"),
    ),
    Mutation(
        "checks-true-is-no-number",
        "True is not 1, as a value and as a key.",
        f"{_CHECKS}/comparing.py",
        '        case bool():\n            return "bool", key\n',
        "",
        _checks("test_values", "test_different"),
    ),
    Mutation(
        "checks-bare-notebooks",
        "Of a notebook's million outputs none is gone through by what takes its time.",
        f"{_CHECKS}/bare.py",
        'kept["outputs"] = []',
        "pass",
        _checks("test_submission", "test_what_is_left_of_it_is_a_notebook"),
    ),
    Mutation(
        "checks-cells-are-counted",
        "A notebook of a hundred thousand cells is refused before they are looked at.",
        f"{_CHECKS}/bare.py",
        "if room < 0:",
        "if False:",
        _checks("test_submission", "test_refusals"),
    ),
    Mutation(
        "checks-pieces-are-counted",
        "A notebook made of millions of lists is refused before it is parsed.",
        f"{_CHECKS}/bare.py",
        "> MOST_PIECES:",
        "> 10**9:",
        _checks("test_submission", "test_refusals"),
    ),
    Mutation(
        "checks-others-go-on",
        "Reading one submission does not hold the others up.",
        f"{_CHECKS}/grading.py",
        "await asyncio.to_thread(read_submission, path, policy.code)",
        "read_submission(path, policy.code)",
        _checks("test_submission", "test_others_are_graded_meanwhile"),
    ),
    Mutation(
        "checks-items-find-their-own",
        "An item that is as good as two is not kept from the one for which there is no other.",
        f"{_CHECKS}/comparing.py",
        "                asking.append(owners[item])\n",
        "",
        _checks("test_values", "test_items_in_any_order", "test_matching_is_as_good_as_trying_everything"),
    ),
    Mutation(
        "checks-sets-of-sets",
        "Sets of sets, which take pairs of pairs to compare, hold no grading up.",
        f"{_CHECKS}/comparing.py",
        "len(expected) * len(actual.content) * max([1, *map(_pairs_within, actual.content)])",
        "len(expected) * len(actual.content)",
        _checks("test_values", "test_sets_of_sets_are_bounded"),
    ),
    Mutation(
        "checks-cut-output",
        "Output that was cut passes for nothing.",
        f"{KINDS}/outputs.py",
        "        if any(cell.is_cut for cell in cells):\n",
        "        if False:\n",
        (
            *_checks(
                "test_verdicts",
                "test_verdict[kind: output, contains: a-evidence7-the output was too long, and cut]",
            ),
            *_corpus("hello/output_cut.py"),
        ),
    ),
    Mutation(
        "checks-linear-time",
        "A text that makes a pattern backtrack for years is matched at once.",
        MATCHING,
        "    import re2  # noqa: PLC0415 -- a library of its own, for those who have patterns\n",
        "    import re as re2\n    re2.Options = type('Options', (), {})\n"
        "    compile_ = re2._compile\n"
        "    re2.compile = lambda pattern, options: compile_(pattern, 0)\n",
        _checks("test_matching", "test_patterns_that_are_refused[(?=a)]"),
    ),
    Mutation(
        "checks-pictures-are-whole",
        "A signature and noise are no picture.",
        PICTURE,
        'zlib.crc32(name + part) != struct.unpack(">I", check)[0]',
        "False",
        _checks("test_picture", "test_what_is_none"),
    ),
    Mutation(
        "checks-pictures-have-an-end",
        "A small picture that unpacks to gigabytes is not unpacked.",
        PICTURE,
        "        while not unpacker.eof and length <= most:\n",
        "        while not unpacker.eof:\n",
        _checks("test_picture", "test_no_bomb_is_unpacked"),
    ),
    Mutation(
        "checks-links-are-not-followed",
        "A link that was handed in leads nowhere.",
        SUBMISSION,
        "        if path.is_symlink():\n",
        "        if False:\n",
        within("cli/test_check.py", "test_many"),
    ),
    Mutation(
        "checks-expected-is-hidden",
        "What was expected is told to nobody who may not know.",
        VERDICTS,
        "    if miss is not None and check.show_expected:\n",
        "    if miss is not None:\n",
        _checks("test_verdicts", "test_what_was_expected_is_told_on_request_only"),
    ),
    Mutation(
        "checks-unknown-keys",
        "A misspelt key of a check is refused, and not dropped.",
        FIELDS,
        'raise ChecksError(f"{place}: {_unknown(key, known)}")',
        "continue",
        _checks(
            "test_suite", "test_refusals[cheks: []-C: 'cheks' is not known here; did you mean 'checks'?]"
        ),
    ),
    Mutation(
        "checks-limits-are-the-same-everywhere",
        "Nobody's environment changes what a submission is allowed.",
        "sandbox_kernel/cli/checking.py",
        "    place = {name: value for name, value in environment.settings.items() if name in _PLACE}\n",
        "    place = dict(environment.settings)\n",
        within("cli/test_check.py", "test_limits_are_the_same_everywhere"),
    ),
    Mutation(
        "checks-a-bug-costs-one-result",
        "What cannot be judged because of a bug of ours takes no other submission's result with it.",
        GRADING,
        "    except Exception as error:  # noqa: BLE001",
        "    except SubmissionError as error:  # noqa: BLE001",
        _checks("test_corpus", "test_a_bug_of_ours_costs_one_result"),
    ),
    Mutation(
        "checks-expectations-that-all-meet",
        "A check that any output would pass is refused.",
        f"{KINDS}/outputs.py",
        "    if expectation.is_met_by_anything:\n",
        "    if expectation.is_met_by_anything and not expectation.matches and not expectation.contains:\n",
        _checks("test_suite", "test_refusals"),
    ),
    Mutation(
        "checks-nothing-is-not-null",
        "A key that nothing follows is refused: a function that returns nothing would be right.",
        f"{_CHECKS}/suite.py",
        " and not value.value and value.tag == _NULL:\n",
        " and value.value is None:\n",
        _checks("test_suite", "test_refusals"),
    ),
    Mutation(
        "checks-daemons-come-back",
        "A daemon that is restarted in mid-class costs a pause, and nobody a result whose turn it is.",
        f"{_CHECKS}/many.py",
        "pauses = AWAY if results else ()",
        "pauses = ()",
        _checks("test_containers", "test_a_daemon_that_is_restarted"),
    ),
    Mutation(
        "checks-tall-pictures",
        "A picture of millions of rows is not looked at, as that would take minutes.",
        PICTURE,
        "not 0 < height <= MAX_HEIGHT",
        "not 0 < height",
        _checks("test_picture", "test_what_is_none"),
    ),
)

SECTIONS = (("Checks of submissions", MUTATIONS),)
