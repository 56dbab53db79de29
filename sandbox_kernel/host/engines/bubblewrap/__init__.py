"""The embedded engine."""

from sandbox_kernel.host.engines.bubblewrap.engine import BubblewrapEngine

__all__ = ["BubblewrapEngine"]
