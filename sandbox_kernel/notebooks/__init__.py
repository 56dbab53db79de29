"""A notebook as a run: execute it from top to bottom, keep what it produced, say how it ended.

An ordinary Jupyter client. It asks for a kernel by name and knows nothing of walls; what a
sandbox adds (a trusted cause of death) is read, if it is there, from the kernel manager's
provisioner.
"""

from sandbox_kernel.notebooks.grammar import grammar_later

with grammar_later():
    from sandbox_kernel.notebooks.artifacts import Artifact
    from sandbox_kernel.notebooks.destination import Destination
    from sandbox_kernel.notebooks.files import read_notebook, write_notebook
    from sandbox_kernel.notebooks.progress import Cell, Progress
    from sandbox_kernel.notebooks.result import CellRecord, Outcome, Result
    from sandbox_kernel.notebooks.run import DEFAULT_KERNEL, NotebookRun, RunOptions, run_notebook

__all__ = [
    "DEFAULT_KERNEL",
    "Artifact",
    "Cell",
    "CellRecord",
    "Destination",
    "NotebookRun",
    "Outcome",
    "Progress",
    "Result",
    "RunOptions",
    "read_notebook",
    "run_notebook",
    "write_notebook",
]
