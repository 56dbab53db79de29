"""What nobody has to wait for: imports of what is not used."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox_kernel.cli.app import COMMANDS
from sandbox_kernel.cli.imports import FORMATS
from sandbox_kernel.host import registry
from sandbox_kernel.host.front import Front
from sandbox_kernel.notebooks import DEFAULT_KERNEL
from tests.cli.conftest import Run

JUPYTER = {"jupyter_client", "jupyter_core", "traitlets", "zmq", "nbformat", "nbclient", "IPython"}
SLOW = {*JUPYTER, "docker", "requests", "rich", "asyncio"}
"""Each takes as long to import as all that a command line needs to say how it is used."""

ASKING = """
import json, os, sys
before = set(sys.modules)
{act}
print(json.dumps(sorted({{name.partition(".")[0] for name in set(sys.modules) - before}})))
"""
CALL = """
import contextlib, io
from sandbox_kernel.cli.app import run_command
with contextlib.redirect_stdout(io.StringIO()):
    assert run_command({arguments!r}) == 0
"""


def imported(act: str) -> set[str]:
    """Return the packages that a new interpreter has imported after doing it."""
    code = ASKING.format(act=act)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


LEAN = [name for name in COMMANDS if name != "bench"]
"""Its help lists the figures, from a part that imports what it measures with."""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["ps"], ["ps", "--json"], *([name, "--help"] for name in LEAN)],
    ids=" ".join,
)
def test_what_is_slow_is_imported_when_it_is_used(arguments: list[str]) -> None:
    """Help, and the list of what runs, come without Jupyter, an event loop, tables or a daemon's client."""
    found = imported(CALL.format(arguments=arguments))
    assert "click" in found
    assert not found & SLOW


def test_what_runs_is_listed_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there is something to list."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    front = Front.create()
    registry.enter(front.directory, name="0123", pid=os.getpid(), engine="x", memory=1, directory=tmp_path)
    assert not imported(CALL.format(arguments=["ps"])) & SLOW
    front.close()


def test_bubblewrap_needs_no_client_of_a_daemon(notebook: Callable[..., Path]) -> None:
    """The plug is loaded, and a kernel run behind bubblewrap, without what speaks to containers."""
    assert not imported("import sandbox_provisioner.provisioner") & {
        *("docker", "requests", "urllib3", "rich", "click", "nbformat", "nbclient", "jsonschema", "IPython")
    }
    # What makes output harmless is imported while the wall is built.
    plug = imported("import sandbox_provisioner.provisioner, sandbox_kernel.host.engines.bubblewrap")
    assert not plug & {"nh3", "markdown_it", "xml"}
    found = imported(CALL.format(arguments=["run", "-q", str(notebook("a.ipynb", "6 * 7"))]))
    assert "sandbox_provisioner" in found
    assert not found & {"docker", "requests", "urllib3", "yaml", "fsspec", *FORMATS}


SHOWN = (
    {"text/html": "<b onclick=1>a</b>"},
    {"text/html": "<script>1</script>"},
    {"text/markdown": "<b onclick=1>a</b> [a](http://\xe4.b) &auml; ![a](b)\n\n|a|\n|-|\n|b|"},
    {"image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg"><g a="\xe4"/><script/></svg>'},
    {"text/latex": "$\\href{a}{b}$", "application/javascript": "1"},
    {"application/vnd.plotly.v1+json": {"data": [], "layout": {"height": 1}}},
    {"application/vnd.vegalite.v5+json": {"mark": "bar"}, "application/vnd.jupyter.widget-view+json": {}},
)


def test_no_output_makes_the_host_import_anything() -> None:
    """Where a folder is shared `rw` that this process imports from, code may have left a module there."""
    code = f"""
import json, sys
from sandbox_kernel.host.content import content_filters
from sandbox_kernel.policy import Policy
known = set(sys.modules)
for mode in ("isolate", "strip"):
    [clean] = content_filters(Policy(html=mode))
    for data in {SHOWN!r}:
        for kind in ("display_data", "execute_result", "comm_open", "comm_msg", "error", "stream"):
            clean(kind, {{"comm_id": "a", "data": data, "text": "\x1b[1m", "evalue": "\x9b"}})
print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}} - known)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == []


def test_no_start_makes_dozens_of_dataclasses() -> None:
    """Each would take half a millisecond, where the classes of the plug and the host are made anew."""
    code = """
import dataclasses, json, sys
import sandbox_provisioner.provisioner, sandbox_kernel.host.engines.bubblewrap
loaded = [module for name, module in sys.modules.items() if name.startswith("sandbox_")]
classes = {one for module in loaded for one in vars(module).values() if isinstance(one, type)}
made = [one for one in classes if dataclasses.is_dataclass(one) and one.__module__.startswith("sandbox_")]
print(json.dumps([one.__qualname__ for one in made]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == ["Secrets"]  # see there


def test_a_kernel_is_installed_without_what_checks_formats(tmp_path: Path) -> None:
    """Who installs a kernel needs of what reads notebooks a name, and waits for no grammar."""
    found = imported(CALL.format(arguments=["install", "--prefix", str(tmp_path)]))
    assert "nbformat" in found
    assert not found & {*FORMATS}


def test_submissions_are_checked_without_what_checks_formats(tmp_path: Path) -> None:
    """Who grades waits for no grammar either."""
    (tmp_path / "answer.py").write_text("answer = 42\n")
    (tmp_path / "checks.yaml").write_text("checks: [{kind: variable_exists, variable: answer}]\n")
    arguments = ["check", "-q", str(tmp_path / "answer.py"), str(tmp_path / "checks.yaml")]
    found = imported(CALL.format(arguments=arguments))
    assert "nbformat" in found
    assert not found & {*FORMATS}


GRAMMAR = """
def is_valid_syntax(term, value):
    return value == "address"
def parse(term, value):
    return value
"""


def test_no_program_waits_for_a_grammar_that_it_does_not_use(tmp_path: Path) -> None:
    """`Sandbox` comes without it, and who asks jsonschema of an address afterwards is told the truth."""
    (tmp_path / "rfc3987_syntax.py").write_text(GRAMMAR)
    act = f"""
sys.path.insert(0, {str(tmp_path)!r})
from sandbox_kernel import Sandbox
"""
    found = imported(act)
    assert {"nbformat", "jsonschema"} <= found
    assert "rfc3987_syntax" not in found
    asked = f"""{act}
from jsonschema import FormatChecker
assert FormatChecker().conforms("address", "iri") and not FormatChecker().conforms("no address", "iri")
"""
    assert "rfc3987_syntax" in imported(asked)


def test_all_of_what_comes_later_is_there_at_once_if_it_must(tmp_path: Path) -> None:
    """Should jsonschema take something else from it, it gets that."""
    (tmp_path / "rfc3987_syntax.py").write_text(GRAMMAR)
    act = f"""
sys.path.insert(0, {str(tmp_path)!r})
from sandbox_kernel.notebooks.grammar import grammar_later
del sys.modules["jsonschema"]
with grammar_later():
    from rfc3987_syntax import is_valid_syntax, parse
assert parse("iri", 1) == 1 and not is_valid_syntax("iri", 1)
"""
    assert "rfc3987_syntax" in imported(act)


def test_what_is_left_out_can_still_be_imported(tmp_path: Path) -> None:
    """What notebooks are read without is not kept from whoever imports it afterwards."""
    for name in FORMATS:
        (tmp_path / f"{name}.py").touch()
    act = f"""
from sandbox_kernel.cli.imports import for_notebooks
sys.path.insert(0, {str(tmp_path)!r})
with for_notebooks():
    import nbformat
assert not set({FORMATS!r}) & set(sys.modules)
import {", ".join(FORMATS)}
"""
    assert set(FORMATS) <= imported(act)


def test_help_names_the_kernel(sandbox_kernel: Run) -> None:
    """Help says which kernel is the default, though it does not import who knows."""
    for name in ("run", "install"):
        shown = " ".join(sandbox_kernel(name, "--help").stdout.split())
        assert f"[default: {DEFAULT_KERNEL}]" in shown
