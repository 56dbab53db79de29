"""Every protection that is switched off, by what it belongs to."""

from tests.mutations.walls import (
    artifacts,
    audit,
    batches,
    browser,
    bubblewrap,
    calls,
    checks,
    docker,
    guard,
    guest,
    host,
    limits,
    notebooks,
    others,
    parameters,
    policy,
    pool,
    programs,
    secrets,
    session,
    template,
    wire,
)

SECTIONS = (
    *bubblewrap.SECTIONS,
    *limits.SECTIONS,
    *calls.SECTIONS,
    *docker.SECTIONS,
    *guest.SECTIONS,
    *wire.SECTIONS,
    *guard.SECTIONS,
    *host.SECTIONS,
    *pool.SECTIONS,
    *programs.SECTIONS,
    *template.SECTIONS,
    *policy.SECTIONS,
    *secrets.SECTIONS,
    *browser.SECTIONS,
    *audit.SECTIONS,
    *notebooks.SECTIONS,
    *artifacts.SECTIONS,
    *batches.SECTIONS,
    *parameters.SECTIONS,
    *checks.SECTIONS,
    *others.SECTIONS,
    *session.SECTIONS,
)
"""Title → mutations, in the order of README.md."""

MUTATIONS = tuple(mutation for _, mutations in SECTIONS for mutation in mutations)
