"""Untrusted notebook kernels behind a wall.

Inert on purpose: the guest inside the sandbox imports this package too, so importing it
must cost nothing and pull in nothing.
"""

__version__ = "0.1.0"
