"""The list of system calls, which all engines share."""

from tests.mutations.mutation import Mutation, within

LIST = "sandbox_kernel/host/engines/seccomp.json"
_PACKAGE = "sandbox_kernel.host.engines.bubblewrap.seccomp"
RULES = f"{_PACKAGE.replace('.', '/')}/rules.py"
COMPILE = f"{_PACKAGE}.compile"

_TESTS = "host/engines/bubblewrap/seccomp"


def _attack(name: str) -> tuple[str, ...]:
    return within("adversarial/test_syscalls.py", f"test_an_attack_is_refused_by_the_filter[{name}]")


def _allowed(name: str, protects: str, *calls: str, attack: str) -> Mutation:
    """Return a mutation that puts calls among those that signal a process."""
    words = ", ".join(f'"{call}"' for call in calls)
    old = '"pidfd_open", "pidfd_send_signal",'
    return Mutation(name, protects, LIST, old, f"{old} {words},", _attack(attack), then=COMPILE)


MUTATIONS = (
    _allowed(
        "filter-tracing",
        "No process is traced, which could freeze PID 1.",
        *("ptrace", "process_vm_readv", "process_vm_writev"),
        attack="ptrace",
    ),
    _allowed(
        "filter-keyrings",
        "The host's keyrings, which are in no namespace, are out of reach.",
        *("keyctl", "add_key", "request_key"),
        attack="keyctl",
    ),
    _allowed(
        "filter-io-uring",
        "io_uring, behind which no filter sees, is not there.",
        *("io_uring_setup", "io_uring_enter", "io_uring_register"),
        attack="io_uring_setup",
    ),
    _allowed(
        "filter-unshare",
        "No namespace is made or entered.",
        *("unshare", "setns"),
        attack="unshare",
    ),
    Mutation(
        "filter-clone",
        "Nor by starting a process in one.",
        LIST,
        '"value": 2114125824, "valueTwo": 0',
        '"value": 1845690368, "valueTwo": 0',
        _attack("clone a user namespace"),
        then=COMPILE,
    ),
    Mutation(
        "filter-terminals",
        "Nothing is typed into a terminal.",
        LIST,
        '"valueTwo": 21505, "op"',
        '"valueTwo": 21522, "op"',
        _attack("TIOCSTI"),
        then=COMPILE,
    ),
    Mutation(
        "filter-committed",
        "The compiled filter is the list's.",
        LIST,
        '"pidfd_open", "pidfd_send_signal",',
        '"pidfd_open", "pidfd_send_signal", "ptrace",',
        within(f"{_TESTS}/test_compile.py", "test_the_committed_filter_is_the_list_s[x86_64]"),
    ),
    Mutation(
        "filter-allows-by-default",
        "A list that allows what it does not name is refused.",
        RULES,
        'if document["defaultAction"] != ERRNO:',
        "if False:",
        within(f"{_TESTS}/test_rules.py", "test_what_is_not_understood_is_refused"),
    ),
    Mutation(
        "filter-conditions-not-understood",
        "A rule with conditions that are not understood is refused, not taken without them.",
        RULES,
        "    if unknown:\n        raise",
        "    if False:\n        raise",
        within(f"{_TESTS}/test_rules.py", "test_what_is_not_understood_is_refused"),
    ),
    Mutation(
        "filter-32-bit",
        "Calls in the way of 32-bit programs, whose numbers mean others, are not let in.",
        RULES,
        'if entry["subArchitectures"]:',
        "if False:",
        within(f"{_TESTS}/test_rules.py", "test_what_is_not_understood_is_refused"),
    ),
)

SECTIONS = (("The filter of system calls, for all engines", MUTATIONS),)
