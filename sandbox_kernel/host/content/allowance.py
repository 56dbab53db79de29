"""What one message may cost: a message has room for many displays, each within the limits of one.

An execute_reply names expressions, a widget holds outputs, a report has the states of many widgets.
Five kilobytes of them were a hundred figures, each with a copy of plotly.js before it.
"""

from typing import Final

MAX_FRAMES: Final = 16 << 20
"""Characters of the frames of one message, and the frame that goes over it: three figures with plotly.js."""

MAX_READ: Final = 4 << 20
"""Characters of HTML and SVG of one message that are written anew, each megabyte in 0.6 s."""


class Allowance:
    """What is left of it for the message that is being read."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin with another message."""
        self._frames, self._read = MAX_FRAMES, MAX_READ

    @property
    def has_frames(self) -> bool:
        """Whether there is room for one more frame."""
        return self._frames > 0

    @property
    def is_used_up(self) -> bool:
        """Whether anything of this message may be missing because of what was before it."""
        return self._frames <= 0 or self._read < 0

    def charge_frame(self, size: int) -> None:
        """Count a frame, or the attempt to make one."""
        self._frames -= size

    def read(self, size: int) -> bool:
        """Count text that is to be written anew; return whether it may be."""
        self._read -= size
        return self._read >= 0
