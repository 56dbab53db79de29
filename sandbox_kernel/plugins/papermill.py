"""What papermill knows as the engine `sandbox`; it imports this in every run, whichever engine that uses.

The engine's base class is papermill's, in a module that loads all engines before it is complete. So here
is a class of its own, which passes everything on once an engine is used.
"""

from typing import Any


class SandboxEngine:
    """`papermill --engine sandbox`: the notebook's kernel, behind a wall."""

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, **options: Any) -> Any:
        """Execute a notebook as papermill's own engine does; return it.

        :raises SandboxError: there is no such kernel, or no wall for it; no cell ran.
        :raises nbclient.exceptions.CellTimeoutError: a deadline passed.
        :raises nbclient.exceptions.DeadKernelError: the kernel died or was killed; the message says why.
        """
        from sandbox_kernel.plugins.papermill_engine import Engine  # noqa: PLC0415 -- see above

        return Engine.execute_notebook(nb, kernel_name, **options)

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        """Return the kernel that was asked for, else the notebook's, else ours."""
        from sandbox_kernel.notebooks import DEFAULT_KERNEL  # noqa: PLC0415 -- see above

        return name or nb.metadata.get("kernelspec", {}).get("name") or DEFAULT_KERNEL

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> str:
        """Return the language that the notebook is written in, as papermill finds it."""
        from papermill.utils import nb_language  # type: ignore[import-untyped]  # noqa: PLC0415 -- see above

        return str(nb_language(nb, language))
