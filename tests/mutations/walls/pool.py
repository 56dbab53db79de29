"""Sandboxes that are kept ready: nobody gets what was not made for it."""

from tests.mutations.mutation import Mutation, within

LOG = "sandbox_kernel/host/kernel_log.py"
POOL = "sandbox_kernel/host/pool.py"
PROVISIONER = "provisioner/sandbox_provisioner/provisioner.py"
SANDBOX = "sandbox_kernel/host/sandbox.py"


def _pool(*tests: str) -> tuple[str, ...]:
    return within("host/test_pool.py", *tests)


KEPT = (
    Mutation(
        "pool-one-owner",
        "What was taken from the pool is given to nobody else.",
        POOL,
        "found = self._warm.pop(kind, None)",
        "found = self._warm.get(kind)",
        _pool("test_each_has_one_owner"),
    ),
    Mutation(
        "pool-kinds",
        "A warm sandbox is used for what it was made for.",
        POOL,
        "found = self._warm.pop(kind, None)",
        "found = self._warm.popitem()[1] if self._warm else None",
        _pool("test_each_has_one_owner"),
    ),
    Mutation(
        "pool-variables",
        "It has the variables that its owner grants, with their values of now.",
        POOL,
        "        tuple(sorted(variables.items())),",
        "        (),",
        _pool("test_what_makes_a_kind"),
    ),
    Mutation(
        "pool-forks-unwanted",
        "It is no fork where forks are not wanted.",
        POOL,
        "        launch.fork,\n",
        "        True,\n",
        _pool("test_what_makes_a_kind"),
    ),
    Mutation(
        "pool-folders",
        "It holds the folder that is granted, not another one of its name.",
        POOL,
        "return status.st_dev, status.st_ino",
        "return 0, 0",
        _pool("test_another_folder_of_the_same_name_is_another_kind"),
    ),
    Mutation(
        "pool-doors",
        "It covers the sockets that are in the folder when it is used.",
        POOL,
        "        doors = [_door(path) for path in find_doors(",
        "        doors = [_door(path) for path in () and find_doors(",
        _pool("test_a_new_socket_in_the_folder_makes_another_kind"),
    ),
    Mutation(
        "pool-doors-bound-anew",
        "A socket that its program has bound anew since is one that it does not cover.",
        POOL,
        "    return path, status.st_dev, status.st_ino, status.st_ctime_ns\n",
        "    return path, 0, 0, 0\n",
        _pool("test_a_socket_that_was_bound_anew_makes_another_kind"),
    ),
    Mutation(
        "pool-software",
        "It runs the packages that are installed when it is used.",
        POOL,
        'engine.software(policy) or fingerprint(launch.argv[0]) or ""',
        '""',
        _pool("test_what_makes_a_kind"),
    ),
    Mutation(
        "pool-environments",
        "It shows the environment that is there when it is used, not a removed one of its name.",
        POOL,
        "places += [(shown.path, *_identity(shown.real))",
        "places += () and [(shown.path, *_identity(shown.real))",
        _pool("test_an_environment_that_was_made_anew_makes_another_kind"),
    ),
    Mutation(
        "pool-own-variables",
        "It has its own kind's variables, not what another launch has set meanwhile.",
        POOL,
        ", env=dict(kind.variables))",
        ")",
        _pool("test_it_has_its_kinds_variables_whatever_the_process_has_by_now"),
    ),
    Mutation(
        "pool-meanwhile",
        "What has become another kind while it started is not kept.",
        POOL,
        "failure is None and _is_still(kind, sandbox)",
        "failure is None",
        _pool("test_what_has_become_another_kind_while_it_started_is_not_kept"),
    ),
    Mutation(
        "pool-age",
        "It does not wait for ever.",
        POOL,
        "if found.sandbox.death is None and time.monotonic() - found.since < MAX_AGE:",
        "if found.sandbox.death is None:",
        _pool("test_an_old_one_is_not_given"),
    ),
    Mutation(
        "pool-unused",
        "Nothing is kept when the last kernel has gone.",
        POOL,
        "            self._owned.discard(sandbox)\n            self._leave_later()\n",
        "            self._owned.discard(sandbox)\n",
        _pool("test_it_goes_after_the_last_owner"),
    ),
    Mutation(
        "pool-size",
        "Few are kept.",
        POOL,
        "while len(self._warm) > most:",
        "while False:",
        _pool("test_few_are_kept"),
    ),
    Mutation(
        "pool-forks",
        "A forked child has none of its parent's.",
        POOL,
        "        self._warm, self._launches = OrderedDict(), OrderedDict()\n",
        "        self._launches = OrderedDict()\n",
        _pool("test_a_fork_has_none_of_its_parents"),
    ),
    Mutation(
        "pool-secrets",
        "A kernel with a secret is none of the pool's.",
        PROVISIONER,
        "if not granted and POOL.is_of_use() else None",
        "if POOL.is_of_use() else None",
        within("provisioner/test_pool.py", "test_secrets_are_for_one_kernel"),
    ),
    Mutation(
        "pool-kernelspecs",
        "Whoever writes a kernelspec cannot have a server keep kernels.",
        PROVISIONER,
        'or name in {*AUDIT_NAMES, "warm", "template"}:',
        'or name in {*AUDIT_NAMES, "template"}:',
        within("provisioner/test_pool.py", "test_kernelspecs_have_no_say"),
    ),
    Mutation(
        "pool-deadlines",
        "The owner's clocks start with the owner.",
        SANDBOX,
        "tunnel.hand_over(sockets, self._new_guard(front.key), Deadlines(self.policy))",
        "tunnel.hand_over(sockets, self._new_guard(front.key), Deadlines(NO_DEADLINES))",
        _pool("test_the_owners_clocks_start_with_the_owner"),
    ),
    Mutation(
        "pool-audit",
        "What is taken over is written down as any other.",
        SANDBOX,
        "            audit.begin(self.policy, self.launch, self.engine.name, process.image_id)\n",
        "",
        _pool("test_it_is_seen_and_written_down_when_it_is_somebodys"),
    ),
    Mutation(
        "pool-directory",
        "It is written down where its owner is, not where it was started for.",
        SANDBOX,
        "launch = replace(self.launch, directory=directory or self.launch.directory)",
        "launch = self.launch",
        _pool("test_it_is_written_down_where_its_owner_is"),
    ),
    Mutation(
        "pool-log",
        "Its owner hears no more of its log than any owner.",
        LOG,
        "join(self._last)[-MAX_LOG:]",
        "join(self._last)",
        _pool("test_an_owner_hears_no_more_of_the_log_than_of_another"),
    ),
)

SECTIONS = (("Kernels that are kept ready", KEPT),)
