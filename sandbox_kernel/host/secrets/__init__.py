"""Secrets go in, and do not come out by accident.

`granted` reads the values that a policy names, when a kernel starts, and hands them to the one
stream that leads inside. No engine, command line, container setting or log ever holds them.
`forms` lists how a value looks in text, `masks` finds these in what a kernel says.

What this cannot do: a program that has a secret can spell it in a thousand ways, letter by
letter or encrypted. Masks protect from mistakes (a printed header, a traceback, a saved
notebook), the wall and `network = none` protect from malice.
"""

from sandbox_kernel.host.secrets.granted import NO_SECRETS, Secrets, read_secrets
from sandbox_kernel.host.secrets.masks import Masks, Tail

__all__ = ["NO_SECRETS", "Masks", "Secrets", "Tail", "read_secrets"]
