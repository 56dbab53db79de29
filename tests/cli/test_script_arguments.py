"""`sandbox-kernel run SCRIPT -- ARGS`: what a script finds in `sys.argv`."""

from pathlib import Path

import nbformat
import pytest

from sandbox_kernel.cli.app import run_command
from tests.cli.conftest import Run

SHOWS = "import sys\nprint(sys.argv[1:])"


def test_they_are_the_scripts(sandbox_kernel: Run) -> None:
    """Whatever follows the first `--` that is no option's value goes to the script, as it is."""
    Path("a.py").write_text(f'# %% tags=["parameters"]\nend = 1\n# %%\n{SHOWS}')
    done = sandbox_kernel(
        "run", "a.py", "b.ipynb", "-p", "end", "--", "-q", "--log-output", "--", "-q", "it's", "--", b"\xff"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['-q', \"it's\", '--', '\\udcff']\n"
    assert nbformat.read("b.ipynb", as_version=4).cells[1].source == "# Parameters\nend = '--'\n"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            ["a.ipynb", "--", "1"],
            "for a Python script in a file, and a.ipynb is none; a notebook's parameters",
        ),
        (["-", "--", "1"], "the notebook on standard input is none"),
        (["a.py", "--prepare-only", "--", "1"], "--prepare-only runs none"),
        (
            ["a.py", "b.py", "c.py", "--", "1"],
            "what follows -- are the arguments of one script; run it by itself",
        ),
        (["--", "-a.ipynb"], "cannot read -a.ipynb"),
    ],
)
def test_nobody_would_get_them(
    own_place: None, capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    """Arguments that no script would get are refused, and nothing runs."""
    Path("a.py").write_text(SHOWS)
    assert run_command(["run", *words]) == 2
    assert complaint in capsys.readouterr().err
    assert [path.name for path in Path.cwd().iterdir()] == ["a.py"]


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [("0", 0, "ok"), ("None", 0, "ok"), ("2", 1, "SystemExit: 2")],
)
def test_a_script_may_end_itself(sandbox_kernel: Run, status: str, code: int, said: str) -> None:
    """As programs do, `sys.exit(main())`; what it says with that is how it has ended."""
    Path("a.py").write_text(f"import sys\nprint('done')\nsys.exit({status})\n# %%\nprint('never')")
    done = sandbox_kernel("run", "a.py", "b.ipynb")
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "To exit" not in done.stderr
    first, second = nbformat.read("b.ipynb", as_version=4).cells[-2:]
    assert [output.output_type for output in first.outputs] == ["stream", *["error"] * code]
    assert not second.outputs
