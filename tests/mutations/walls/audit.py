"""The audit log: what was run is written down, and nothing that runs can write into it."""

from tests.mutations.mutation import Mutation, within

_AUDIT = "sandbox_kernel/host/audit"
_PROVISIONER = "provisioner/sandbox_provisioner"
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
        "fits = self._pending + len(line) <= MAX_PENDING",
        "fits = True",
        _audit("test_a_disk_that_hangs", "test_a_disk_that_hangs_is_told_of"),
    ),
    Mutation(
        "audit-cut-line",
        "A line that a full disk has cut spoils no other.",
        LOG,
        '                line = b"\\n" + line\n',
        "                pass\n",
        _log("test_a_full_disk_cuts_one_line_and_no_other"),
    ),
    Mutation(
        "audit-appended",
        "Many processes write at once, and no line is lost.",
        LOG,
        "os.O_RDWR | os.O_APPEND |",
        "os.O_RDWR |",
        _log("test_many_processes_at_once"),
    ),
    Mutation(
        "audit-code-by-choice",
        "Code is kept by choice only.",
        AUDIT,
        "keep = self.hide if self.settings.code else None",
        "keep = self.hide",
        _audit("test_a_session"),
    ),
    Mutation(
        "audit-told-of",
        "A log that cannot be written is told of.",
        AUDIT,
        "        self._warn(sentence)\n",
        "",
        _audit("test_a_log_that_cannot_be_written_is_no_reason_to_fail"),
    ),
    Mutation(
        "audit-kernelspecs",
        "A kernelspec has no say in what is written down.",
        f"{_PROVISIONER}/settings.py",
        "{*MAXIMA_NAMES, *AUDIT_NAMES}",
        "{*MAXIMA_NAMES}",
        within("provisioner/test_audit.py", "test_kernelspecs_have_no_say[setting0]"),
    ),
    Mutation(
        "audit-kernelspecs-as-traits",
        "Nor where it is taken for the framework's configuration.",
        f"{_PROVISIONER}/provisioner.py",
        'or name in {*AUDIT_NAMES, "warm", "template"}:',
        'or name in {"warm", "template"}:',
        within("provisioner/test_audit.py", "test_kernelspecs_have_no_say[setting0]"),
    ),
)

SECTIONS = (("The audit log", MUTATIONS),)
