"""The audit log: what was run is written down, and nothing that runs can write into it."""

from tests.mutations.mutation import Mutation, within

_AUDIT = "sandbox_kernel/host/audit"
AUDIT = f"{_AUDIT}/audit.py"
LOG = f"{_AUDIT}/log.py"
RECORDS = f"{_AUDIT}/records.py"


def _audit(*tests: str) -> tuple[str, ...]:
    return within("host/audit/test_audit.py", *tests)


def _log(*tests: str) -> tuple[str, ...]:
    return within("host/audit/test_log.py", *tests)


MUTATIONS = (
    Mutation(
        "audit-one-line",
        "No text of a kernel's adds a line.",
        RECORDS,
        'text = " ".join(str(value).split())',
        "text = str(value)",
        _audit("test_lines_are_bounded"),
    ),
    Mutation(
        "audit-short-texts",
        "Nor makes one long.",
        RECORDS,
        'return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"',
        "return text",
        _audit("test_lines_are_bounded"),
    ),
    Mutation(
        "audit-short-lines",
        "No line is longer than its cap.",
        RECORDS,
        "    while len(text) > MAX_LINE:\n",
        "    while False:\n",
        _audit("test_lines_are_bounded"),
    ),
    Mutation(
        "audit-required",
        "Where the log is required, nothing runs that could not be written down.",
        AUDIT,
        '        if self.settings.mode == "required":\n            if not',
        "        if False:\n            if not",
        _audit("test_a_required_log_that_cannot_be_written"),
    ),
    Mutation(
        "audit-required-to-the-end",
        "A kernel whose cells can be written down no longer is ended.",
        AUDIT,
        '            self.on_failure(f"{sentence} The administrator requires it.")\n',
        "            pass\n",
        _audit("test_a_required_log_that_is_lost"),
    ),
    Mutation(
        "audit-owner-only",
        "Nobody else reads it.",
        LOG,
        "os.open(self.path, _FLAGS | os.O_CREAT, 0o600)",
        "os.open(self.path, _FLAGS | os.O_CREAT, 0o644)",
        _log("test_only_its_owner_reads_it"),
    ),
    Mutation(
        "audit-directory",
        "Nor finds it.",
        LOG,
        "mkdir(mode=0o700, parents=True, exist_ok=True)",
        "mkdir(mode=0o755, parents=True, exist_ok=True)",
        _log("test_only_its_owner_reads_it"),
    ),
    Mutation(
        "audit-traps",
        "It is not written to where others could write.",
        LOG,
        "            self._require_own(os.fstat(descriptor))\n",
        "            pass\n",
        _log("test_traps_are_not_written_to[shared file]", "test_traps_are_not_written_to[shared directory]"),
    ),
    Mutation(
        "audit-links",
        "Nor through a link.",
        LOG,
        "os.O_APPEND | os.O_NOFOLLOW |",
        "os.O_APPEND |",
        _log("test_traps_are_not_written_to[link]"),
    ),
    Mutation(
        "audit-size",
        "It does not fill the disk.",
        LOG,
        "if size and size + len(line) > self._full:",
        "if False:",
        _log("test_the_size_is_that_of_all_files"),
    ),
    Mutation(
        "audit-secrets",
        "Code that is kept is kept without the secrets in it.",
        AUDIT,
        "keep = self.hide if self.settings.code else None",
        "keep = str if self.settings.code else None",
        _audit("test_code_by_choice"),
    ),
    Mutation(
        "audit-hanging-disk",
        "A disk that hangs does not make the host hold what was to be written.",
        f"{_AUDIT}/writer.py",
        "            if self._pending + len(line) > MAX_PENDING:\n",
        "            if False:\n",
        _audit("test_a_disk_that_hangs"),
    ),
)

SECTIONS = (("The audit log", MUTATIONS),)
