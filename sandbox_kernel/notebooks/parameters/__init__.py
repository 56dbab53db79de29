"""Parameters: values that a run puts into its notebook, as papermill's users know them.

`reading` makes values of what people write, `cell` puts them into the notebook, `literals` writes
them as Python, `inferred` says which a notebook has, `paths` fills them into names of files.
Nothing here executes code of a notebook; values become literals and nothing else.
"""

from sandbox_kernel.notebooks.parameters.cell import parameterize
from sandbox_kernel.notebooks.parameters.inferred import Parameter, inferred
from sandbox_kernel.notebooks.parameters.paths import fill

__all__ = ["Parameter", "fill", "inferred", "parameterize"]
