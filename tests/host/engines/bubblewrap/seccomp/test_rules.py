"""The list is read strictly: what is misread is a hole."""

import json

import pytest

from sandbox_kernel.host.engines.bubblewrap.seccomp import POLICY
from sandbox_kernel.host.engines.bubblewrap.seccomp.rules import Condition, Rule, parse
from tests.host.engines.bubblewrap.seccomp.filters import RULES


def document(**changes):
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []}],
        "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}],
        **changes,
    }


def entry(**changes):
    return document(syscalls=[{"names": ["socket"], "action": "SCMP_ACT_ALLOW", **changes}])


def argument(**changes):
    return {"index": 0, "value": 0xFFFFFFFF, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ", **changes}


def test_a_rule_is_read_with_its_conditions():
    """In Docker's format `value` is the mask and `valueTwo` what the masked argument must be."""
    rules = parse(json.dumps(entry(args=[argument()]))).rules
    assert rules == (Rule("socket", None, (Condition(0, 0xFFFFFFFF, 2),)),)


REFUSED = {
    "a list that allows by default": document(defaultAction="SCMP_ACT_ALLOW"),
    "a key that is not understood": document(listenerPath="/x"),
    "32-bit calls": document(
        archMap=[{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}]
    ),
    "conditions on capabilities": entry(includes={"caps": ["CAP_SYS_ADMIN"]}),
    "comparing 64 bits where the kernel looks at 32": entry(args=[argument(op="SCMP_CMP_NE")]),
    "one argument twice, which runtimes read as either": entry(args=[argument(), argument(valueTwo=3)]),
    "an error without its number": entry(action="SCMP_ACT_ERRNO"),
    "a number without an error": entry(errnoRet=5),
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_is_not_understood_is_refused(text):
    """Nothing in a list is silently ignored."""
    with pytest.raises(ValueError):
        parse(json.dumps(text))


def test_an_unknown_action_is_refused():
    """A misspelt action is an error, not an allowance."""
    with pytest.raises(ValueError, match="SCMP_ACT_ALOW"):
        parse(json.dumps(entry(action="SCMP_ACT_ALOW")))


def test_no_call_is_both_allowed_outright_and_looked_at():
    """A rule without conditions would make the ones with conditions pointless."""
    outright = {rule.name for rule in RULES.rules if not rule.conditions}
    looked_at = {rule.name for rule in RULES.rules if rule.conditions}
    assert outright & looked_at == set()


def test_every_entry_says_why():
    """Each entry of the list has a comment, except the bits that one comment covers together."""
    entries = json.loads(POLICY.read_text())["syscalls"]
    assert [
        entry["names"]
        for entry in entries
        if "comment" not in entry and entry["names"] not in (["ioctl"], ["setsockopt"])
    ] == []
