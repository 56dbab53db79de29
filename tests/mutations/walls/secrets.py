"""Secrets: in the hands of the code, and nowhere else."""

from tests.mutations.mutation import Mutation, within

_SECRETS = "sandbox_kernel/host/secrets"
FORMS = f"{_SECRETS}/forms.py"
GRANTED = f"{_SECRETS}/granted.py"
MASKS = f"{_SECRETS}/masks.py"
MAXIMA = "sandbox_kernel/policy/maxima.py"
READING = "sandbox_kernel/host/reading.py"


def _guarded(*tests: str) -> tuple[str, ...]:
    return within("host/secrets/test_guarded.py", *tests)


def _granted(*tests: str) -> tuple[str, ...]:
    return within("host/secrets/test_granted.py", *tests)


def _masks(*tests: str) -> tuple[str, ...]:
    return within("host/secrets/test_masks.py", *tests)


MUTATIONS = (
    Mutation(
        "secrets-masked",
        "No output of a cell shows a known secret.",
        MASKS,
        "return self._pattern.sub(lambda match: _mask(match[0], self._names), text)",
        "return text",
        _guarded("test_what_is_published", "test_replies_and_questions", "test_written_as_escapes"),
    ),
    Mutation(
        "secrets-in-two-messages",
        "Nor does one that comes in two halves.",
        READING,
        'self._tails[content["name"]].feed(content["text"])',
        'masks.text(content["text"])',
        _guarded("test_over_the_edge_of_two_messages"),
    ),
    Mutation(
        "secrets-in-metadata",
        "Nor does the metadata of one.",
        READING,
        "                raw = raw._replace(metadata=json_bytes(self._masks.json(notes)))\n",
        "",
        _guarded("test_metadata_and_buffers"),
    ),
    Mutation(
        "secrets-in-headers",
        "Nor does the header of one.",
        READING,
        "            header = self._masks.json(header)\n",
        "",
        _guarded("test_what_readers_pass_over"),
    ),
    Mutation(
        "secrets-in-addresses",
        "Nor its address.",
        READING,
        "tuple(bytes(self._masks.buffer(part)) for part in raw.identities)",
        "raw.identities",
        _guarded("test_what_readers_pass_over"),
    ),
    Mutation(
        "secrets-twice",
        "Nor a value that another of the same name stands for.",
        READING,
        "content_bytes if shaped == content and not self._masks else",
        "content_bytes if shaped == content else",
        _guarded("test_what_readers_pass_over"),
    ),
    Mutation(
        "secrets-in-buffers",
        "Nor do binary parts.",
        READING,
        "                raw = raw._replace(buffers=tuple(map(self._masks.buffer, raw.buffers)))\n",
        "",
        _guarded("test_metadata_and_buffers"),
    ),
    Mutation(
        "secrets-in-keys",
        "Nor do the names of JSON's fields.",
        MASKS,
        "pairs = [(self.text(key), self.json(item)) for key, item in value.items()]",
        "pairs = [(key, self.json(item)) for key, item in value.items()]",
        _masks("test_json_is_searched_everywhere"),
    ),
    Mutation(
        "secrets-in-base64",
        "Nor does what base64 makes of them, as an HTTP header has it.",
        FORMS,
        "    for encoded in _base64(data):\n",
        "    for encoded in ():\n",
        (*_guarded("test_base64_of_a_header"), *_masks("test_spellings")),
    ),
    Mutation(
        "secrets-not-through-links",
        "A cell cannot leave a link that gives the next kernel any file of the host as its secret.",
        GRANTED,
        "            _refuse_writable(secret, policy, directory)\n",
        "            pass\n",
        _granted("test_no_file_that_code_may_replace"),
    ),
    Mutation(
        "secrets-from-plain-files",
        "A pipe is not waited for.",
        GRANTED,
        "content = file.read(MAX_SECRET + 1) if regular else None",
        "content = file.read(MAX_SECRET + 1)",
        _granted("test_what_is_not_there"),
    ),
    Mutation(
        "secrets-size",
        "A secret is as large as one can be.",
        GRANTED,
        "    if len(content) > MAX_SECRET:\n",
        "    if False:\n",
        _granted("test_what_cannot_be_passed_in"),
    ),
    Mutation(
        "secrets-not-shown",
        "What a traceback prints of them has names only.",
        GRANTED,
        "{', '.join(self.values()) or 'none'}",
        "{self.values()}",
        _granted("test_nothing_shows_a_value"),
    ),
    Mutation(
        "secrets-bound-by-maxima",
        "A secret is no way round what an administrator lets in.",
        MAXIMA,
        "            return all(map(self._allows_secret, map(split_secret, value)))\n",
        "            return True\n",
        within("test_policy.py", "test_secrets_within_bounds"),
    ),
    Mutation(
        "secrets-in-the-log",
        "The kernel's log, which is the host's, does not show one.",
        "sandbox_kernel/host/kernel_log.py",
        "self._pass_on(self._end.feed(text) if self._end else text)",
        "self._pass_on(text)",
        within("adversarial/test_secrets.py", "test_the_kernels_log_does_not_show_one[bubblewrap]"),
    ),
)

SECTIONS = (("Secrets", MUTATIONS),)
