"""Kernels that are forked: behind the same walls, of nobody's code, and nobody's memory."""

from tests.mutations.mutation import Mutation, within

ENGINE = "sandbox_kernel/host/engines/bubblewrap"
TEMPLATE = f"{ENGINE}/template"
PROGRAM = f"{TEMPLATE}/program/sandbox_template"
_SAME = "test_a_forked_kernel_finds_nothing_by_which_to_tell"


def _template(*tests: str) -> tuple[str, ...]:
    return within("host/engines/bubblewrap/template/test_template.py", *tests)


FORKED = (
    Mutation(
        "template-refusals-heard",
        "Where forks cannot enter their sandboxes, none is tried for ever.",
        f"{TEMPLATE}/templates.py",
        "        self._hear()\n",
        "",
        _template("test_where_no_fork_gets_in_none_is_tried_any_more"),
    ),
    Mutation(
        "template-program-read-only",
        "Inside, /proc/self/exe leads by a mount that is read-only.",
        f"{TEMPLATE}/begin.py",
        "attributes = _MountAttributes(set=MOUNT_ATTR_RDONLY)",
        "attributes = _MountAttributes()",
        _template("test_its_program_cannot_be_written_to"),
    ),
    Mutation(
        "template-namespaces-compared",
        "A fork is in every namespace that PID 1 is in.",
        f"{PROGRAM}/walls.py",
        "    _compare_namespaces(kinds)\n",
        "",
        _template("test_a_fork_in_other_namespaces_stays_out"),
    ),
    Mutation(
        "template-walls-compared",
        "A fork is in the control group that PID 1 is in.",
        f"{PROGRAM}/walls.py",
        "    _compare_walls()\n",
        "",
        _template("test_a_fork_in_another_group_stays_out"),
    ),
    Mutation(
        "template-privileges",
        "A fork drops every capability.",
        f"{PROGRAM}/walls.py",
        "set_capabilities((0,) * 6)",
        "pass",
        _template(_SAME),
    ),
    Mutation(
        "template-seccomp",
        "A fork loads the filter of system calls.",
        f"{PROGRAM}/walls.py",
        '    _load_filter(request["seccomp"])\n',
        "",
        _template(_SAME),
    ),
    Mutation(
        "template-landlock",
        "A fork raises the second wall.",
        f"{PROGRAM}/walls.py",
        "    if landlock is not None:\n",
        "    if False:\n",
        _template("test_its_second_wall_is_its_own"),
    ),
    Mutation(
        "template-landlock-in-its-place",
        "A kernel that PID 1 starts after all is bound in its signals.",
        "sandbox_kernel/guest/kernel.py",
        "        if nursery:\n            nursery.raise_wall()\n",
        "",
        _template("test_a_kernel_in_its_place_is_bound_as_well"),
    ),
    Mutation(
        "template-files",
        "A fork has none of its template's files open.",
        f"{PROGRAM}/kernel.py",
        "                os.close(descriptor)\n",
        "                pass\n",
        _template(_SAME),
    ),
    Mutation(
        "template-resource-limits",
        "A fork has the resource limits that the policy sets.",
        f"{PROGRAM}/kernel.py",
        "        resource.setrlimit(what, (most, most))",
        "        pass",
        _template(_SAME),
    ),
    Mutation(
        "template-seeds",
        "Forks draw their own random numbers.",
        f"{PROGRAM}/kernel.py",
        '    "numpy.random": lambda random: random.seed(),\n',
        "",
        _template("test_two_forks_draw_different_numbers"),
    ),
    Mutation(
        "template-keys",
        "Forks have their own keys.",
        f"{PROGRAM}/kernel.py",
        "os.urandom(32)",
        "bytes(process.current_process().authkey)",
        _template("test_two_forks_draw_different_numbers"),
    ),
    Mutation(
        "template-host-name",
        "A fork does not know the host's name.",
        f"{PROGRAM}/kernel.py",
        'setattr(platform, "_uname_cache", None)',
        "None",
        _template("test_modules_that_were_asked_for_are_there"),
    ),
    Mutation(
        "template-imports",
        "A template imports from our interpreter's own directories.",
        f"{PROGRAM}/imports.py",
        "[entry for entry in path if _is_within(entry, directories)]",
        "path",
        _template("test_modules_come_from_the_interpreters_own_directories"),
    ),
    Mutation(
        "template-search-path-links",
        "Nor once code may have changed where the search path leads.",
        "sandbox_kernel/host/engines/bubblewrap/template/search.py",
        "        if part.is_symlink():\n",
        "        if False:\n",
        _template(
            "test_what_code_may_put_on_the_search_path[link]",
            "test_what_code_may_put_on_the_search_path[link to a link]",
        ),
    ),
    Mutation(
        "template-search-path",
        "No template is begun once code may have written to the search path.",
        f"{TEMPLATE}/templates.py",
        "return not self._search_path_was_granted",
        "return True",
        _template("test_a_folder_on_the_search_path_that_code_may_write_to"),
    ),
    Mutation(
        "template-own-interpreter",
        "No other environment's Python is run outside.",
        f"{TEMPLATE}/templates.py",
        "argv[0] != straight(sys.executable) or ",
        "",
        _template("test_another_environment_is_not_run_outside"),
    ),
    Mutation(
        "template-variables",
        "What was granted variables is not forked.",
        f"{ENGINE}/birth.py",
        "    if dict(message.env) != plain:\n        return None\n",
        "",
        _template("test_what_was_granted_a_variable_is_not_forked"),
    ),
    Mutation(
        "template-setting",
        "An administrator can have no kernel forked.",
        "provisioner/sandbox_provisioner/provisioner.py",
        ", fork=self.template)",
        ")",
        within("provisioner/test_pool.py", "test_only_an_administrator_says_whether_kernels_are_forked"),
    ),
    Mutation(
        "template-limits",
        "A fork goes in under the sandbox's limits, or not at all.",
        f"{ENGINE}/birth.py",
        "            except LimitUnenforceableError:\n                return\n",
        "            except LimitUnenforceableError:\n                pass\n",
        _template("test_a_fork_that_cannot_be_limited_stays_out"),
    ),
    Mutation(
        "template-brake",
        "Under a watchdog, a fork's data is bounded like the first process's.",
        f"{ENGINE}/limits/watchdog.py",
        "        self._brake(pid)\n",
        "",
        within(
            "host/engines/bubblewrap/limits/test_watchdog.py",
            "test_who_is_admitted_is_braked_as_the_first_is",
        ),
    ),
    Mutation(
        "template-ends",
        "A template ends soon after the last sandbox.",
        f"{TEMPLATE}/templates.py",
        "            self._leaving.daemon = True\n",
        "            return\n",
        _template("test_templates_end_when_nobody_needs_them"),
    ),
    Mutation(
        "template-packages",
        "A template ends when something is installed or removed.",
        f"{TEMPLATE}/templates.py",
        "                if other.argv == recipe.argv\n",
        "                if False\n",
        _template("test_new_packages_make_a_new_template"),
    ),
    Mutation(
        "template-inherited",
        "A template is made anew when its host's limits or its mask have changed.",
        f"{TEMPLATE}/templates.py",
        "packages, uid, inherited())",
        "packages, uid, ())",
        _template("test_what_a_process_has_from_its_parent_may_change"),
    ),
    Mutation(
        "template-home",
        "No template is begun where a kernel's home is somebody's.",
        f"{TEMPLATE}/templates.py",
        " and not self._home_is_taken()",
        "",
        _template("test_where_a_kernels_home_is_somebodys"),
    ),
    Mutation(
        "template-hears-nothing",
        "A template hears nothing of a sandbox's folders.",
        f"{TEMPLATE}/template.py",
        "[FORK], [nursery",
        "[FORK, walls.written()], [nursery",
        _template("test_a_template_hears_no_folders_name"),
    ),
)

SECTIONS = (("Kernels that are forked", FORKED),)
