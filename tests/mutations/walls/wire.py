"""The byte stream, of which the other end is hostile."""

from tests.mutations.mutation import Mutation, within

DECODER = "sandbox_kernel/wire/decoder.py"
SUPERVISION = "sandbox_kernel/wire/supervision.py"


def _case(*names: str) -> tuple[str, ...]:
    test = "test_every_case_means_the_same_however_the_bytes_are_cut"
    return within("wire/test_decoder.py", *(f"{test}[{name}-whole]" for name in names))


def _decoder(*tests: str) -> tuple[str, ...]:
    return within("wire/test_decoder.py", *tests)


def _unfit(*names: str) -> tuple[str, ...]:
    test = "test_what_does_not_fit_is_refused"
    return within("wire/test_supervision.py", *(f"{test}[{name}]" for name in names))


MUTATIONS = (
    Mutation(
        "wire-chunk-length",
        "A chunk is as long as a control message may have to wait for.",
        DECODER,
        "        if length > CHUNK_BYTES:\n",
        "        if False:\n",
        _case("too long a chunk"),
    ),
    Mutation(
        "wire-channels",
        "There are no channels but those that there are.",
        DECODER,
        "        if number >= len(_CHANNELS):\n",
        "        if False:\n",
        _case("no such channel"),
    ),
    Mutation(
        "wire-flags",
        "A flag that is not known is no flag.",
        DECODER,
        "        if flags not in {0, MORE, NOTICE}:\n",
        "        if False:\n",
        _case("unknown flags"),
    ),
    Mutation(
        "wire-continuation",
        "A message goes on as it was announced.",
        DECODER,
        "        if flags == NOTICE or not length or not complete:\n",
        "        if flags == NOTICE:\n",
        _case("continuation too short"),
    ),
    Mutation(
        "wire-opening",
        "An opening fits into the chunk that carries it.",
        DECODER,
        "        if not count or opening > length:\n",
        "        if not count:\n",
        _case("two million parts"),
    ),
    Mutation(
        "wire-announced-length",
        "A message is as long as its parts are said to be.",
        DECODER,
        "        if not (body < total if more else body == total):\n",
        "        if False:\n",
        _case("body too short"),
    ),
    Mutation(
        "wire-largest-message",
        "What is longer than the cap is never held.",
        DECODER,
        "return total <= cap and count <= self._max_parts",
        "return count <= self._max_parts",
        (
            *_case("too large"),
            *_decoder("test_an_oversized_message_is_told_at_once_and_never_held"),
        ),
    ),
    Mutation(
        "wire-largest-message-in-pieces",
        "Nor is it passed on in pieces.",
        DECODER,
        "channel in self._piecewise and not skipped",
        "channel in self._piecewise",
        within("wire/test_pieces.py", "test_what_is_too_long_is_not_passed_on"),
    ),
    Mutation(
        "wire-most-parts",
        "Nor what has more parts than the cap.",
        DECODER,
        "return total <= cap and count <= self._max_parts",
        "return total <= cap",
        _case("too many parts"),
    ),
    Mutation(
        "wire-supervision-is-short",
        "What is said about the kernel is short, whatever kernels may send.",
        DECODER,
        "            cap = min(cap, MAX_SUPERVISION_BYTES)\n",
        "            pass\n",
        _decoder("test_supervision_has_a_cap_of_its_own"),
    ),
    Mutation(
        "wire-one-long-message",
        "A guest makes us hold one long message, not one for each channel.",
        DECODER,
        "if incoming.exclusive and any(each and each.exclusive for each in self._incoming):",
        "if False:",
        _case("two exclusive messages at once"),
    ),
    Mutation(
        "wire-a-fault-is-final",
        "Nothing is read after a fault.",
        DECODER,
        "        if self._failure:\n            raise RemoteProtocolError(self._failure)\n        try:",
        "        try:",
        _decoder("test_a_fault_is_final"),
    ),
    Mutation(
        "wire-exact-fields",
        "A message of the supervisor's has exactly its fields.",
        SUPERVISION,
        "    if content.keys() != checks.keys():\n",
        "    if not content.keys() >= checks.keys():\n",
        _unfit("an unknown field"),
    ),
    Mutation(
        "wire-supervision-size",
        "And a bounded size.",
        SUPERVISION,
        "if len(parts) != 1 or len(parts[0]) > MAX_SUPERVISION_BYTES:",
        "if len(parts) != 1:",
        _unfit("too long"),
    ),
    Mutation(
        "wire-whole-numbers",
        "true is no number.",
        SUPERVISION,
        "if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:",
        "if not isinstance(value, int) or not low <= value <= high:",
        _unfit("true for a version"),
    ),
    Mutation(
        "wire-bounded-numbers",
        "A number is one that there can be.",
        SUPERVISION,
        "if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:",
        "if not isinstance(value, int) or isinstance(value, bool):",
        _unfit("signal 65", "a status that no process has", "memory beyond all bounds"),
    ),
    Mutation(
        "wire-log-length",
        "A piece of the log is short.",
        SUPERVISION,
        "        if not isinstance(value, str) or len(value) > longest:\n",
        "        if not isinstance(value, str):\n",
        _unfit("a log too long"),
    ),
    Mutation(
        "wire-log-is-text",
        "Half a character in the log does not break who writes it down.",
        SUPERVISION,
        "            value.encode()\n",
        "            pass\n",
        _unfit("a log with half a character"),
    ),
    Mutation(
        "wire-deep-json",
        "Nesting does not end the host in a RecursionError.",
        SUPERVISION,
        "    except (ValueError, RecursionError) as error:\n",
        "    except ValueError as error:\n",
        _unfit("deep nesting"),
    ),
    Mutation(
        "wire-possible-times",
        "A time is finite and not negative.",
        SUPERVISION,
        "    if not 0 <= value <= MAX_NUMBER or not isfinite(value):\n",
        "    if False:\n",
        _unfit("a negative time", "an infinite time", "no time at all"),
    ),
)

SECTIONS = (("The byte stream", MUTATIONS),)
