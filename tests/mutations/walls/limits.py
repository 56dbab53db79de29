"""What keeps memory, processors and processes of bubblewrap's sandboxes within the policy."""

from tests.mutations.mutation import Mutation, within

_LIMITS = "sandbox_kernel/host/engines/bubblewrap/limits"
CGROUP1 = f"{_LIMITS}/cgroup1.py"
CGROUP2 = f"{_LIMITS}/cgroup2.py"
GROUP = f"{_LIMITS}/group.py"
PLAN = f"{_LIMITS}/plan.py"
WATCH = f"{_LIMITS}/watch.py"
WATCHDOG = f"{_LIMITS}/watchdog.py"

_TESTS = "host/engines/bubblewrap/limits"


def _groups(*tests: str) -> tuple[str, ...]:
    return within(f"{_TESTS}/test_cgroups.py", *tests)


def _dog(*tests: str) -> tuple[str, ...]:
    return within(f"{_TESTS}/test_watchdog.py", *tests)


MUTATIONS = (
    Mutation(
        "limits-memory-v2",
        "All processes together have the policy's memory (control groups, version 2).",
        CGROUP2,
        '        group.write(directory / "memory.max", str(limits.memory))\n',
        "        pass\n",
        _groups("test_version_2_is_written"),
    ),
    Mutation(
        "limits-swap-v2",
        "And do not swap instead.",
        CGROUP2,
        '            group.write(directory / "memory.swap.max", "0")\n',
        "            pass\n",
        _groups("test_version_2_forbids_swap"),
    ),
    Mutation(
        "limits-processes-v2",
        "All together have the policy's number of processes and threads (version 2).",
        CGROUP2,
        '        group.write(directory / "pids.max", str(limits.pids))\n',
        "        pass\n",
        _groups("test_version_2_is_written"),
    ),
    Mutation(
        "limits-processors-v2",
        "All together have the policy's processor time (version 2).",
        CGROUP2,
        '        group.write(directory / "cpu.max", _share(limits.cpus, STARTING))\n',
        "        pass\n",
        _groups("test_version_2_is_written"),
    ),
    Mutation(
        "limits-memory-v1",
        "The same on older machines (version 1).",
        CGROUP1,
        '            group.write(groups["memory"] / "memory.limit_in_bytes", memory)\n',
        "",
        _groups("test_version_1_is_written"),
    ),
    Mutation(
        "limits-processes-v1",
        "The same on older machines (version 1).",
        CGROUP1,
        '            group.write(groups["pids"] / "pids.max", str(self._limits.pids))\n',
        "            pass\n",
        _groups("test_version_1_is_written"),
    ),
    Mutation(
        "limits-processors-v1",
        "The same on older machines (version 1).",
        CGROUP1,
        '            group.write(groups["cpu"] / "cpu.cfs_quota_us", quota)\n',
        "",
        _groups("test_version_1_is_written"),
    ),
    Mutation(
        "limits-moved-into-the-group",
        "The sandbox is in the group that has the limits before it goes on.",
        GROUP,
        '        (directory / "cgroup.procs").write_text(str(pid))\n',
        "        pass\n",
        _groups("test_version_1_is_written", "test_version_2_is_written"),
    ),
    Mutation(
        "limits-swap-uncounted",
        "Where swap is not counted, a group is not said to keep memory.",
        PLAN,
        'if "memory" in usable and cgroup2.host_has_swap() and not',
        "if False and not",
        _groups("test_version_1_does_not_keep_memory_where_it_could_be_swapped"),
    ),
    Mutation(
        "limits-read-back",
        "A limit that reads back as another is an error.",
        GROUP,
        "if now != (value if accept is None else accept):",
        "if False:",
        within(f"{_TESTS}/test_group.py", "test_a_value_that_reads_back_differently_is_an_error"),
    ),
    Mutation(
        "limits-no-child-outside",
        "What has started others already is not let go: they would be outside of the limits.",
        PLAN,
        "if len(tree(pid)) != 1:",
        "if False:",
        within(
            f"{_TESTS}/test_plan.py",
            "test_a_process_with_children_is_refused",
        ),
    ),
    Mutation(
        "limits-name-is-no-path",
        "A launch's name cannot lead out of our control groups.",
        PLAN,
        "if not NAME.fullmatch(name):",
        "if False:",
        within(f"{_TESTS}/test_plan.py", "test_a_name_that_is_no_name_is_refused"),
    ),
    Mutation(
        "limits-old-kernels",
        "Where nothing can count processes, nothing starts.",
        PLAN,
        "if not counted_per_namespace():",
        "if False:",
        within(f"{_TESTS}/test_plan.py", "test_an_old_kernel_cannot_limit_processes_without_groups"),
    ),
    Mutation(
        "limits-rlimit-without-groups",
        "Without control groups the guest is told to limit processes.",
        PLAN,
        "guest_pids = limits.pids",
        "guest_pids = None",
        (
            *within(f"{_TESTS}/test_plan.py", "test_without_groups_there_are_watchdogs_and_a_resource_limit"),
            *within("adversarial/test_processes.py", "test_a_bomb_ends_at_the_limit[watchdog-fork]"),
        ),
    ),
    Mutation(
        "limits-watchdog-kills",
        "Without control groups a watchdog kills what holds too much.",
        WATCH,
        "                    self._cut(sizes, limit)\n",
        "                    pass\n",
        within("adversarial/test_memory.py", "test_a_greedy_child_costs_only_itself[watchdog]"),
    ),
    Mutation(
        "limits-watchdog-stops",
        "And stops what has used too much processor time.",
        WATCH,
        "return min(max(self._debt / self._cpus, 0.0), LONGEST_REST)",
        "return 0.0",
        _dog("test_time_over_the_quota_must_be_rested"),
    ),
    Mutation(
        "limits-watchdog-brake",
        "Should the watchdog be late, the kernel refuses any process more than twice as much.",
        WATCHDOG,
        "            resource.prlimit(pid, resource.RLIMIT_DATA, (brake, brake))\n",
        "",
        _dog("test_a_brake_holds_while_nobody_looks"),
    ),
    Mutation(
        "limits-watchdog-dies",
        "A sandbox whose watchdog was killed is ended.",
        WATCHDOG,
        "        for hold in unwatched:\n            hold.kill()\n",
        "",
        _dog("test_a_watchdog_that_is_killed_takes_the_sandboxes_along"),
    ),
    Mutation(
        "limits-watchdog-orphaned",
        "A watchdog whose host was killed ends the sandboxes.",
        f"{_LIMITS}/watchdog_process.py",
        "    for watch in watchdog.watches.values():\n        watch.kill()\n",
        "",
        _dog("test_a_host_that_is_killed_takes_the_sandboxes_along"),
    ),
    Mutation(
        "trees-are-stopped-first",
        "What is forked while a sandbox is killed is killed as well.",
        "sandbox_kernel/host/engines/bubblewrap/limits/processes.py",
        "    if send(root, signal.SIGSTOP):\n",
        "    if send(root, 0):\n",
        within(
            "host/engines/bubblewrap/limits/test_trees.py", "test_what_is_forked_meanwhile_is_killed_as_well"
        ),
    ),
    Mutation(
        "limits-kill-at-release",
        "Nothing of a sandbox outlives its end.",
        WATCHDOG,
        "            self.kill()\n            time.sleep(SHORTEST)\n",
        "            time.sleep(SHORTEST)\n",
        within(f"{_TESTS}/test_plan.py", "test_release_ends_all_descendants"),
    ),
)

SECTIONS = (("Bubblewrap: limits", MUTATIONS),)
