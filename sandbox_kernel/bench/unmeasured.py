"""The one failure of a measurement."""


class UnmeasuredError(Exception):
    """Something could not be measured; the message says why, in one sentence for people."""
