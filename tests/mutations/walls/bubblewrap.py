"""The wall of namespaces, mounts and filters."""

from tests.mutations.mutation import Mutation, within

_ENGINE = "sandbox_kernel/host/engines/bubblewrap"
BWRAP = f"{_ENGINE}/bwrap.py"
COMMAND = f"{_ENGINE}/command.py"
LAUNCH = f"{_ENGINE}/launch.py"
LAYOUT = f"{_ENGINE}/layout.py"
OPERATIONS = f"{_ENGINE}/operations.py"
SOURCES = f"{_ENGINE}/sources.py"
STAGE = f"{_ENGINE}/stage.py"
SYSTEM = f"{_ENGINE}/system.py"

_TESTS = "host/engines/bubblewrap"
_WALL = within(f"{_TESTS}/test_layout.py", "test_the_whole_wall")
_REAL = within(f"{_TESTS}/test_bwrap.py", "test_the_real_one")
_SPELLING = within(f"{_TESTS}/test_layout.py", "test_how_bubblewrap_spells_it")


def _alone(*tests: str) -> tuple[str, ...]:
    return within("adversarial/test_namespaces.py", *tests)


def _files(*tests: str) -> tuple[str, ...]:
    return within("adversarial/test_files.py", *tests)


_OWN = _alone("test_every_namespace_is_its_own")

NAMESPACES = (
    Mutation(
        "bubblewrap-user-namespace",
        "Code inside has no right outside, and can make no namespace in which it would have one.",
        BWRAP,
        'kinds = ["user", ',
        "kinds = [",
        (*_REAL, *_alone("test_no_namespace_in_the_namespace_without_the_filter")),
    ),
    Mutation(
        "bubblewrap-ipc-namespace",
        "Shared memory and message queues of other programs are out of reach.",
        BWRAP,
        '"ipc", "pid"',
        '"pid"',
        (*_REAL, *_OWN),
    ),
    Mutation(
        "bubblewrap-pid-namespace",
        "No process of the host is seen or signalled, and all inside end with the first.",
        BWRAP,
        '"ipc", "pid", "net"',
        '"ipc", "net"',
        (*_REAL, *_alone("test_other_processes_are_not_seen")),
    ),
    Mutation(
        "bubblewrap-network-namespace",
        "There is no network but a loopback interface of the sandbox's own.",
        BWRAP,
        '"net", "uts"',
        '"uts"',
        (*_REAL, *_alone("test_no_network_but_loopback")),
    ),
    Mutation(
        "bubblewrap-uts-namespace",
        "The machine's name is neither seen nor changed.",
        BWRAP,
        '"net", "uts", *(',
        '"net", *(',
        (*_REAL, *_OWN),
    ),
    Mutation(
        "bubblewrap-cgroup-namespace",
        "Control groups of the host are not seen by their place.",
        BWRAP,
        '*(["cgroup"] if cgroup else [])',
        "",
        _OWN,
    ),
    Mutation(
        "bubblewrap-no-nested-namespaces",
        "The kernel itself refuses user namespaces inside, should the filter ever let the call through.",
        BWRAP,
        '(["--disable-userns"] if nested else [])',
        "[]",
        _alone("test_no_namespace_in_the_namespace_without_the_filter"),
    ),
    Mutation(
        "bubblewrap-new-session",
        "There is no terminal of the user's into which commands could be typed.",
        BWRAP,
        '"--new-session", ',
        "",
        (*_REAL, *_alone("test_the_session_is_its_own")),
    ),
    Mutation(
        "bubblewrap-die-with-parent",
        "Nothing inside outlives the one process outside.",
        BWRAP,
        '"--die-with-parent", ',
        "",
        (*_REAL, *_alone("test_everything_dies_with_bubblewrap")),
    ),
    Mutation(
        "bubblewrap-drop-capabilities",
        "No capability is left in any set.",
        BWRAP,
        '"--cap-drop", "ALL", ',
        "",
        _REAL,
    ),
    Mutation(
        "bubblewrap-clear-environment",
        "What the way to bubblewrap puts into its environment does not go in.",
        BWRAP,
        ', "--clearenv"]',
        "]",
        _REAL,
    ),
    Mutation(
        "bubblewrap-filter",
        "The kernel refuses the system calls that no notebook needs.",
        COMMAND,
        'filters = ["--seccomp", str(seccomp)]',
        "filters: list[str] = []",
        (
            *_alone("test_the_filter_is_on", "test_no_namespace_in_the_namespace"),
            *within("adversarial/test_syscalls.py", "test_an_attack_is_refused_by_the_filter"),
        ),
    ),
    Mutation(
        "bubblewrap-inner-identity",
        "Whoever starts it, inside it is the ordinary user 1000.",
        COMMAND,
        '"--uid", str(UID), "--gid", str(UID), ',
        "",
        _files("test_bubblewrap_by_root_is_an_escape_and_ours_is_not_by_root"),
    ),
    Mutation(
        "bubblewrap-host-name",
        "The machine's name stays outside.",
        COMMAND,
        ', "--hostname", "sandbox"',
        "",
        _files("test_system_secrets_are_absent"),
    ),
    Mutation(
        "bubblewrap-isolated-guest",
        "PID 1 imports nothing that the environment or the notebook's folder plants.",
        COMMAND,
        'BARE: Final = ("-I", "-S", "-B")',
        'BARE: Final = ("-S", "-B")',
        within(f"{_TESTS}/test_engine.py", "test_the_guest_looks_for_no_packages"),
    ),
)

MOUNTS = (
    Mutation(
        "mounts-read-only-root",
        "Nothing can be written outside of the sized directories.",
        LAYOUT,
        'steps.append(ReadOnly("/"))',
        "pass",
        (*_WALL, *_files("test_nothing_else_can_be_written[mounts alone]")),
    ),
    Mutation(
        "mounts-size-of-tmp",
        "/tmp holds what the policy says, not the host's memory.",
        LAYOUT,
        "Tmpfs(TEMPORARY, policy.tmp,",
        "Tmpfs(TEMPORARY, 1 << 40,",
        (*_WALL, *_files("test_floods_end_at_their_size[/tmp]")),
    ),
    Mutation(
        "mounts-size-of-home",
        "So does the home directory.",
        LAYOUT,
        "Tmpfs(HOME, policy.tmp,",
        "Tmpfs(HOME, 1 << 40,",
        (*_WALL, *_files("test_floods_end_at_their_size[/home/sandbox]")),
    ),
    Mutation(
        "mounts-size-of-shared-memory",
        "So does /dev/shm.",
        SYSTEM,
        'Tmpfs("/dev/shm", shared_memory,',
        'Tmpfs("/dev/shm", 1 << 40,',
        (*_WALL, *_files("test_floods_end_at_their_size[/dev/shm]")),
    ),
    Mutation(
        "mounts-size-of-runtime",
        "The directory of the kernel's sockets holds a few megabytes.",
        LAYOUT,
        "RUNTIME_SIZE: Final = 4 << 20",
        "RUNTIME_SIZE: Final = 4 << 30",
        (*_WALL, *_files("test_the_runtime_directory_is_small")),
    ),
    Mutation(
        "mounts-size-is-said",
        "Bubblewrap is told the size of each directory in memory.",
        OPERATIONS,
        '"--size", str(self.size), "--tmpfs"',
        '"--tmpfs"',
        (*_SPELLING, *_files("test_floods_end_at_their_size[/tmp]")),
    ),
    Mutation(
        "mounts-read-only-binds",
        "What is shown of the host is shown read-only.",
        OPERATIONS,
        'return ["--bind" if step.writable else "--ro-bind", step.source',
        'return ["--bind", step.source',
        _SPELLING,
    ),
    Mutation(
        "mounts-read-only-grants-of-root",
        "A folder that is granted for reading cannot be changed (root's sandbox).",
        SOURCES,
        'return ["--bind" if step.writable else "--ro-bind", f"{staged}',
        'return ["--bind", f"{staged}',
        _files("test_a_read_only_workspace_cannot_be_changed"),
        needs_root=True,
    ),
    Mutation(
        "mounts-grant-as-granted",
        "A folder is writable only where the policy grants that.",
        LAYOUT,
        "Bind(grant.real, path, grant.writable, Origin.GRANT)",
        "Bind(grant.real, path, True, Origin.GRANT)",
        (*_WALL, *_files("test_a_read_only_workspace_cannot_be_changed")),
    ),
    Mutation(
        "mounts-read-only-proc",
        "Nothing of the kernel's is configured from inside: core_pattern, uid_map, oom_score_adj.",
        SYSTEM,
        '    yield ReadOnly("/proc")\n',
        "",
        (*_WALL, *_files("test_the_machine_cannot_be_told_anything[mounts alone]")),
    ),
    Mutation(
        "mounts-covered-proc-files",
        "What /proc tells about the whole machine is covered.",
        SYSTEM,
        '    yield from (Bind("/dev/null", path) for path in system.masked_files)\n',
        "",
        (*_WALL, *_files("test_what_proc_tells_of_the_machine_is_covered")),
    ),
    Mutation(
        "mounts-covered-proc-directories",
        "So are the directories of the machine's devices.",
        SYSTEM,
        "    yield from (Empty(path, directory=True) for path in system.masked_directories)\n",
        "",
        (*_WALL, *_files("test_what_proc_tells_of_the_machine_is_covered")),
    ),
    Mutation(
        "mounts-own-devices",
        "There are no devices but the harmless ones.",
        SYSTEM,
        '    yield Fresh("dev", "/dev")\n',
        '    yield Bind("/dev", "/dev")\n',
        (*_WALL, *_files("test_only_harmless_devices")),
    ),
    Mutation(
        "mounts-read-only-dev",
        "Nothing can be put among the devices.",
        SYSTEM,
        '    yield ReadOnly("/dev")\n',
        "",
        (*_WALL, *_files("test_nothing_else_can_be_written[mounts alone]")),
    ),
    Mutation(
        "mounts-settings-covered",
        "Tokens that an administrator keeps below /usr are not seen.",
        SYSTEM,
        "    yield from (Empty(path, directory=True) for path in system.settings)\n",
        "",
        (
            *within(f"{_TESTS}/test_layout.py", "test_settings_of_this_machine_are_covered"),
            *_files("test_settings_below_usr_are_absent"),
        ),
    ),
    Mutation(
        "mounts-synthetic-names",
        "Who else uses this machine, and what it talks to, is not told.",
        SYSTEM,
        "    yield from (File(path, content) for path, content in _NAMES.items())\n",
        "    yield from (Bind(path, path) for path in _NAMES if os.path.exists(path))\n",
        (
            *within(f"{_TESTS}/test_layout.py", "test_accounts_and_names_are_synthetic"),
            *_files("test_system_secrets_are_absent"),
        ),
    ),
    Mutation(
        "mounts-secrets-of-etc",
        "Of /etc only what is nobody's secret is shown.",
        SYSTEM,
        '    "services",\n',
        '    "services",\n    "machine-id",\n    "shadow",\n',
        _files("test_system_secrets_are_absent"),
    ),
    Mutation(
        "mounts-environment-read-only",
        "Code cannot change the Python that the host will run later.",
        LAYOUT,
        "Bind(real, path, False, Origin.ENVIRONMENT)",
        "Bind(real, path, True, Origin.ENVIRONMENT)",
        _WALL,
    ),
    Mutation(
        "mounts-environment-pinned",
        "Nor move the folder around it away, to put another in its place.",
        LAYOUT,
        "    binds += [Bind(pin.real, pin.path, True, Origin.GRANT) for pin in _pins(kept, granted)]\n",
        "",
        (
            *within(
                f"{_TESTS}/test_layout.py",
                "test_an_environment_below_a_writable_folder_stays_read_only_and_in_its_place",
            ),
            *_files("test_the_environment_in_a_writable_folder_cannot_be_poisoned"),
        ),
    ),
    Mutation(
        "mounts-environment-not-granted",
        "A Python environment, or a folder in one, is not granted for writing.",
        LAYOUT,
        "if grant.writable and around is not None:",
        "if False:",
        within(f"{_TESTS}/test_layout.py", "test_an_environment_cannot_be_granted_for_writing"),
    ),
    Mutation(
        "mounts-links-on-the-way",
        "A link on the way to Python that code could turn is refused.",
        LAYOUT,
        "if _innermost_is_writable(link.path, kept, granted):",
        "if False:",
        within(f"{_TESTS}/test_layout.py", "test_a_link_that_code_could_replace_is_refused"),
    ),
    Mutation(
        "mounts-prefix-is-no-home",
        "A Python whose prefix is a home does not have the home shown.",
        LAYOUT,
        "        _judge_environment(place.real, facts.homes)\n",
        "        pass\n",
        within(f"{_TESTS}/test_layout.py", "test_a_prefix_that_would_show_everything_is_refused"),
    ),
    Mutation(
        "mounts-passwords-covered",
        "Passwords of package indexes and tokens of Jupyter servers below a prefix are covered.",
        LAYOUT,
        "    steps += _covers(facts, kept=[step.target for step in shown if step.origin is "
        "Origin.ENVIRONMENT])\n",
        "",
        (
            *within(f"{_TESTS}/test_layout.py", "test_passwords_below_a_prefix_are_covered"),
            *_files("test_passwords_of_an_environment_are_not_read"),
        ),
    ),
    Mutation(
        "mounts-doors-covered",
        "Sockets and pipes of the host's programs in a granted folder lead nowhere.",
        LAYOUT,
        "    steps += _closed(facts.doors, shown)\n",
        "",
        (
            *within(f"{_TESTS}/test_layout.py", "test_doors_are_covered_wherever_they_are_seen"),
            *_files("test_programs_of_the_host_are_not_reached_through_the_workspace"),
        ),
    ),
    Mutation(
        "mounts-cover-cannot-be-opened",
        "A cover is an empty file that nobody may write.",
        OPERATIONS,
        '"--perms", "0444", "--ro-bind-data"',
        '"--perms", "0666", "--bind-data"',
        _SPELLING,
    ),
    Mutation(
        "mounts-cover-of-a-directory",
        "A cover of a directory is empty, tiny and read-only.",
        OPERATIONS,
        ', "--remount-ro", self.target]\n        return ["--perms"',
        ']\n        return ["--perms"',
        _SPELLING,
    ),
    Mutation(
        "mounts-own-code-read-only",
        "Code in a checkout of sandbox-kernel does not change the wall.",
        LAYOUT,
        "named | ours,",
        "named,",
        within(f"{_TESTS}/test_layout.py", "test_our_own_code_below_a_writable_folder_is_read_only"),
    ),
    Mutation(
        "mounts-swapped-directory",
        "A folder that is swapped for a link between look and mount is not mounted.",
        SOURCES,
        "if step.origin is not Origin.OURS and leads != step.source:",
        "if False:",
        within(
            f"{_TESTS}/test_sources.py",
            "test_a_directory_that_was_swapped_for_a_link_is_refused",
            "test_a_directory_around_that_was_swapped_is_refused",
        ),
    ),
    Mutation(
        "mounts-judged-descriptor",
        "What was judged is what is mounted.",
        SOURCES,
        "if step.origin is Origin.GRANT and step.source in self._judged:",
        "if False:",
        within(f"{_TESTS}/test_sources.py", "test_a_grant_is_bound_through_the_descriptor_it_was_judged_by"),
    ),
    Mutation(
        "mounts-only-grants-mapped",
        "Root's sandbox reads of an environment only what everybody may read.",
        SOURCES,
        "if granted else None",
        "",
        within(f"{_TESTS}/test_sources.py", "test_only_what_was_granted_is_mapped"),
        needs_root=True,
    ),
)

ROOT = (
    Mutation(
        "root-gives-up-its-user",
        "Bubblewrap is never run by root, which owns /proc/sys whatever it is called inside.",
        STAGE,
        "    os.setresuid(uid, uid, uid)\n",
        "",
        (
            *within(f"{_TESTS}/test_stage.py", "test_root_is_given_up"),
            *_files("test_root_is_given_up_before_bubblewrap_starts"),
        ),
        needs_root=True,
    ),
    Mutation(
        "root-gives-up-its-group",
        "Nor in root's group.",
        STAGE,
        "    os.setresgid(gid, gid, gid)\n",
        "",
        (
            *within(f"{_TESTS}/test_stage.py", "test_root_is_given_up"),
            *_files("test_root_is_given_up_before_bubblewrap_starts"),
        ),
        needs_root=True,
    ),
    Mutation(
        "root-gives-up-its-groups",
        "Nor in groups like docker or shadow.",
        STAGE,
        "    os.setgroups([])\n",
        "",
        within(f"{_TESTS}/test_stage.py", "test_the_groups_of_root_are_given_up"),
        needs_root=True,
    ),
    Mutation(
        "root-keeps-no-capability",
        "Where changing the user takes no capability, nothing starts.",
        STAGE,
        'if any(int(sets[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")):',
        "if False:",
        within(f"{_TESTS}/test_stage.py", "test_capabilities_that_are_left_stop_the_start"),
        needs_root=True,
    ),
    Mutation(
        "root-empty-environment",
        "Bubblewrap's own environment, which can be read inside as PID 1's, is empty.",
        LAUNCH,
        'pass_fds=inherited, env={}, cwd="/"',
        'pass_fds=inherited, cwd="/"',
        within(f"{_TESTS}/test_stage.py", "test_nothing_is_inherited_from_our_environment"),
    ),
    Mutation(
        "root-user-of-its-own",
        "Two sandboxes of root's are two users, who share no limit and signal each other never.",
        f"{_ENGINE}/identity.py",
        "FIRST + int(name[-8:], 16) % COUNT",
        "FIRST",
        within(f"{_TESTS}/test_identity.py", "test_root_becomes_somebody_of_its_own_for_each_sandbox"),
        needs_root=True,
    ),
    Mutation(
        "root-nothing-without-orders",
        "A host that dies before the limits hold has started nothing.",
        STAGE,
        "        if not more:\n            os._exit(1)\n",
        "        if not more:\n            break\n",
        within(f"{_TESTS}/test_stage.py", "test_no_orders_no_start"),
        needs_root=True,
    ),
)

_LANDLOCK = f"{_ENGINE}/landlock"
RULESET = f"{_LANDLOCK}/ruleset.py"


def _ruleset(*tests: str) -> tuple[str, ...]:
    return within(f"{_TESTS}/landlock/test_ruleset.py", *tests)


def _second(*tests: str) -> tuple[str, ...]:
    return within("adversarial/test_second_wall.py", *tests)


SECOND_WALL = (
    Mutation(
        "landlock-is-raised",
        "Where the kernel has Landlock, it stands behind the mounts.",
        f"{_ENGINE}/engine.py",
        "return inner if walls is None else within(",
        "return inner if walls else within(",
        _second(
            "test_a_descriptor_that_leaks_leads_nowhere[two walls]",
            "test_a_root_that_stayed_writable_is_not_written[two walls]",
            "test_no_mount_even_with_a_user_namespace[two walls]",
        ),
    ),
    Mutation(
        "landlock-restricts",
        "Nothing goes on before it stands.",
        f"{_LANDLOCK}/raise_wall.py",
        '    call(RESTRICT_SELF, "for this process", ruleset, 0)\n',
        "",
        (
            *within(f"{_TESTS}/landlock/test_raise_wall.py", "test_nothing_is_written_outside"),
            *_second("test_a_root_that_stayed_writable_is_not_written[two walls]"),
        ),
    ),
    Mutation(
        "landlock-or-nothing",
        "What cannot be raised stops the start.",
        f"{_LANDLOCK}/raise_wall.py",
        "        os._exit(1)\n",
        "        return 0\n",
        within(f"{_TESTS}/landlock/test_raise_wall.py", "test_what_cannot_be_raised_stops_the_start"),
    ),
    Mutation(
        "landlock-looking-only",
        "Nothing is written but below the directories in memory and what was granted.",
        RULESET,
        'rules = {"/": LOOK & files}',
        'rules = {"/": files}',
        (
            *_ruleset("test_what_is_allowed_where"),
            *_second("test_a_root_that_stayed_writable_is_not_written[two walls]"),
        ),
    ),
    Mutation(
        "landlock-no-devices",
        "No device files are made where files are.",
        RULESET,
        "everything = files & ~(MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV)",
        "everything = files",
        _ruleset("test_what_is_allowed_where"),
    ),
    Mutation(
        "landlock-others",
        "Nobody outside is signalled or reached by an abstract socket.",
        RULESET,
        "_SCOPES: Final = {6: ABSTRACT_SOCKETS | SIGNALS}",
        "_SCOPES: Final = {6: 0}",
        _ruleset("test_everything_that_an_abi_knows_is_forbidden"),
    ),
)

SECTIONS = (
    ("Bubblewrap: namespaces, identity, filter", NAMESPACES),
    ("Bubblewrap: what is seen and what can be written", MOUNTS),
    ("Bubblewrap: started by root", ROOT),
    ("Bubblewrap: the second wall, Landlock", SECOND_WALL),
)
