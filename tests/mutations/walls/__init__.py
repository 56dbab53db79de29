"""Every protection that is switched off, by what it belongs to."""

from tests.mutations.walls import (
    audit,
    bubblewrap,
    guard,
    guest,
    host,
    notebooks,
    policy,
    secrets,
    wire,
)

SECTIONS = (
    *bubblewrap.SECTIONS,
    *guest.SECTIONS,
    *wire.SECTIONS,
    *guard.SECTIONS,
    *host.SECTIONS,
    *policy.SECTIONS,
    *secrets.SECTIONS,
    *audit.SECTIONS,
    *notebooks.SECTIONS,
)
"""Title → mutations, in the order of README.md."""

MUTATIONS = tuple(mutation for _, mutations in SECTIONS for mutation in mutations)
