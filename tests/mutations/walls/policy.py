"""What a policy refuses, and what of configuration is believed."""

from tests.mutations.mutation import Mutation, within

FIELDS = "sandbox_kernel/policy/fields.py"
LAYERS = "sandbox_kernel/policy/layers.py"
MAXIMA = "sandbox_kernel/policy/maxima.py"
VALUE = "sandbox_kernel/policy/value.py"
_PLUG = "provisioner/sandbox_provisioner"


def _policy(*tests: str) -> tuple[str, ...]:
    return within("test_policy.py", *tests)


def _refusals(*tests: str) -> tuple[str, ...]:
    return within("provisioner/test_refusals.py", *tests)


POLICY = (
    Mutation(
        "policy-named-profile",
        "Nothing is called strict of which nothing is.",
        VALUE,
        "        if started and not any(",
        "        if False and not any(",
        _policy("test_a_profiles_name_is_not_the_profile"),
    ),
    Mutation(
        "policy-unknown-settings",
        "A misspelt limit is refused, not dropped.",
        LAYERS,
        "        refuse_unknown(layer.settings, FIELD_NAMES, layer.source)\n",
        "",
        _policy("test_unknown_setting"),
    ),
    Mutation(
        "policy-unknown-variables",
        "So is a misspelt SANDBOX_KERNEL_* variable.",
        LAYERS,
        "    refuse_unknown(settings, [name.upper() for name in FIELD_NAMES], ENVIRONMENT_PREFIX + "
        '"{field}")\n',
        "    settings = {name: value for name, value in settings.items() if name.lower() in FIELD_NAMES}\n",
        _policy("test_unknown_variables_are_refused"),
    ),
    Mutation(
        "policy-unknown-maxima",
        "A misspelt maximum refuses everything, rather than bind nothing.",
        MAXIMA,
        "        refuse_unknown(settings, MAXIMA_NAMES, source)\n",
        "        settings = {name: value for name, value in settings.items() if name in MAXIMA_NAMES}\n",
        _policy("test_misspelt_maxima_are_refused"),
    ),
    Mutation(
        "policy-true-is-no-number",
        "true is no amount of anything.",
        FIELDS,
        "        if isinstance(value, bool) or not isinstance(value, int | float):\n",
        "        if not isinstance(value, int | float):\n",
        _policy("test_nothing_means_unlimited[True-cpus]"),
    ),
    Mutation(
        "policy-least",
        "A limit below what a kernel needs, or below nothing, is refused.",
        FIELDS,
        '        if value < self.least:\n            raise UnusableError(f"is too small; it must be at least '
        '{self.show(self.least)}: {self.why}")\n        if value > self.most:\n            raise '
        'UnusableError(f"is too large; it must be at most {self.show(self.most)}")\n        return value\n',
        "        return value\n",
        _policy("test_size_below_what_a_kernel_needs", "test_nothing_means_unlimited"),
    ),
    Mutation(
        "policy-finite",
        "Infinity is no limit.",
        FIELDS,
        "        if isinstance(value, float) and not math.isfinite(value):\n",
        "        if False:\n",
        _policy("test_nothing_means_unlimited"),
    ),
    Mutation(
        "policy-choices",
        "A word that is none of the choices is refused.",
        FIELDS,
        "        if isinstance(value, str) and value in self.words:\n",
        "        if isinstance(value, str):\n",
        _policy("test_construction_checks_too"),
    ),
    Mutation(
        "policy-checked-values",
        "A policy that exists is usable.",
        VALUE,
        "                force_setattr(self, name, kind.read(value))\n",
        "                pass\n",
        _policy("test_construction_checks_too", "test_replace_checks_again"),
    ),
    Mutation(
        "policy-mount-of-the-root",
        "The root of the host is not mounted.",
        FIELDS,
        "    if not inner:\n",
        "    if False:\n",
        _policy("test_mounts_that_hollow_out_the_wall"),
    ),
    Mutation(
        "policy-mounts-that-climb",
        "A mount is an absolute path without `..`.",
        FIELDS,
        'if not pure.is_absolute() or ".." in pure.parts or "\\0" in path:',
        "if False:",
        _policy("test_mounts_that_hollow_out_the_wall"),
    ),
    Mutation(
        "policy-mounts-of-the-kernel",
        "/proc, /sys and /dev of the host are not mounted.",
        FIELDS,
        "    if inner[0] in _OWN_MOUNTS:\n",
        "    if False:\n",
        _policy("test_mounts_that_hollow_out_the_wall"),
    ),
    Mutation(
        "policy-mounts-read-only",
        "A mount is read-only unless it says otherwise.",
        FIELDS,
        'else (entry, "ro")',
        'else (entry, "rw")',
        _policy("test_mounts"),
    ),
    Mutation(
        "policy-names-of-variables",
        "What is passed in is a variable, by its name.",
        FIELDS,
        "    if _VARIABLE.fullmatch(entry) is None:\n",
        "    if False:\n",
        _policy("test_variables_that_cannot_be_granted"),
    ),
    Mutation(
        "policy-names-of-images",
        "The name of an image or a runtime is no option of a program.",
        FIELDS,
        "if value is None or (isinstance(value, str) and self.form.fullmatch(value)):",
        "if value is None or isinstance(value, str):",
        _policy("test_container_names"),
    ),
    Mutation(
        "policy-maxima-bind",
        "Nobody gets more than the administrator allows.",
        LAYERS,
        "        maxima.require(name, value, spelling)\n",
        "",
        _policy("test_every_maximum_binds", "test_environment_is_bound_by_maxima"),
    ),
    Mutation(
        "policy-defaults-bound",
        "A default above a maximum is lowered to it.",
        LAYERS,
        "{name: maxima.lowered(name, value) for name, value in start.items()}",
        "dict(start)",
        _policy("test_profile_value_above_a_maximum"),
    ),
    Mutation(
        "policy-no-deadline",
        "Where a deadline is bound, there is one.",
        MAXIMA,
        "return value is not None and value <= bound",
        "return value is None or value <= bound",
        _policy("test_every_maximum_binds"),
    ),
    Mutation(
        "policy-links-in-trees",
        "A link in an allowed tree does not lead out of it.",
        MAXIMA,
        "return within_trees(asked.path.resolve(), asked.mode, (tree,))",
        "return within_trees(asked.path, asked.mode, (tree,))",
        _policy("test_a_link_does_not_leave_an_allowed_tree"),
    ),
    Mutation(
        "policy-trees-read-only",
        "What an administrator allows to be read is not written to.",
        MAXIMA,
        '(allowed.mode == "rw" or mode == "ro")',
        "True",
        _policy("test_every_maximum_binds", "test_a_policy_remembers_where_mounts_may_lie"),
    ),
    Mutation(
        "policy-strict-is-strict",
        "A layer that names a profile starts from it, whatever weaker layers said.",
        LAYERS,
        "            asked.clear()\n",
        "",
        _policy("test_a_profile_drops_weaker_layers"),
    ),
)

PLUG = (
    Mutation(
        "plug-kernelspec-sets-no-maximum",
        "A kernelspec does not raise the administrator's maxima.",
        f"{_PLUG}/settings.py",
        "    for name in settings.keys() & {*MAXIMA_NAMES, *AUDIT_NAMES}:\n",
        "    for name in ():\n",
        _refusals("test_a_kernelspec_sets_no_maximum"),
    ),
    Mutation(
        "plug-unknown-configuration",
        "Configuration that traitlets would drop is refused.",
        f"{_PLUG}/configuration.py",
        "    refuse_unknown(settings, known, source)\n",
        "",
        _refusals("test_a_misspelt_maximum", "test_a_misspelt_configuration"),
    ),
    Mutation(
        "plug-maxima-everywhere",
        "An administrator's maxima bind also programs that read no configuration.",
        f"{_PLUG}/configuration.py",
        "    merged = machine_configuration()\n",
        "    merged = Config()\n",
        within("provisioner/test_configuration.py", "test_a_maximum_binds_a_program_without_configuration"),
    ),
    Mutation(
        "plug-unreadable-configuration",
        "Where configuration cannot be read, its maxima would be missing: nothing starts.",
        f"{_PLUG}/configuration.py",
        "            except Exception as error:  # a configuration file may raise anything\n"
        "                raise PolicyError(",
        "            except Exception as error:  # a configuration file may raise anything\n"
        "                if error:\n                    continue\n                raise PolicyError(",
        within("provisioner/test_configuration.py", "test_a_file_that_cannot_be_read_is_an_error"),
    ),
    Mutation(
        "plug-configuration-of-the-notebook",
        "A configuration file that came with the notebook is not run.",
        f"{_PLUG}/configuration.py",
        "reversed(jupyter_config_path())",
        'reversed([".", *jupyter_config_path()])',
        within(
            "provisioner/test_configuration.py", "test_the_notebooks_folder_is_not_where_configuration_is"
        ),
    ),
    Mutation(
        "plug-environment",
        "Of a server's environment, tokens included, only what is named goes in.",
        f"{_PLUG}/grants.py",
        "return {name: environment[name] for name in (*policy.env, *spec_env) if name in environment}",
        "return dict(environment)",
        within("provisioner/test_grants.py", "test_only_named_variables_are_granted"),
    ),
    Mutation(
        "plug-variables-of-kernelspecs",
        "A kernelspec's ${VARIABLE} is no way round the maxima.",
        f"{_PLUG}/provisioner.py",
        "        refuse_ungranted_variables(self.kernel_spec.env, maxima)\n",
        "",
        within("provisioner/test_launch.py", "test_the_kernelspecs_env_is_no_way_round_the_maxima"),
    ),
    Mutation(
        "plug-encryption",
        "Where encryption was demanded, nothing runs in the clear.",
        f"{_PLUG}/provisioner.py",
        "        refuse_encryption(self.parent)\n",
        "",
        within("provisioner/test_connection.py", "test_required_encryption_is_refused"),
    ),
    Mutation(
        "plug-logs",
        "A kernel writes no escape sequence into the terminal of who reads a log.",
        f"{_PLUG}/connection.py",
        'return _UNPRINTABLE.sub("\\N{REPLACEMENT CHARACTER}", text)',
        "return text",
        (
            *within("provisioner/test_grants.py", "test_logs_are_harmless"),
            *within("provisioner/test_ends.py", "test_logs_are_harmless"),
        ),
    ),
    Mutation(
        "plug-paths",
        "A path of the kernel's is one of the host's only in what is shared.",
        f"{_PLUG}/grants.py",
        "return str(found) if shared and found.exists() else None",
        "return str(found) if found.exists() else None",
        within("provisioner/test_grants.py", "test_mounts_are_found"),
    ),
)

SECTIONS = (("What a policy refuses", POLICY), ("The plug of jupyter_client", PLUG))
