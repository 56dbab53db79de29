"""`papermill --engine sandbox`: what papermill users rely on, with the kernel behind a wall."""

import logging
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from sandbox_kernel.errors import NotebookError
from tests.leftovers import Census
from tests.plugins.conftest import BEHIND, Write

PROGRAM = Path(sys.executable).with_name("papermill")
MEMORY_BOMB = "held = []\nwhile True: held.append(bytearray(b'x') * (32 << 20))"
NOISY = """
import sys, time
print('one'); print('two')
sys.stderr.write('to stderr')
"""
SHOWN = "from IPython.display import HTML, display\ndisplay(HTML('<b>bold</b>'))\n6 * 7"


def execute(path: Path, **options: Any) -> NotebookNode:
    """Execute sandboxed, return what is saved."""
    out = path.with_name(f"out-{path.name}")
    papermill.execute_notebook(path, out, progress_bar=False, **{"engine_name": "sandbox", **options})
    return nbformat.read(out, as_version=4)


def told(nb: NotebookNode) -> Any:
    """Return all of a notebook that is not a moment, a duration or of our own making."""

    def without_times(value: Any) -> Any:
        if isinstance(value, dict):
            kept = {key: each for key, each in value.items() if key not in ("sandbox_kernel", "id")}
            return {key: without_times(each) for key, each in kept.items()}
        if isinstance(value, list):
            return [without_times(each) for each in value]
        moment = isinstance(value, float) or (isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value))
        return "a moment" if moment else value

    for cell in nb.cells:
        joined: list[Any] = []  # papermill keeps text in the pieces in which it came
        for output in cell.get("outputs", []):
            if joined and output.output_type == "stream" and joined[-1].get("name") == output.name:
                joined[-1].text += output.text
            else:
                joined.append(output)
        if cell.cell_type == "code":
            cell.outputs = joined
    return without_times(nb)


@pytest.mark.parametrize(
    ("tagged", "last", "fails"),
    [
        ("0", "print(number)", False),
        ("1 / 0", "2", True),
        ("0", "raise SystemExit(0)", False),
        ("0", "x", True),
    ],
)
def test_alike(
    notebook: Write, tmp_path: Path, caplog: pytest.LogCaptureFixture, tagged: str, last: str, fails: bool
) -> None:
    """Outputs, metadata, logs and files are those of papermill's own engine on the same kernel."""
    sources = (
        "number = 1",
        "# text",
        NOISY,
        "",
        SHOWN,
        tagged,
        "print('left out')",
        last,
        "# end",
        "'after'",
    )
    tags = {0: "parameters", 5: "raises-exception", 6: "skip-execution"}
    path = notebook("a.ipynb", *sources, kernel="sandboxed-python", tags=tags)
    caplog.set_level(logging.INFO, logger="papermill")
    seen = []
    for engine in (None, "sandbox"):
        caplog.clear()
        with (tmp_path / "stdout").open("w") as stdout, (tmp_path / "stderr").open("w") as stderr:
            files = {"stdout_file": stdout, "stderr_file": stderr}
            given = {"engine_name": engine, "parameters": {"number": 17}, "log_output": True, **files}
            try:
                ending = ""
                execute(path, **given)
            except papermill.PapermillExecutionError as error:
                ending = re.sub(r"File .*", "", str(error))
        log = [text for text in caplog.messages if not text.startswith("Sandbox: ")]
        text = [(tmp_path / name).read_text() for name in ("stdout", "stderr")]
        saved = nbformat.read(tmp_path / "out-a.ipynb", as_version=4)
        seen.append((told(saved), "\n".join(log), text, ending))
        assert bool(ending) == fails
    plain, sandboxed = seen
    assert sandboxed == plain


def test_any_python_kernel(notebook: Write) -> None:
    """The usual kernel is sandboxed; nothing of this process is changed for it."""
    before = dict(os.environ), KernelProvisionerFactory.instance().default_provisioner_name
    nb = execute(notebook("a.ipynb", BEHIND))
    assert nb.metadata.sandbox_kernel.outcome == "ok"
    assert (dict(os.environ), KernelProvisionerFactory.instance().default_provisioner_name) == before


def test_no_kernel_named(tmp_path: Path) -> None:
    """A notebook that names no kernel gets ours."""
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(BEHIND)])
    nbformat.write(nb, tmp_path / "a.ipynb")
    assert execute(tmp_path / "a.ipynb", language="python").metadata.sandbox_kernel.outcome == "ok"


async def test_where_a_loop_runs(notebook: Write) -> None:
    """It is called from a notebook, too, where an event loop runs already."""
    assert execute(notebook("a.ipynb", BEHIND)).metadata.sandbox_kernel.outcome == "ok"


def test_in_a_thread(notebook: Write) -> None:
    """It is called from any thread."""
    done: list[NotebookNode] = []
    path = notebook("a.ipynb", BEHIND)
    thread = threading.Thread(target=lambda: done.append(execute(path)))
    thread.start()
    thread.join(60)
    assert done[0].metadata.sandbox_kernel.outcome == "ok"


def test_a_kernel_that_is_started_otherwise(notebook: Write, tmp_path: Path, monkeypatch: Any) -> None:
    """A kernelspec that names another way to start its kernel is refused, and nothing runs."""
    spec = tmp_path / "kernels" / "outside" / "kernel.json"
    spec.parent.mkdir(parents=True)
    stanza = '"kernel_provisioner": {"provisioner_name": "local-provisioner"}'
    argv = f'["{sys.executable}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"]'
    spec.write_text(
        f'{{"argv": {argv}, "display_name": "x", "language": "python", "metadata": {{{stanza}}}}}'
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    ran = tmp_path / "ran"
    with pytest.raises(NotebookError, match=r"'outside' is started by 'local-provisioner'"):
        execute(notebook("a.ipynb", f"open({str(ran)!r}, 'w')", kernel="outside"))
    assert not ran.exists()


def test_unknown_options(notebook: Write) -> None:
    """An option that would have another meaning, or none, is refused: a kernel of one's own, for example."""
    with pytest.raises(NotebookError, match="has no option 'km'"):
        execute(notebook("a.ipynb", "1"), km=object())


def test_memory(notebook: Write, monkeypatch: pytest.MonkeyPatch, no_leftovers: Census) -> None:
    """A kernel that was killed for its memory is a dead kernel, with the reason; what it did is saved."""
    monkeypatch.setenv("SANDBOX_KERNEL_MEMORY", "256m")
    path = notebook("a.ipynb", "print('before')", MEMORY_BOMB, "'after'")
    with pytest.raises(DeadKernelError, match=r"256 MiB memory .* SANDBOX_KERNEL_MEMORY=2g"):
        execute(path)
    nb = nbformat.read(path.with_name("out-a.ipynb"), as_version=4)
    assert nb.metadata.sandbox_kernel.outcome == "memory"
    assert [cell.metadata.papermill.status for cell in nb.cells] == ["completed", "failed", "pending"]
    assert nb.cells[0].outputs[0].text == "before\n"
    assert "256 MiB" in nb.cells[1].outputs[-1].evalue
    assert nb.metadata.papermill.exception


def test_execution_timeout(notebook: Write) -> None:
    """papermill's deadline of a cell ends as in its own engine, and what was printed is kept."""
    path = notebook("a.ipynb", "import time\nprint('before', flush=True)\ntime.sleep(60)")
    with pytest.raises(CellTimeoutError, match=r"deadline of 1 s passed in cell 1"):
        execute(path, execution_timeout=1)
    nb = nbformat.read(path.with_name("out-a.ipynb"), as_version=4)
    assert nb.cells[0].outputs[0].text == "before\n"
    assert (nb.metadata.sandbox_kernel.outcome, nb.cells[0].metadata.papermill.status) == (
        "timeout",
        "failed",
    )


HOSTILE = """
from IPython import get_ipython
deep = []
for _ in range(300): deep = [deep]
get_ipython().display_pub.publish({'application/json': deep})
print(chr(27) + ']0;title')
"""


def test_hostile_output(notebook: Write) -> None:
    """What cannot be written is replaced; papermill writes the notebook nevertheless."""
    nb = execute(notebook("a.ipynb", HOSTILE, "1"), autosave_cell_every=0.0001)
    nbformat.validate(nb)
    assert nb.metadata.sandbox_kernel.outcome == "ok"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals(notebook: Write, tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and Ctrl-C keep every output, also that of the cell that they end."""
    path = notebook("a.ipynb", "print('done')", "print('begun', flush=True)\nimport time; time.sleep(60)")
    out, heard = tmp_path / "out.ipynb", tmp_path / "stdout"
    command = [PROGRAM, "--engine", "sandbox", "--no-progress-bar", "--stdout-file", heard, path, out]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as program:
        while not (heard.exists() and "begun" in heard.read_text()):
            assert program.poll() is None
            threading.Event().wait(0.05)
        program.send_signal(number)
        program.communicate(timeout=30)
    assert program.returncode == {signal.SIGTERM: 143, signal.SIGINT: 1}[number]
    nb = nbformat.read(out, as_version=4)
    assert [cell.outputs[0].text for cell in nb.cells] == ["done\n", "begun\n"]
    assert [cell.metadata.papermill.status for cell in nb.cells] == ["completed", "failed"]
    assert nb.metadata.sandbox_kernel.outcome == "cancelled"
    assert number.name in nb.metadata.sandbox_kernel.message


def test_exit_code_of_a_dead_kernel(notebook: Write, tmp_path: Path) -> None:
    """The program exits with 138, as papermill does."""
    path = notebook("a.ipynb", "import os; os._exit(3)")
    done = subprocess.run(
        [PROGRAM, "--engine", "sandbox", path, tmp_path / "out.ipynb"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 138
    assert "Cell 1:" in done.stderr.splitlines()[-1]


def test_nothing_is_imported_for_other_engines() -> None:
    """papermill loads the engine's name in every run of its; that imports nothing of ours but the name."""
    code = "import sys, papermill.engines; print(*(n for n in sys.modules if n.startswith('sandbox_')))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [
        "sandbox_kernel",
        "sandbox_kernel.plugins",
        "sandbox_kernel.plugins.papermill",
    ]
