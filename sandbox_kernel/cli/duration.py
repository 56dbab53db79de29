"""Times on the command line, written as everywhere else: 90, 1.5, 5m, 2h, none."""

import click

from sandbox_kernel.policy.fields import KINDS


def seconds(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    """Return an option's value in seconds, read as the policy's deadlines are; None for "none".

    :raises click.BadParameter: it is not a time.
    """
    if value is None:
        return None
    try:
        read = KINDS["session_timeout"].read(value)
    except ValueError as refusal:
        raise click.BadParameter(f"{value!r} {refusal}.") from None
    return read if isinstance(read, float) else None
