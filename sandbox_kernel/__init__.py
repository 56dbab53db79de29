"""Untrusted notebook kernels behind a wall.

Inert on purpose: the guest inside the sandbox imports this package too, so importing it
must cost nothing and pull in nothing. Its classes are imported when they are asked for.
"""

TYPE_CHECKING = False  # typing's own would have to be imported
if TYPE_CHECKING:
    from sandbox_kernel.policy import Policy
    from sandbox_kernel.session import AsyncSandbox, Sandbox

__all__ = ["AsyncSandbox", "Policy", "Sandbox", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name in ("AsyncSandbox", "Sandbox"):
        from sandbox_kernel import session  # noqa: PLC0415 -- see above

        return getattr(session, name)
    if name == "Policy":
        from sandbox_kernel.policy import Policy  # noqa: PLC0415 -- see above

        return Policy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
