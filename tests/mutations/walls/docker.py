"""The wall of a container, and what is asked of its daemon."""

from tests.mutations.mutation import Mutation, within

_ENGINE = "sandbox_kernel/host/engines/docker"
ENGINE = f"{_ENGINE}/engine.py"
GRANTS = f"{_ENGINE}/grants.py"
LEFTOVERS = f"{_ENGINE}/leftovers.py"
SETTINGS = f"{_ENGINE}/settings.py"
STREAM = f"{_ENGINE}/stream.py"

_TESTS = "host/engines/docker"


def _table(*fields: str) -> tuple[str, ...]:
    """Return the tests of fields of the host's part of the settings."""
    return within(
        f"{_TESTS}/test_settings.py",
        *(f"test_walls_of_the_host_do_not_depend_on_the_policy[{field}]" for field in fields),
    )


def _body(*fields: str) -> tuple[str, ...]:
    return within(
        f"{_TESTS}/test_settings.py",
        *(f"test_walls_do_not_depend_on_the_policy[{field}]" for field in fields),
    )


def _settings(*tests: str) -> tuple[str, ...]:
    return within(f"{_TESTS}/test_settings.py", *tests)


def _grants(*tests: str) -> tuple[str, ...]:
    return within(f"{_TESTS}/test_grants.py", *tests)


def _hostile(*tests: str) -> tuple[str, ...]:
    return within(f"{_TESTS}/test_hostile.py", *tests)


_SEEN = within(f"{_TESTS}/test_engine.py", "test_the_container_is_what_the_policy_says[docker]")
_INSIDE = within(f"{_TESTS}/test_engine.py", "test_limits_are_in_force_inside[docker-default]")
_IMAGE = within(f"{_TESTS}/test_engine.py", "test_an_image_cannot_say_how_it_is_run[docker]")

SETTINGS_OF_A_CONTAINER = (
    Mutation(
        "docker-network",
        "There is no network but a loopback interface.",
        SETTINGS,
        '"NetworkMode": "none",',
        '"NetworkMode": "default",',
        (*_table("NetworkMode"), *_SEEN),
    ),
    Mutation(
        "docker-network-disabled",
        "Also where a daemon's own default is another.",
        SETTINGS,
        '        "NetworkDisabled": True,\n',
        "",
        _body("NetworkDisabled"),
    ),
    Mutation(
        "docker-read-only-root",
        "Nothing can be written outside of the sized directories.",
        SETTINGS,
        '"ReadonlyRootfs": True,',
        '"ReadonlyRootfs": False,',
        (*_table("ReadonlyRootfs"), *_SEEN),
    ),
    Mutation(
        "docker-capabilities",
        "No capability is left.",
        SETTINGS,
        '"CapDrop": ["ALL"],',
        '"CapDrop": [],',
        (*_table("CapDrop"), *_SEEN),
    ),
    Mutation(
        "docker-privileged",
        "The container is an ordinary one.",
        SETTINGS,
        '"Privileged": False,',
        '"Privileged": True,',
        (*_table("Privileged"), *_SEEN),
    ),
    Mutation(
        "docker-no-new-privileges",
        "Programs with a set-id bit give nobody anything.",
        SETTINGS,
        '["no-new-privileges", f"seccomp={seccomp}"]',
        '[f"seccomp={seccomp}"]',
        (*_table("SecurityOpt"), *_SEEN),
    ),
    Mutation(
        "docker-filter",
        "The list of system calls is ours.",
        SETTINGS,
        ', f"seccomp={seccomp}"]',
        "]",
        (*_table("SecurityOpt"), *_SEEN),
    ),
    Mutation(
        "docker-memory",
        "All processes together have the policy's memory.",
        SETTINGS,
        '        "Memory": policy.memory,\n        "MemorySwap": policy.memory,\n',
        "",
        (*_settings("test_each_limit_reaches_its_field"), *_SEEN, *_INSIDE),
    ),
    Mutation(
        "docker-swap",
        "And do not swap instead.",
        SETTINGS,
        '"MemorySwap": policy.memory,',
        '"MemorySwap": -1,',
        (*_settings("test_each_limit_reaches_its_field"), *_SEEN),
    ),
    Mutation(
        "docker-processes",
        "All together have the policy's number of processes and threads.",
        SETTINGS,
        '        "PidsLimit": host_pids(policy, facts),\n',
        "",
        (*_settings("test_each_limit_reaches_its_field"), *_SEEN, *_INSIDE),
    ),
    Mutation(
        "docker-processors",
        "All together have the policy's processor time.",
        SETTINGS,
        '        "NanoCpus": round(min(policy.cpus, facts.processors or policy.cpus) * 1e9),\n',
        "",
        (*_settings("test_each_limit_reaches_its_field"), *_SEEN, *_INSIDE),
    ),
    Mutation(
        "docker-shared-memory",
        "/dev/shm holds what the policy says.",
        SETTINGS,
        '"ShmSize": policy.tmp,',
        '"ShmSize": 1 << 40,',
        (*_settings("test_each_limit_reaches_its_field"), *_SEEN, *_INSIDE),
    ),
    Mutation(
        "docker-user",
        "Nobody inside is root.",
        SETTINGS,
        '"User": f"{granted.uid}:{granted.gid}",',
        '"User": "0:0",',
        (*_body("User"), *_SEEN, *_INSIDE),
    ),
    Mutation(
        "docker-ipc",
        "Shared memory of the host and of other containers is out of reach.",
        SETTINGS,
        '"IpcMode": "private",',
        '"IpcMode": "shareable",',
        (*_table("IpcMode"), *_SEEN),
    ),
    Mutation(
        "docker-control-groups",
        "The host's control groups are not seen.",
        SETTINGS,
        '"CgroupnsMode": "private",',
        '"CgroupnsMode": "host",',
        _table("CgroupnsMode"),
    ),
    Mutation(
        "docker-log",
        "What is printed does not end on the host's disk.",
        SETTINGS,
        '"LogConfig": {"Type": "none", "Config": {}},',
        '"LogConfig": {"Type": "json-file", "Config": {}},',
        (*_table("LogConfig"), *_SEEN),
    ),
    Mutation(
        "docker-auto-remove",
        "Nothing is left of a container that has ended.",
        SETTINGS,
        '"AutoRemove": True,',
        '"AutoRemove": False,',
        (*_table("AutoRemove"), *_SEEN),
    ),
    Mutation(
        "docker-end-of-input",
        "When the host goes, however it goes, the guest's input ends and with it the container.",
        SETTINGS,
        '"StdinOnce": True,',
        '"StdinOnce": False,',
        (*_body("StdinOnce"), *_SEEN),
    ),
    Mutation(
        "docker-open-files",
        "Each process has the policy's number of open files.",
        SETTINGS,
        '    yield "nofile", policy.files\n',
        "",
        (*_settings("test_limits_of_each_process"), *_SEEN),
    ),
    Mutation(
        "docker-core-files",
        "No core files, which the host's own program would be given.",
        SETTINGS,
        '    yield "core", 0\n',
        "",
        (*_settings("test_limits_of_each_process"), *_SEEN),
    ),
    Mutation(
        "docker-uncounted-memory",
        "Message queues, which no control group counts, hold next to nothing.",
        SETTINGS,
        '    yield "msgqueue", MESSAGE_QUEUES\n',
        "",
        _settings("test_limits_of_each_process"),
    ),
    Mutation(
        "docker-size-of-directories",
        "Directories in memory have a size.",
        SETTINGS,
        'f"{flags},size={size},mode={mode:o}"',
        'f"{flags},mode={mode:o}"',
        (*_settings("test_directories_in_memory"), *_INSIDE),
    ),
    Mutation(
        "docker-files-of-directories",
        "And a number of files: empty ones take memory, too.",
        SETTINGS,
        'f"{options},nr_inodes={size // PER_FILE}"',
        "options",
        _settings("test_directories_in_memory"),
    ),
    Mutation(
        "docker-no-programs-in-strict",
        "With the strict profile what is written cannot be run.",
        SETTINGS,
        'run = "noexec" if policy.profile == "strict" else "exec"',
        'run = "exec"',
        _settings("test_directories_in_memory"),
    ),
    Mutation(
        "docker-no-devices",
        "Directories in memory hold neither devices nor set-id programs.",
        SETTINGS,
        'kept = f"rw,nosuid,nodev,{run},{own}"',
        'kept = f"rw,{run},{own}"',
        _settings("test_directories_in_memory"),
    ),
    Mutation(
        "docker-volumes-of-an-image",
        "A volume that an image declares is not on the daemon's disk.",
        SETTINGS,
        "for volume in image.volumes}",
        "for volume in ()}",
        (*_settings("test_what_an_image_declares_is_overruled"), *_IMAGE),
    ),
    Mutation(
        "docker-environment-of-an-image",
        "PID 1 is not given what an image sets: LD_PRELOAD, PYTHONPATH.",
        SETTINGS,
        "for name in sorted(taken)",
        "for name in ()",
        (*_settings("test_what_an_image_declares_is_overruled"), *_IMAGE),
    ),
    Mutation(
        "docker-entry-point-of-an-image",
        "What runs is ours, whatever an image declares.",
        SETTINGS,
        '"Entrypoint": list(run.command),\n        "Cmd": [],',
        '"Cmd": list(run.command),',
        (*_body("Entrypoint", "Cmd"), *_IMAGE),
    ),
    Mutation(
        "docker-health-check-of-an-image",
        "An image's health check does not run beside the guest.",
        SETTINGS,
        '        "Healthcheck": {"Test": ["NONE"]},\n',
        "",
        _body("Healthcheck"),
    ),
    Mutation(
        "docker-grants-as-granted",
        "A folder is writable only where the policy grants that.",
        SETTINGS,
        '"ReadOnly": not bind.writable,',
        '"ReadOnly": False,',
        (*_settings("test_grants_are_mounted_alone"), *_SEEN),
    ),
    Mutation(
        "docker-grants-alone",
        "What is mounted below a granted folder, which would be writable, does not come along.",
        SETTINGS,
        '"NonRecursive": True',
        '"NonRecursive": False',
        _settings("test_grants_are_mounted_alone"),
    ),
    Mutation(
        "docker-name-servers",
        "The host's name servers are not told.",
        SETTINGS,
        'config |= {"Dns": ["127.0.0.1"], "DnsSearch": ["."]}',
        "pass",
        _table("Dns"),
    ),
    Mutation(
        "docker-podman-names",
        "Podman's copies of the host's names are masked.",
        SETTINGS,
        """config["SecurityOpt"] += [f"mask={':'.join(HOST_NAMES)}"]""",
        "pass",
        _hostile("test_podman_s_copies_of_the_host_s_names_are_masked"),
    ),
    Mutation(
        "docker-gvisor-processes",
        "gVisor's own processes on the host are bounded, too.",
        SETTINGS,
        "return min(GVISOR_SHARE * policy.pids + GVISOR_OWN, MOST_PIDS)",
        "return 0",
        _settings("test_gvisor_s_own_processes_are_bounded_too"),
    ),
)

GRANTED = (
    Mutation(
        "docker-daemon-socket",
        "The daemon's own socket, with which the whole machine could be had, is never granted.",
        GRANTS,
        "if socket and is_within(socket, path):",
        "if False:",
        _grants("test_the_daemons_socket_is_never_given"),
    ),
    Mutation(
        "docker-place-of-the-guest",
        "A grant does not replace the guest.",
        GRANTS,
        "if is_within(path, PLACE) or is_within(PLACE, path):",
        "if False:",
        _grants("test_where_images_keep_the_guest_nothing_is_mounted"),
    ),
    Mutation(
        "docker-elsewhere",
        "On another machine a path means another folder: nothing of it is granted.",
        GRANTS,
        "    if not facts.local:\n",
        "    if False:\n",
        _grants("test_elsewhere_nothing_is_there"),
    ),
    Mutation(
        "docker-doors",
        "Sockets and pipes of the host's programs lead nowhere.",
        GRANTS,
        "else _closed(grants)",
        "else ()",
        (
            *_grants("test_other_sockets_are_covered"),
            *within(f"{_TESTS}/test_engine.py", "test_a_socket_in_the_folder_leads_nowhere[docker]"),
        ),
    ),
    Mutation(
        "docker-environments-kept",
        "Code cannot change the Python that the host will run later.",
        GRANTS,
        "*_kept(grants, _environments(launch))]",
        "]",
        (
            *_grants("test_the_hosts_python_cannot_be_replaced"),
            *within(f"{_TESTS}/test_engine.py", "test_the_hosts_python_cannot_be_replaced[docker]"),
        ),
    ),
    Mutation(
        "docker-environments-not-granted",
        "A folder in a Python environment is not granted for writing.",
        GRANTS,
        "            if is_within(each.real, place):\n",
        "            if False:\n",
        _grants("test_a_folder_in_the_hosts_python_is_not_writable"),
    ),
    Mutation(
        "docker-podman-options",
        "The name of a folder is no mount option to Podman.",
        GRANTS,
        "        if facts.podman:\n            _require_plain(binds)\n",
        "",
        _hostile(
            "test_a_folder_s_name_is_no_mount_option", "test_neither_is_that_of_a_pipe_that_code_has_left"
        ),
    ),
    Mutation(
        "docker-mounted-as-judged",
        "A folder that is exchanged for a link on its way into the container is no grant.",
        f"{_ENGINE}/mounted.py",
        "if not any((mount.device, mount.path) in meant for mount in here[-1:] or inside):",
        "if False:",
        _hostile("test_a_folder_exchanged_for_a_link_is_no_grant"),
    ),
    Mutation(
        "docker-spelling-of-a-volume",
        "No spelling of a volume puts it on the disk.",
        f"{_ENGINE}/facts.py",
        """os.path.normpath(f"/{path.lstrip('/')}")""",
        "path",
        _hostile("test_no_spelling_of_a_volume_puts_it_on_the_disk"),
    ),
)

DAEMON = (
    Mutation(
        "docker-warnings",
        "A daemon that would run without a limit gets no container.",
        ENGINE,
        "    if warnings:\n        raise LimitUnenforceableError",
        "    if False:\n        raise LimitUnenforceableError",
        within(f"{_TESTS}/test_engine.py", "test_warnings_are_refusals"),
    ),
    Mutation(
        "docker-required-limits",
        "Nor one that says that it cannot keep one.",
        f"{_ENGINE}/report.py",
        "if not getattr(facts, name):",
        "if False:",
        within(f"{_TESTS}/test_report.py", "test_a_daemon_that_would_run_without_a_limit_is_refused"),
    ),
    Mutation(
        "docker-unknown-runtime",
        "Who asks for gVisor does not get another runtime.",
        f"{_ENGINE}/report.py",
        "if policy.runtime and not facts.has_runtime(policy.runtime):",
        "if False:",
        within(f"{_TESTS}/test_report.py", "test_an_unknown_runtime_is_refused"),
    ),
    Mutation(
        "docker-misleading-labels",
        "An image does not say how its containers end.",
        ENGINE,
        "    if image.misleading:\n",
        "    if False:\n",
        within(f"{_TESTS}/test_engine.py", "test_an_image_cannot_speak_for_its_containers_end[docker]"),
    ),
    Mutation(
        "docker-header",
        "A stream that is read wrongly once is not read on.",
        STREAM,
        "if self._stream not in {STDOUT, STDERR} or any(header[1:4]) or self._left > MAX_PIECE:",
        "if False:",
        within(f"{_TESTS}/test_stream.py", "test_what_is_no_header_is_refused"),
    ),
    Mutation(
        "docker-environment",
        "Nothing of the host's environment comes in but what is named.",
        f"{_ENGINE}/kernel.py",
        "environment = {**image.environment, **own, **path}",
        "environment = {**os.environ, **image.environment, **own, **path}",
        within(f"{_TESTS}/test_kernel.py", "test_nothing_of_the_hosts_environment_comes_in"),
    ),
    Mutation(
        "docker-guest-of-this-version",
        "An image's own guest is run only if it is this one.",
        f"{_ENGINE}/guest.py",
        "    if carried == label():\n",
        "    if carried:\n",
        within(f"{_TESTS}/test_guest.py", "test_any_other_image_is_sent_the_guest"),
    ),
    Mutation(
        "docker-guest-cut-off",
        "A host that goes away in the middle leaves no guest.",
        f"{_ENGINE}/guest.py",
        "        if not piece: os._exit(0)\n",
        "        if not piece: break\n",
        within(f"{_TESTS}/test_guest.py", "test_an_archive_that_is_cut_off_starts_nothing"),
    ),
    Mutation(
        "docker-sweep-other-machines",
        "A sweep removes no container of another machine's.",
        LEFTOVERS,
        "    if found.get(MACHINE) != _machine():\n        return False\n",
        "",
        within(f"{_TESTS}/test_leftovers.py", "test_what_cannot_be_known_is_left_alone"),
    ),
    Mutation(
        "docker-sweep-recycled-numbers",
        "A process that has got an owner's number is not its owner.",
        LEFTOVERS,
        "not is_alive(int(pid), int(started))",
        "not Path(f'/proc/{pid}').exists()",
        within(f"{_TESTS}/test_leftovers.py", "test_a_recycled_number_is_no_owner"),
    ),
    Mutation(
        "docker-removal-seen",
        "A container that was ordered away stays noted until it is seen to be gone.",
        LEFTOVERS,
        "    return daemon.inspect(container) is None\n",
        "    return True\n",
        within(
            f"{_TESTS}/test_leftovers.py",
            "test_a_removal_that_has_begun_and_fails_is_tried_again",
            "test_a_sweep_reports_what_it_saw_gone",
        ),
    ),
    Mutation(
        "docker-removal-pursued",
        "What a daemon that was away has left is removed when it is back, without another launch.",
        LEFTOVERS,
        "                thread.start()\n",
        "                pass\n",
        within(f"{_TESTS}/test_leftovers.py", "test_a_daemon_that_comes_back_is_asked_again"),
    ),
    Mutation(
        "docker-lost-answer",
        "A container whose making nobody heard of is removed.",
        ENGINE,
        "        leftovers.UNDONE.note(daemon.address, identifier)\n",
        "",
        _hostile("test_a_container_whose_making_nobody_heard_of_is_removed[docker]"),
    ),
)

SECTIONS = (
    ("Containers: settings", SETTINGS_OF_A_CONTAINER),
    ("Containers: what is granted", GRANTED),
    ("Containers: the daemon and its images", DAEMON),
)
