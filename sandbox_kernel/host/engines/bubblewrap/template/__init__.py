"""Kernels that are forked instead of started: in a fraction of the time, with their libraries shared.

    Templates ── one for each kind of kernel ── Template ── begin.py ── program/ipykernel_launcher.py

Rules:

* PID 1 of a sandbox is started the usual way, always. Only its kernel may be a fork, which becomes
  its child; if there is none in time, or anything is different about it, PID 1 starts a kernel itself.
* A template runs outside of every wall, so it runs our own interpreter only, with the packages that
  this process may import as well. (Another environment may lie where a sandbox once wrote to.)
* It knows nothing of a user's: kernels to which variables of the host's are granted are not forked.
* The second launch of a kind starts it, and does not wait for it: whoever runs one notebook pays nothing,
  and nobody starts later than without. It ends
  soon after the last kernel of this process has, and with the process, however that ends.

What forks share, by their nature: the layout of their memory, and the seed of Python's hashes.
"""

from sandbox_kernel.host.engines.bubblewrap.template.template import (
    Forked,
    Recipe,
    TemplateError,
    Walls,
    clear_scratch,
)
from sandbox_kernel.host.engines.bubblewrap.template.templates import TEMPLATES, Templates, recipe_for

__all__ = [
    "TEMPLATES",
    "Forked",
    "Recipe",
    "TemplateError",
    "Templates",
    "Walls",
    "clear_scratch",
    "recipe_for",
]
