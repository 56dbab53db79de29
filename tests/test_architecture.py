"""The arrows of the design, and what importing may not do."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREES = {
    "sandbox_kernel": ROOT / "sandbox_kernel",
    "sandbox_provisioner": ROOT / "provisioner" / "sandbox_provisioner",
}
STANDARD = sys.stdlib_module_names

ALLOWED = {
    "sandbox_kernel": {
        "sandbox_kernel",
        "sandbox_kernel.policy",
        "sandbox_kernel.session",
    },  # when somebody asks for what it exports
    "sandbox_kernel.errors": set(),
    "sandbox_kernel.wire": set(),
    "sandbox_kernel.policy": {"sandbox_kernel.errors"},
    "sandbox_kernel.guest": {"sandbox_kernel", "sandbox_kernel.wire"},
    "sandbox_kernel.host": {
        "sandbox_kernel",
        "sandbox_kernel.errors",
        "sandbox_kernel.wire",
        "sandbox_kernel.policy",
        "sandbox_kernel.guest",  # the test double runs it; see test_only_the_double_imports_the_guest
    },
    "sandbox_provisioner": {"sandbox_kernel.errors", "sandbox_kernel.policy", "sandbox_kernel.host"},
    "sandbox_kernel.notebooks": {"sandbox_kernel", "sandbox_kernel.errors", "sandbox_kernel.policy"},
    "sandbox_kernel.batches": {
        "sandbox_kernel",
        "sandbox_kernel.errors",
        "sandbox_kernel.policy",
        "sandbox_kernel.notebooks",
    },
    "sandbox_kernel.session": {
        "sandbox_kernel.errors",
        "sandbox_kernel.policy",
        "sandbox_kernel.notebooks",
    },
    "sandbox_kernel.bench": {"sandbox_kernel", "sandbox_kernel.errors", "sandbox_kernel.notebooks"},
    "sandbox_kernel.mcp": {
        "sandbox_kernel",
        "sandbox_kernel.errors",
        "sandbox_kernel.notebooks",
        "sandbox_kernel.session",
    },
    "sandbox_kernel.plugins": {
        "sandbox_kernel",
        "sandbox_kernel.errors",
        "sandbox_kernel.policy",
        "sandbox_kernel.host",
        "sandbox_kernel.notebooks",
        "sandbox_kernel.session",
    },
    "sandbox_kernel.checks": {
        "sandbox_kernel.errors",
        "sandbox_kernel.policy",
        "sandbox_kernel.notebooks",
        "sandbox_kernel.session",
    },
    "sandbox_kernel.cli": {
        "sandbox_kernel",
        "sandbox_kernel.errors",
        "sandbox_kernel.policy",
        "sandbox_kernel.host",
        "sandbox_kernel.notebooks",
        "sandbox_kernel.batches",
        "sandbox_kernel.session",
        "sandbox_kernel.mcp",
        "sandbox_kernel.bench",
        "sandbox_kernel.checks",
    },
}
"""Layer → the other layers of ours that it may import. What is not listed does not exist."""

FOREIGN = {
    "sandbox_kernel": set(),
    "sandbox_kernel.errors": set(),
    "sandbox_kernel.wire": set(),
    "sandbox_kernel.policy": {"msgspec"},
    "sandbox_kernel.guest": set(),
}
"""Layer → the packages beside the standard library that it may import; a layer not listed is free to."""

CONFINED = {"docker": "sandbox_kernel/host/engines/docker/daemon.py"}
"""Package → the one module that may import it."""


def module_name(path):
    for name, tree in TREES.items():
        if path.is_relative_to(tree):
            parts = path.relative_to(tree).with_suffix("").parts
            return ".".join([name, *(part for part in parts if part != "__init__")])
    raise AssertionError(path)


def layer(module):
    """Return the layer that a module of ours belongs to; None for other people's modules."""
    parts = module.split(".")
    if parts[0] not in TREES:
        return None
    if parts[0] == "sandbox_provisioner" or len(parts) == 1:
        return parts[0]
    # A name that a package exports itself (sandbox_kernel.__version__) is the package's.
    return ".".join(parts[:2]) if ".".join(parts[:2]) in ALLOWED else parts[0]


def sources():
    """Return our modules; not the files of the guest's profile, which are data: ipykernel's, not ours."""
    every = sorted(path for tree in TREES.values() for path in tree.rglob("*.py"))
    return [path for path in every if path.parent.name != "profile" or path.name == "__init__.py"]


@cache
def tree_of(path):
    return ast.parse(path.read_text(), str(path))


def imports(path):
    """Return every module that a file names in an import, wherever in the file that is."""
    found = set()
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{stem}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in {
            "import_module",
            "__import__",
        }:
            found |= {argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)}
    return found


def confined(package, path):
    """Tell whether a package belongs to one module, and this is another."""
    return package in CONFINED and path != ROOT / CONFINED[package]


def violations(path, imported):
    """Return the imports of a file that its layer may not have."""
    own = layer(module_name(path))
    bad = set()
    for module in imported:
        other = layer(module)
        top = module.split(".")[0]
        if other is not None:
            if other not in {own, *ALLOWED[own]}:
                bad.add(module)
        elif top not in STANDARD and (top not in FOREIGN.get(own, {top}) or confined(top, path)):
            bad.add(module)
    return bad


def found(check, paths):
    """Return what a check finds, by file; nothing where all is well."""
    every = {path.relative_to(ROOT).as_posix(): check(path) for path in paths}
    return {name: wrong for name, wrong in every.items() if wrong}


def test_arrows():
    """Every module imports only what its layer may know."""
    assert not found(lambda path: violations(path, imports(path)), sources())


@pytest.mark.parametrize(
    ("where", "module"),
    [
        ("sandbox_kernel/wire/frames.py", "sandbox_kernel.errors.SandboxError"),
        ("sandbox_kernel/wire/frames.py", "zmq"),
        ("sandbox_kernel/policy/value.py", "sandbox_kernel.host.sandbox.Sandbox"),
        ("sandbox_kernel/policy/value.py", "traitlets"),
        ("sandbox_kernel/guest/relay.py", "sandbox_kernel.policy.Policy"),
        ("sandbox_kernel/guest/relay.py", "ipykernel"),
        ("sandbox_kernel/host/guard.py", "sandbox_provisioner"),
        ("sandbox_kernel/host/guard.py", "sandbox_kernel.cli.main"),
        ("sandbox_kernel/host/guard.py", "docker"),
        ("sandbox_kernel/notebooks/run.py", "sandbox_provisioner.SandboxProvisioner"),
        ("sandbox_kernel/notebooks/run.py", "sandbox_kernel.host.sandbox"),
        ("sandbox_kernel/batches/batch.py", "sandbox_provisioner.SandboxProvisioner"),
        ("sandbox_kernel/batches/batch.py", "sandbox_kernel.host.sandbox"),
        ("sandbox_kernel/batches/batch.py", "sandbox_kernel.cli.screen"),
        ("sandbox_kernel/checks/grading.py", "sandbox_kernel.host.sandbox"),
        ("sandbox_kernel/bench/run.py", "sandbox_provisioner.SandboxProvisioner"),
        ("sandbox_kernel/bench/trace.py", "sandbox_kernel.host.tunnel"),
        ("sandbox_kernel/cli/app.py", "sandbox_provisioner"),
        ("provisioner/sandbox_provisioner/provisioner.py", "sandbox_kernel.cli"),
        ("provisioner/sandbox_provisioner/provisioner.py", "docker.client"),
    ],
)
def test_wrong_arrows_are_found(where, module):
    """The check above sees an arrow that points the wrong way."""
    assert violations(ROOT / where, {module}) == {module}


def test_only_the_double_imports_the_guest():
    """On the host's side nothing runs the guest's code but the test double."""
    users = {
        path.name for path in TREES["sandbox_kernel"].rglob("host/**/*.py")
        if any(layer(module) == "sandbox_kernel.guest" for module in imports(path))
    }  # fmt: skip
    assert users <= {"memory.py"}


def test_every_layer_is_known():
    """A new package or module at the top has a place in the arrows."""
    found = {
        f"sandbox_kernel.{path.stem}"
        for path in TREES["sandbox_kernel"].iterdir()
        if path.suffix in {"", ".py"}
    }
    found = {name for name in found if not name.endswith(("__init__", "__pycache__"))}
    assert found <= ALLOWED.keys()


HARMLESS = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
)
REGISTRATIONS = {
    ("sandbox_kernel/host/living.py", "atexit.register"),
    ("sandbox_kernel/host/living.py", "os.register_at_fork"),
    ("sandbox_kernel/host/pool.py", "os.register_at_fork"),
    ("sandbox_kernel/host/engines/bubblewrap/template/templates.py", "atexit.register"),
    ("sandbox_kernel/host/engines/bubblewrap/template/templates.py", "os.register_at_fork"),
}
"""Calls at the top of a module that are known, with no effect until a sandbox runs."""
IMPORTED_WITH = {("sandbox_kernel/notebooks/__init__.py", "with grammar_later():")}
"""Blocks of imports at the top of a module, with something that is undone at their end."""
FORBIDDEN_CALLS = (
    "os.environ",
    "os.getenv",
    "socket.",
    "subprocess.",
    "random.seed",
    "warnings.",
    "print",
    "open",
)


def effects(path):
    """Return the statements at the top of a module that are more than definitions, as text."""
    found = set()
    for node in tree_of(path).body:
        text = ast.unparse(node)
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        guarded = isinstance(node, ast.If) and ast.unparse(node.test) in {
            "TYPE_CHECKING",
            "__name__ == '__main__'",
        }
        if docstring or guarded or is_known(path, node) or imports_with(path, node):
            continue
        if not isinstance(node, HARMLESS) or (isinstance(node, ast.Assign) and text_is_effect(node.value)):
            found.add(text)
    return found


def is_known(path, node):
    call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    return call and (path.relative_to(ROOT).as_posix(), ast.unparse(node.value.func)) in REGISTRATIONS


def imports_with(path, node):
    if not isinstance(node, ast.With) or not all(isinstance(one, ast.ImportFrom) for one in node.body):
        return False
    return (path.relative_to(ROOT).as_posix(), ast.unparse(node).splitlines()[0]) in IMPORTED_WITH


def text_is_effect(value):
    return any(
        ast.unparse(node.func).startswith(FORBIDDEN_CALLS)
        for node in ast.walk(value)
        if isinstance(node, ast.Call)
    ) or any(
        ast.unparse(node).startswith("os.environ")
        for node in ast.walk(value)
        if isinstance(node, ast.Attribute)
    )


def test_importing_does_nothing():
    """At the top of a module there are definitions: no environment is read, nothing is started or printed."""
    assert not found(effects, [path for path in sources() if path.name != "__main__.py"])


def test_the_package_is_inert():
    """Importing sandbox_kernel brings in nothing: the guest imports it inside the wall."""
    code = (
        "import sys; known = set(sys.modules); import sandbox_kernel; print(sorted(set(sys.modules) - known))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['sandbox_kernel']"


def test_the_launcher_needs_no_jupyter_client():
    """The argv launcher starts without importing jupyter_client: that would cost a fifth of a second."""
    code = "import sys, sandbox_provisioner.launcher; print('jupyter_client' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


OBEYING = frozenset({"pickle", "shelve", "dill", "cloudpickle", "joblib", "PIL", "imageio", "cv2"})
"""What makes objects, or gigabytes, of bytes: nothing outside has it look at those of a sandbox."""


INSIDE = frozenset({"guest", "raise_wall.py", "inside.py"})
"""What runs behind the wall, and goes on as code that it was given."""


def obeys(path):
    """Return what a module would have to look at bytes, or call to make a program of text."""
    names = {node.func.id for node in ast.walk(tree_of(path)) if is_call_by_name(node)}
    return {module for module in imports(path) if module.split(".")[0] in OBEYING} | names & {"eval", "exec"}


def is_call_by_name(node):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def test_nothing_outside_obeys_data():
    """No object is made of a pickle, no picture decoded, no text taken for a program (K20, K22)."""
    assert not found(obeys, [path for path in sources() if not INSIDE & {*path.relative_to(ROOT).parts}])
