"""What people, manifests and notebooks write: it names things and becomes values, and nothing else."""

from tests.mutations.mutation import Mutation, within

_PARAMETERS = "sandbox_kernel/notebooks/parameters"
CELL = f"{_PARAMETERS}/cell.py"
INFERRED = f"{_PARAMETERS}/inferred.py"
LITERALS = f"{_PARAMETERS}/literals.py"
PATHS = f"{_PARAMETERS}/paths.py"
REMOTE = "sandbox_kernel/notebooks/remote.py"


def _parameters(file: str, *tests: str) -> tuple[str, ...]:
    return within(f"notebooks/parameters/{file}.py", *tests)


MUTATIONS = (
    Mutation(
        "parameters-names-are-names",
        "A parameter's name is no code that the notebook did not have.",
        LITERALS,
        "not isinstance(name, str) or not name.isidentifier() or iskeyword(name)",
        "not isinstance(name, str)",
        _parameters("test_literals", "test_refused_names[import os; x]"),
    ),
    Mutation(
        "parameters-values-are-literals",
        "A value's own idea of how it is written does not get into the notebook.",
        LITERALS,
        "    return str.__repr__(value)\n",
        "    return repr(value)\n",
        _parameters("test_literals", "test_values_that_need_care"),
    ),
    Mutation(
        "parameters-have-an-end",
        "A few lines of YAML do not fill the machine's memory.",
        LITERALS,
        "        if room < 0:\n",
        "        if False:\n",
        _parameters("test_literals", "test_refused_values[-longer than 16 MiB1]"),
    ),
    Mutation(
        "parameters-have-a-depth",
        "A value that holds itself is refused.",
        LITERALS,
        "    if levels < 0:\n",
        "    if levels < -10_000:\n",
        _parameters("test_literals", "test_refused_values[-holds itself]"),
    ),
    Mutation(
        "parameters-no-attributes-in-names-of-files",
        "A result's name asks for parameters, not for what hangs on them.",
        PATHS,
        "    if name not in values:\n",
        '    values = {name: "x", **values}\n    if False:\n',
        _parameters("test_paths", "test_refused_templates[{region.__class__}]"),
    ),
    Mutation(
        "parameters-no-endless-names-of-files",
        "A result's name has an end.",
        PATHS,
        "not allowed.fullmatch(spec)",
        "False",
        _parameters("test_paths", "test_refused_templates[{region:x<9}]"),
    ),
    Mutation(
        "parameters-values-lead-nowhere",
        "A parameter's value does not choose the folder that a result is written to.",
        PATHS,
        'if "/" in text or',
        "if",
        _parameters("test_paths", "test_values_lead_nowhere[../x]"),
    ),
    Mutation(
        "parameters-cells-that-are-no-python",
        "A notebook whose parameters cell no parser can read is not a bug of ours.",
        INFERRED,
        "    except _PARSER:\n        return []\n",
        "    except SyntaxError:\n        return []\n",
        _parameters("test_inferred", "test_what_cannot_be_parsed"),
    ),
    Mutation(
        "parameters-cells-in-linear-time",
        "A stranger's parameters cell does not keep us busy for an hour.",
        INFERRED,
        "lines[value.lineno - 1][value.col_offset : value.end_col_offset].decode()",
        'ast.get_source_segment(b"\\n".join(lines).decode(), value) or ""',
        _parameters("test_inferred", "test_linear_time"),
    ),
    Mutation(
        "scripts-in-linear-time",
        "Nor does a stranger's script.",
        "sandbox_kernel/notebooks/script.py",
        "(?:(?!coding).)*coding",
        ".*coding",
        within("notebooks/test_script.py", "test_linear_time"),
    ),
    Mutation(
        "parameters-secrets-are-warned-of",
        "Who writes a secret into a notebook is told so.",
        CELL,
        "[*_unknown(nb, parameters), *_secrets(parameters)]",
        "_unknown(nb, parameters)",
        _parameters("test_cell", "test_secrets[api_key-True]"),
    ),
    Mutation(
        "addresses-without-passwords",
        "An address's password and signature stand in no message and no notebook.",
        REMOTE,
        'return f"{parts.scheme}://{host}{parts.path}"',
        "return self.url",
        within("notebooks/test_remote.py", "test_addresses_are_shown_without_secrets"),
    ),
    Mutation(
        "addresses-without-passwords-in-drivers-words",
        "Nor do they stand in what a driver says of its failure.",
        REMOTE,
        "self._without_secrets(str(said))",
        "str(said)",
        within("notebooks/test_remote.py", "test_addresses_are_shown_without_secrets"),
    ),
    Mutation(
        "addresses-keep-what-they-refuse",
        "A result that a store does not take is not lost.",
        REMOTE,
        "The notebook is in {keep_here(data)}.",
        "The notebook is in nonesuch.",
        within("notebooks/test_remote.py", "test_what_cannot_be_written_is_kept"),
    ),
)

SECTIONS = (("Parameters and places elsewhere", MUTATIONS),)
