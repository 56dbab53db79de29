"""The compiled filters do what the list says, and nothing else."""

import random
import subprocess
import sys
from collections import defaultdict

import pytest
from msgspec.structs import replace

from sandbox_kernel.host.engines.bubblewrap.seccomp import filter_path
from sandbox_kernel.host.engines.bubblewrap.seccomp.compile import LibSeccomp, compile_filter
from sandbox_kernel.host.engines.bubblewrap.seccomp.rules import Architecture
from tests.host.engines.bubblewrap.seccomp.filters import (
    ALLOW,
    EPERM,
    ERRNO,
    KILL_PROCESS,
    RULES,
    Program,
    says,
)

COMPILED_WITH = (2, 5, 4)
"""The libseccomp that wrote the committed filters; another may write other bytes that mean the same."""

# Values that some rule looks at, and their neighbours; each with a bit that the kernel drops, too.
EDGES = [
    *range(20),
    *(0x5400 + low for low in range(0x62)),
    *(1 << bit for bit in range(33)),
    *(c.value for rule in RULES.rules for c in rule.conditions),
    *(c.mask for rule in RULES.rules for c in rule.conditions),
    0o6755, 0o4644, 0o2644, 0o644, 0o100644, 0o104755, 0o60644, 0o20644, 0x80045430, (1 << 64) - 1,
]  # fmt: skip


@pytest.fixture(scope="module")
def lib():
    return LibSeccomp()


@pytest.fixture(scope="module", params=Architecture, ids=lambda arch: arch.machine)
def arch(request):
    return request.param


def committed(arch: Architecture) -> Program:
    return Program(filter_path(arch.machine).read_bytes(), arch)


def numbered(lib, arch):
    """Return the list's rules by the numbers of their calls."""
    rules = defaultdict(list)
    for rule in RULES.rules:
        rules[lib.resolve(rule.name, arch)].append(rule)
    return {number: found for number, found in rules.items() if number >= 0}


def test_the_committed_filter_is_the_list_s(lib, arch):
    """Run on every number with telling arguments, the program answers as the list says."""
    program, rules = committed(arch), numbered(lib, arch)
    pick = random.Random(20)
    for number in [*range(max(rules) + 20), 0x3FFFFFFF]:
        for _ in range(200):
            arguments = [pick.choice(EDGES) | pick.choice((0, 0, 0, 1 << 32)) for _ in range(6)]
            wanted = says(rules.get(number, ()), max(rules), number, arguments)
            assert program.run(number, arguments) == wanted, (number, [hex(a) for a in arguments])


def test_every_rule_is_reached(lib, arch):
    """Arguments that just meet a rule's conditions get its action."""
    program = committed(arch)
    for number, rules in numbered(lib, arch).items():
        for rule in rules:
            arguments = [0] * 6
            for condition in rule.conditions:
                arguments[condition.index] = condition.value
            assert program.run(number, arguments) == (ALLOW if rule.errno is None else ERRNO | rule.errno), (
                rule
            )


def test_recompiling_gives_the_committed_filter(lib, arch):
    """Compiled anew the list gives the same bytes, or with another libseccomp at least the same answers."""
    compiled = compile_filter(RULES, arch)
    if lib.version == COMPILED_WITH:
        assert compiled == filter_path(arch.machine).read_bytes(), (
            "run `python -m …bubblewrap.seccomp.compile`"
        )
    new, old, pick = Program(compiled, arch), committed(arch), random.Random(21)
    for number in range(448):  # later ones are not known to every libseccomp
        for _ in range(50):
            arguments = [pick.choice(EDGES) for _ in range(6)]
            assert new.run(number, arguments) == old.run(number, arguments), (number, arguments)


def test_the_documented_command_compiles_them_all(lib, tmp_path):
    """The command writes every filter, the same ones as those committed."""
    command = [sys.executable, "-m", "sandbox_kernel.host.engines.bubblewrap.seccomp.compile", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"{tmp_path}/x86_64.bpf" in done.stdout
    for arch in Architecture:
        written = (tmp_path / filter_path(arch.machine).name).read_bytes()
        assert written == compile_filter(RULES, arch)


@pytest.mark.parametrize("other", [0x40000003, 0x40000028, 0xC00000B7, 0xC000003E, 0])
def test_other_architectures_calls_end_the_process(arch, other):
    """A call in the way of another architecture is no call that the list could judge."""
    if other != arch.token:
        assert {committed(arch).run(number, arch=other) for number in range(500)} == {KILL_PROCESS}


def test_x32_calls_end_the_process():
    """x32 calls come as x86_64 with a bit set in the number, and mean other things."""
    program = committed(Architecture.X86_64)
    assert {program.run(0x40000000 | number) for number in range(600)} == {KILL_PROCESS}


def test_the_kernel_can_load_it(arch):
    """The kernel takes at most 4096 instructions."""
    assert len(committed(arch).instructions) < 4096


def test_a_missing_rule_shows_in_the_answers(lib, arch):
    """What the list does not name is refused, so the comparisons above can fail."""
    fewer = replace(RULES, rules=tuple(rule for rule in RULES.rules if rule.name != "getpid"))
    number = lib.resolve("getpid", arch)
    assert Program(compile_filter(fewer, arch), arch).run(number) == ERRNO | EPERM
    assert committed(arch).run(number) == ALLOW
