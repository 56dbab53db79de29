"""Which signals cancel what the command line does."""

import signal


def cancelling() -> tuple[signal.Signals, ...]:
    """Return Ctrl-C, SIGTERM, and a terminal's end, unless we were told to outlast that (`nohup`)."""
    outlasts = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM, *(() if outlasts else (signal.SIGHUP,)))
