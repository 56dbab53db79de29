"""Sandboxes of programs: values that come out, and what is asked for."""

from tests.mutations.mutation import Mutation, within

_SESSION = "sandbox_kernel/session"
SUSPICION = f"{_SESSION}/suspicion.py"


def _values(*tests: str) -> tuple[str, ...]:
    return within("session/test_values.py", *tests)


MUTATIONS = (
    Mutation(
        "session-pace",
        "A kernel that drags out each of its answers does not keep its caller for an hour.",
        f"{_SESSION}/crossing.py",
        "        if monotonic() > until:\n",
        "        if False:\n",
        within("session/test_crossing.py", "test_a_kernel_that_drags_its_answers_out"),
    ),
    Mutation(
        "session-brackets",
        "A text of brackets does not become gigabytes of lists.",
        SUSPICION,
        'if data.count(b"[") + data.count(b"{") > MAX_BRACKETS:',
        "if False:",
        _values("test_hostile_json[many lists]"),
    ),
    Mutation(
        "session-depth",
        "Nobody runs out of stack with a value that came out.",
        SUSPICION,
        "        values.refuse_unlike_json(value)\n",
        "",
        _values("test_hostile_json[deep]", "test_hostile_json[deep lists]"),
    ),
    Mutation(
        "session-array-of-objects",
        "No array is unpickled.",
        SUSPICION,
        "    if dtype.hasobject:\n",
        "    if False:\n",
        _values("test_hostile_arrays[5]"),
    ),
    Mutation(
        "session-array-as-large-as-it-says",
        "A header does not reserve memory that its array has not sent.",
        SUSPICION,
        "or dtype.itemsize * count != len(data) - file.tell():",
        "or False:",
        _values("test_hostile_arrays[0]", "test_hostile_arrays[3]"),
    ),
    Mutation(
        "session-array-of-nothing",
        "Nor does an array whose elements have no size.",
        SUSPICION,
        "    if not dtype.itemsize and count > len(data):\n",
        "    if False:\n",
        _values("test_hostile_arrays[4]"),
    ),
    Mutation(
        "session-array-impossible",
        "An array that numpy refuses is refused in a sentence.",
        SUSPICION,
        "    except (ValueError, TypeError, OverflowError) as error:  # a dim",
        "    except ZeroDivisionError as error:  # a dim",
        _values("test_hostile_arrays[endless]", "test_hostile_arrays[true]", "test_hostile_arrays[subarray]"),
    ),
    Mutation(
        "session-table-same-bytes",
        "A thousand columns are not made of one's bytes.",
        SUSPICION,
        "            if _claimed(message) > size:\n",
        "            if False:\n",
        _values("test_columns_made_of_the_same_bytes"),
    ),
    Mutation(
        "session-frame-objects",
        "A frame's bits do not become gigabytes of dicts.",
        SUSPICION,
        "    if unfolded(pa, table) > max(MAX_UNFOLDED, MAX_GROWTH * len(data)):\n",
        "    if False:\n",
        _values("test_bits_that_become_objects[dicts]", "test_bits_that_become_objects[arrays]"),
    ),
    Mutation(
        "session-frame-copies",
        "A long text is not copied for each byte that names it.",
        f"{_SESSION}/unfolding.py",
        "rows * (int(array.dictionary.nbytes) + values)",
        "rows * values",
        _values("test_bits_that_become_objects[copies]"),
    ),
    Mutation(
        "session-unowned",
        "A sandbox that nobody has any more when it has started is ended.",
        f"{_SESSION}/session.py",
        "            if not self.wanted():",
        "            if False:",
        within("session/test_processes.py", "test_forgotten_before_it_began"),
    ),
    Mutation(
        "session-places",
        "An update of what was shown ten thousand times does not keep all sandboxes waiting.",
        f"{_SESSION}/recorder.py",
        "deque(maxlen=MAX_PLACES)",
        "deque()",
        within("session/test_recorder.py", "test_an_update_changes_so_many_places"),
    ),
    Mutation(
        "session-size-of-names",
        "What is long in its name or type alone counts as long.",
        f"{_SESSION}/recorder.py",
        '    return len(output.display_id or "") + sum(',
        "    return sum(",
        within("session/test_recorder.py", "test_what_is_large_elsewhere_is_not_kept[large1]"),
    ),
    Mutation(
        "session-table-compressed",
        "A table does not unfold to more than it is.",
        SUSPICION,
        "            if _is_compressed(message):\n",
        "            if False:\n",
        _values("test_hostile_tables[arrow-3]", "test_hostile_tables[frame-4]"),
    ),
    Mutation(
        "session-table-extensions",
        "No code is looked up for a name in a table.",
        SUSPICION,
        '    if b"ARROW:extension" in message.metadata.to_pybytes():\n',
        "    if False:\n",
        _values("test_hostile_tables[arrow-10]"),
    ),
    Mutation(
        "session-table-types",
        "A column takes room for each of its rows.",
        SUSPICION,
        "        elif not _is_plain(pa, kind):\n",
        "        elif False:\n",
        _values("test_hostile_tables[arrow-5]", "test_hostile_tables[arrow-7]"),
    ),
    Mutation(
        "session-table-offsets",
        "A table's offsets point into it.",
        SUSPICION,
        "        table.validate(full=True)\n",
        "",
        _values("test_hostile_tables[arrow-0]", "test_hostile_tables[arrow-1]"),
    ),
    Mutation(
        "session-table-columns",
        "A table has columns that can be counted.",
        SUSPICION,
        "        if seen > MAX_COLUMNS:\n",
        "        if False:\n",
        _values("test_hostile_tables[arrow-11]"),
    ),
    Mutation(
        "session-nothing-shared",
        "No directory is inside unless its caller has named it.",
        f"{_SESSION}/settings.py",
        '        settings["workspace"] = "none"\n',
        "",
        within("session/test_settings.py", "test_nothing_is_shared_unless_it_is_named"),
    ),
    Mutation(
        "session-stays-in-a-container",
        "A sandbox that is in a container is not somewhere else after a reset, for want of a daemon.",
        f"{_SESSION}/session.py",
        'in ("docker", "podman"):',
        "in ():",
        within("session/test_container.py", "test_another_engine_is_another_python"),
    ),
    Mutation(
        "session-losses-told",
        "A model hears that its variables are gone, also when no fresh sandbox was to be had at once.",
        "sandbox_kernel/mcp/desk.py",
        "                self._untold = why\n",
        "                pass\n",
        within("mcp/test_container.py", "test_a_loss_is_told_once_it_is_made_good"),
    ),
    Mutation(
        "session-outputs-kept",
        "What a result holds has an end.",
        f"{_SESSION}/recorder.py",
        "        fits = self._held + size <= self._limit\n",
        "        fits = True\n",
        within("session/test_recorder.py", "test_an_update_cannot_grow_beyond_the_limit"),
    ),
)

SECTIONS = (("Sandboxes of programs", MUTATIONS),)
