"""How refusals name what they refuse: the field, where it was written, the nearest known name.

A source is either prose ("kernelspec sandboxed-python") or a pattern that spells a field the
way that source does: "c.SandboxProvisioner.{field}", "SANDBOX_KERNEL_{FIELD}", "--{option}".
The pattern is filled in by plain replacement: kernelspecs are other people's text.
"""

from collections.abc import Iterable
from difflib import get_close_matches

from sandbox_kernel.errors import PolicyError

_LONGEST = 80
"""Characters of a stranger's text that a message repeats."""


_ONE_OF = {"mounts": "mount", "secrets": "secret"}
"""Fields that options give one by one."""


def spelled(source: str, field: str) -> str:
    """Return a field's name as its source spells it: SANDBOX_KERNEL_MEMORY, "memory" in kernelspec x."""
    option = _ONE_OF.get(field, field).replace("_", "-")
    forms = {"{field}": field, "{FIELD}": field.upper(), "{option}": option}
    for pattern, form in forms.items():
        if pattern in source:
            return source.replace(pattern, form)
    return f'"{field}" in {source}'


def quoted(value: object) -> str:
    """Return a value as it was written, cut to a readable length."""
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"  # Python refuses to write very long ones out
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def quoted_for(field: str, value: object) -> str:
    """Return a field's value as it was written, unless it may hold a secret itself by mistake."""
    return "what is written there, not repeated here," if field == "secrets" else quoted(value)


def refuse_unknown(names: Iterable[object], known: Iterable[str], source: str) -> None:
    """Refuse the first name that is not known, with the nearest one that is.

    :raises PolicyError: there is such a name.
    """
    known = tuple(known)
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise PolicyError(_unknown(str(name)[:_LONGEST], known, source))


def _unknown(name: str, known: tuple[str, ...], source: str) -> str:
    lowered = {word.lower(): word for word in known}
    meant = name.lower().removesuffix("limit").rstrip("_-")  # some options are called --output-limit
    near = [lowered[word] for word in get_close_matches(meant, lowered, n=1, cutoff=0.5)]
    spelling = spelled(source, near[0]) if near and "{" in source else "".join(f'"{word}"' for word in near)
    advice = f"did you mean {spelling}?" if near else f"there are: {', '.join(known)}."
    return f"{spelled(source, name)} is not a setting of a sandbox; {advice}"
