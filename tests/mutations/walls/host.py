"""Folders, addresses, deadlines and leftovers: the rest of what stands outside the wall."""

from tests.mutations.mutation import Mutation, within

_HOST = "sandbox_kernel/host"
DEADLINES = f"{_HOST}/deadlines.py"
DEATHS = f"{_HOST}/deaths.py"
DOORS = f"{_HOST}/engines/doors.py"
ENVIRONMENT = f"{_HOST}/environment.py"
FRONT = f"{_HOST}/front.py"
RUNTIME = f"{_HOST}/runtime.py"
GRANTS = f"{_HOST}/engines/grants.py"
INTERPRETER = f"{_HOST}/engines/interpreter.py"
REGISTRY = f"{_HOST}/registry.py"
SANDBOX = f"{_HOST}/sandbox.py"
TUNNEL = f"{_HOST}/tunnel.py"


def _grants(*tests: str) -> tuple[str, ...]:
    return within("host/engines/test_grants.py", *tests)


def _front(*tests: str) -> tuple[str, ...]:
    return within("host/test_front.py", *tests)


FOLDERS = (
    Mutation(
        "grants-homes",
        "A home, with keys and passwords in it, is not granted.",
        GRANTS,
        "        if is_within(home, path):\n",
        "        if False:\n",
        _grants("test_other_places_are_refused", "test_the_home_of_who_runs_this_is_refused"),
    ),
    Mutation(
        "grants-hidden",
        "Nor what is hidden in one.",
        GRANTS,
        "    if _is_hidden(path, kept):\n",
        "    if False:\n",
        _grants("test_other_places_are_refused"),
    ),
    Mutation(
        "grants-shared",
        "Nor a place that many programs share.",
        GRANTS,
        "    if path in SHARED:\n",
        "    if False:\n",
        _grants("test_other_places_are_refused"),
    ),
    Mutation(
        "grants-sockets",
        "Nor one where programs keep their sockets.",
        GRANTS,
        "    if path.startswith(SOCKETS) or _is_runtime(path):\n",
        "    if False:\n",
        _grants("test_other_places_are_refused", "test_runtime_directories_are_refused"),
    ),
    Mutation(
        "grants-system",
        "Nor the system's own.",
        GRANTS,
        "    if _is_system(path, kept):\n",
        "    if False:\n",
        _grants("test_other_places_are_refused", "test_a_link_to_a_forbidden_place_is_refused"),
    ),
    Mutation(
        "grants-where-links-lead",
        "A folder is judged by where it really is.",
        GRANTS,
        "        for place in dict.fromkeys((path, real)):\n",
        "        for place in (path,):\n",
        _grants("test_a_link_to_a_forbidden_place_is_refused"),
    ),
    Mutation(
        "grants-plain-files",
        "A socket or a device is no folder.",
        GRANTS,
        "    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):\n",
        "    if False:\n",
        _grants("test_missing_and_odd_files_are_refused"),
    ),
    Mutation(
        "grants-allowed-trees",
        "A link that was turned since the policy was read does not leave the administrator's trees.",
        GRANTS,
        "if path in mounts and not policy.may_mount(one.grant.real, writable=writable):",
        "if False:",
        _grants("test_a_mount_that_left_the_allowed_trees_since_it_was_judged_is_refused"),
    ),
    Mutation(
        "grants-links-that-code-could-turn",
        "What is reached through a link that code can change is not granted.",
        GRANTS,
        "        _judge_links(opened)\n",
        "",
        _grants("test_a_grant_through_a_link_that_code_could_turn_is_refused"),
    ),
    Mutation(
        "doors-walk",
        "Sockets and pipes in a granted folder are found.",
        DOORS,
        "for path in (*named, *_walk(grant.real, shown)) if is_below",
        "for path in named if is_below",
        within("host/engines/test_doors.py", "test_sockets_and_named_pipes_are_found"),
    ),
    Mutation(
        "doors-by-name",
        "However deep they are.",
        DOORS,
        "    named = list(_named_sockets())\n",
        "    named: list[str] = []\n",
        within("host/engines/test_doors.py", "test_a_socket_beyond_the_walk_is_found_by_its_name"),
    ),
    Mutation(
        "doors-too-many",
        "A folder with more of them than can be covered is refused.",
        DOORS,
        "        if len(reached) > MOST_DOORS:\n",
        "        if False:\n",
        within("host/engines/test_doors.py", "test_too_many_are_refused"),
    ),
    Mutation(
        "interpreter-landmark",
        "A pyvenv.cfg that lies does not have another folder shown.",
        INTERPRETER,
        "return next((place for place in places if _landmark(place)), None)",
        "return next(places, None)",
        within("host/engines/test_interpreter.py", "test_a_lying_environment_shows_nothing_else"),
    ),
    Mutation(
        "interpreter-private",
        "Passwords below a prefix are found, so that they can be covered.",
        INTERPRETER,
        "        private=tuple(_private(directories)),\n",
        "",
        within("host/engines/test_interpreter.py", "test_what_a_prefix_keeps_private"),
    ),
)

VARIABLES = (
    Mutation(
        "environment-from-nothing",
        "Nothing of the host's environment goes in unless it is named.",
        ENVIRONMENT,
        "environment = _base(launch.argv[0]) | OFFLINE | _threads(policy.cpus)",
        "environment = dict(host) | _base(launch.argv[0]) | OFFLINE | _threads(policy.cpus)",
        within("host/test_environment.py", "test_nothing_of_the_host_goes_in"),
    ),
    Mutation(
        "environment-notes-of-jupyter",
        "The kernel is not told of a parent that it would take for dead.",
        ENVIRONMENT,
        "if name not in NEVER}",
        "}",
        within("host/test_environment.py", "test_jupyters_own_notes_never_go_in"),
    ),
)

FRONTS = (
    Mutation(
        "front-private-directory",
        "Nobody else connects to a kernel's sockets.",
        FRONT,
        "            path.mkdir(mode=0o700)\n",
        "            path.mkdir(mode=0o755)\n",
        _front("test_the_directory_is_private_and_short"),
    ),
    Mutation(
        "front-base-of-others",
        "A directory that somebody else could have made is not used.",
        FRONT,
        "        if not is_private(base):\n",
        "        if False:\n",
        _front(
            "test_a_base_that_others_could_have_made_is_passed_over",
            "test_a_symlink_in_its_place_is_not_followed",
        ),
    ),
    Mutation(
        "front-links",
        "Nor is a link to one.",
        RUNTIME,
        "        status = path.lstat()\n",
        "        status = path.stat()\n",
        _front("test_a_symlink_in_its_place_is_not_followed"),
    ),
    Mutation(
        "front-own-key",
        "Each kernel has a key of its own.",
        FRONT,
        "        key = secrets.token_hex(32).encode()\n",
        '        key = b"sandbox-kernel"\n',
        _front("test_keys_differ"),
    ),
    Mutation(
        "front-no-key",
        "A connection file without a key, with which anybody could use the kernel, is not served.",
        FRONT,
        "        if not isinstance(key, str) or not key:\n",
        "        if not isinstance(key, str):\n",
        _front("test_a_connection_file_that_would_let_others_in_is_refused[no key]"),
    ),
    Mutation(
        "front-ports",
        "A port that there is not does not become another one.",
        FRONT,
        "if not isinstance(port, int) or not 0 < port < 1 << 16:",
        "if not isinstance(port, int):",
        _front("test_a_connection_file_that_would_let_others_in_is_refused[a port beyond all ports]"),
    ),
    Mutation(
        "front-encryption",
        "Who asks for encryption does not get a connection without.",
        FRONT,
        '        if info.get("curve_publickey"):\n',
        "        if False:\n",
        _front("test_a_connection_file_that_would_let_others_in_is_refused[encryption]"),
    ),
    Mutation(
        "front-signature-scheme",
        "Nor who asks for another signature.",
        FRONT,
        'if info.get("signature_scheme", "hmac-sha256") != "hmac-sha256":',
        "if False:",
        _front("test_a_connection_file_that_would_let_others_in_is_refused[another signature]"),
    ),
)

ENDS = (
    Mutation(
        "deadline-of-a-cell",
        "A cell ends at its deadline.",
        DEADLINES,
        "                self._cells[cell] = clock\n",
        "                pass\n",
        within("host/test_deadlines.py", "test_a_cell_is_interrupted_then_ended"),
    ),
    Mutation(
        "deadline-of-a-session",
        "A session ends at its deadline, however short its cells are.",
        DEADLINES,
        'self._session = self._clock("session_timeout", "this session", now)',
        "pass",
        within("host/test_deadlines.py", "test_many_short_cells_do_not_outlive_the_session"),
    ),
    Mutation(
        "deadline-of-idling",
        "A kernel that nobody uses ends.",
        DEADLINES,
        'self._idle = self._clock("idle_timeout", "a kernel that nobody uses", now, verdict=Verdict.END)',
        "pass",
        within("host/test_deadlines.py", "test_a_kernel_that_nobody_uses_ends"),
    ),
    Mutation(
        "deadline-swallowed",
        "Code that swallows the interrupt is ended.",
        DEADLINES,
        "        self.verdict = Verdict.END\n",
        "",
        within("host/test_deadlines.py", "test_a_cell_is_interrupted_then_ended"),
    ),
    Mutation(
        "death-is-not-believed",
        "What a kernel says about its end counts less than what was seen from outside.",
        DEATHS,
        '    if intent and intent.kind != "shutdown":\n        return intent.kind, intent.sentence\n',
        "",
        within("host/test_deaths.py", "test_each_end_has_its_cause"),
    ),
    Mutation(
        "guest-of-another-version",
        "A guest of another version is not spoken to.",
        TUNNEL,
        "if (message.wire_version, message.guest_version) != (WIRE_VERSION, __version__):",
        "if False:",
        within("host/test_sandbox.py", "test_a_guest_of_another_version_is_named"),
    ),
    Mutation(
        "log-is-bounded",
        "What a kernel's process writes does not fill the host's log.",
        f"{_HOST}/kernel_log.py",
        "        if self._told < MAX_LOG:\n            self._told",
        "        if True:\n            self._told",
        within("host/test_sandbox.py", "test_a_flood_in_the_kernels_log_ends"),
    ),
    Mutation(
        "log-in-pieces-is-bounded",
        "Nor what it writes a letter at a time, each of which is a line there.",
        f"{_HOST}/kernel_log.py",
        " + A_LINE",
        "",
        within("host/test_pool.py", "test_a_log_in_small_pieces_ends_as_well"),
    ),
    Mutation(
        "end-is-published",
        "Whoever waits for an end is told, also if clearing up fails.",
        SANDBOX,
        "            finally:  # whoever waits is told, whatever else fails\n"
        "                self._publish_end(death, failure)\n",
        "            except ZeroDivisionError:\n                raise\n"
        "            self._publish_end(death, failure)\n",
        within("host/test_sandbox.py", "test_the_end_is_published_even_if_clearing_fails"),
    ),
    Mutation(
        "registry-recycled-number",
        "`stop` never kills a process that has got a sandbox's number.",
        REGISTRY,
        "            if is_alive(entry.pid, entry.pid_start):\n",
        "            if True:\n",
        within("host/test_registry.py", "test_a_recycled_pid_is_not_killed"),
    ),
    Mutation(
        "registry-no-guess",
        "Nothing is stopped on a guess.",
        REGISTRY,
        "if len(found) != 1 or not identifier:",
        "if len(found) != 1:",
        within("host/test_registry.py", "test_an_unknown_id_is_one_sentence[]"),
    ),
    Mutation(
        "registry-living-owners",
        "A sweep takes nothing from a host that lives.",
        REGISTRY,
        "if has_lost_its_owner(path)]",
        "]",
        within("host/test_registry.py", "test_what_a_dead_host_left_is_swept"),
    ),
    Mutation(
        "janitor-clears",
        "A host that is killed leaves nothing.",
        f"{_HOST}/janitor_process.py",
        "    clear(watch(sys.stdin))\n",
        "    watch(sys.stdin)\n",
        within("host/test_janitor.py", "test_a_killed_host_leaves_nothing"),
    ),
    Mutation(
        "janitor-forgets",
        "What was cleared already is left alone.",
        f"{_HOST}/janitor_process.py",
        "            noted.pop(name, None)\n",
        "            pass\n",
        within("host/test_janitor.py", "test_what_was_forgotten_is_left_alone"),
    ),
    Mutation(
        "janitor-is-replaced",
        "A janitor that was killed is replaced.",
        f"{_HOST}/janitor.py",
        "if self._process and self._process.poll() is None:",
        "if self._process:",
        within("host/test_janitor.py", "test_a_janitor_that_was_killed_is_replaced"),
    ),
)

SECTIONS = (
    ("Which folders may be granted", FOLDERS),
    ("Which variables go in", VARIABLES),
    ("Where clients connect", FRONTS),
    ("Deadlines, ends and leftovers", ENDS),
)
