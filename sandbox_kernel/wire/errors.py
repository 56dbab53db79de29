"""Whose fault it was.

`LocalProtocolError` is a bug on our side. `RemoteProtocolError` is a broken or hostile peer
and ends the sandbox with a cause. Any other exception out of this package is a bug in it.
"""


class ProtocolError(Exception):
    """The rules of the stream between guest and host were broken; see the subclasses."""


class LocalProtocolError(ProtocolError):
    """We asked for something that the protocol does not allow."""


class RemoteProtocolError(ProtocolError):
    """The other side sent something that the protocol does not allow."""
