"""What a kernel is asked once the submission has run, and what counts as its answer.

A question is code. It names what is wanted and carries a number that nobody can know beforehand; the
answer is JSON with that number, displayed once while the question runs. No answer, two of them, one with
another number, or one that is not what was asked for: then nothing is known, and no check passes.
"""

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from sandbox_kernel.checks.evidence import Called
from sandbox_kernel.checks.kinds import Call
from sandbox_kernel.checks.literal import literal
from sandbox_kernel.checks.values import AnswerError, Value, read_value

MAX_ANSWER: Final = 1 << 20
"""Characters of an answer; what we send inside writes no more (see its NODES and TEXT)."""


@dataclass(frozen=True, slots=True)
class Question:
    """Code to run, and how its answer is known."""

    nonce: str
    code: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the kernel says."""

    variables: dict[str, Value]
    called: Called | None


def ask(variables: Iterable[str] = (), call: Call | None = None, *, kernel: bool = True) -> Question:
    """Return the question for variables' values and, after they are known, for what a call comes to.

    :param kernel: whether a kernel is asked; else it is a program.
    """
    nonce, names = secrets.token_hex(16), list(variables)
    if not names and call is None:
        return Question(nonce, _sign_of_life(nonce, kernel=kernel))
    request = {
        "nonce": nonce,
        "kernel": kernel,
        "variables": names,
        "call": call
        and {
            "function": call.function,
            "arguments": list(call.arguments),
            "keywords": dict(call.keywords),
        },
    }
    # A statement and attributes of a module: the submission may have given any name a meaning of its own.
    name, own = f"builtins_{nonce}", f"names_{nonce}"
    code = (
        f"import builtins as {name}\n"
        f"{own} = {{'__name__': 'checks', '__builtins__': {name}}}\n"
        f"{name}.exec({_inside()}, {own})\n"
        f"{own}['answer']({name}.globals(), {literal(request)})\n"
        f"del {name}, {own}"
    )
    return Question(nonce, code)


def _sign_of_life(nonce: str, *, kernel: bool) -> str:
    """Return what is asked where nothing has to be known: that the submission is really at its end."""
    shell, text = f"shell_{nonce}", json.dumps({"nonce": nonce, "variables": {}})
    if not kernel:
        return f"import _sandbox_runner as {shell}\n{shell}.show({text!r})\ndel {shell}"
    return (
        f"from IPython import get_ipython as {shell}\n"
        f"{shell}().display_pub.publish({{'text/plain': {text!r}}})\n"
        f"del {shell}"
    )


@cache
def _inside() -> str:
    return ascii(Path(__file__).with_name("inside.py").read_text("utf-8"))


def read_answer(displayed: Sequence[str], nonce: str, *, called: bool) -> Answer:
    """Return the answer among the texts that were displayed while the question ran.

    :param called: whether a call was asked for.
    :raises AnswerError: there is none, more than one, or one that is not what was asked for.
    """
    answers = [text for text in displayed if nonce in text]
    if len(answers) != 1:
        raise AnswerError("it gave no answer" if not answers else "it gave more than one answer")
    said = _parsed(answers[0])
    if said.get("nonce") != nonce or not isinstance(said.get("variables"), dict):
        raise AnswerError("it answered something else")
    variables = {str(name): read_value(node) for name, node in said["variables"].items()}
    return Answer(variables, _read_call(said.get("call")) if called else None)


def _parsed(text: str) -> dict[str, Any]:
    if len(text) > MAX_ANSWER:
        raise AnswerError("its answer is too long")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AnswerError("its answer is not JSON") from error
    if not isinstance(said, dict):
        raise AnswerError("it answered something else")
    return said


def _read_call(said: object) -> Called:
    match said:
        case {"function": "returned", "value": value}:
            return Called(end="returned", value=read_value(value))
        case {"function": "raised", "classes": [*classes], "said": str(words), "inside": bool(inside)}:
            names = tuple(name[:200] for name in classes[:20] if isinstance(name, str))
            return Called(end="raised", classes=names, said=words[:500], inside=inside)
        case {"function": "missing"}:
            return Called(end="missing")
        case {"function": "not callable"}:
            return Called(end="not callable")
    raise AnswerError("it says nothing of the call")
