"""What both faces of a sandbox have in common: what it is asked for, and whose it is."""

import math
import os
import warnings
import weakref
from pathlib import Path
from typing import Any, NoReturn

from sandbox_kernel.errors import SessionError
from sandbox_kernel.policy import Policy
from sandbox_kernel.policy.units import UnusableError, parse_seconds
from sandbox_kernel.session.background import background
from sandbox_kernel.session.session import Session
from sandbox_kernel.session.settings import settings_for


class Face:
    """A sandbox that was asked for, and is started by whoever needs it first."""

    def __init__(
        self,
        policy: Policy | str | None = None,
        *,
        directory: str | os.PathLike[str] | None = None,
        **settings: Any,
    ) -> None:
        where = None if directory is None else Path(os.path.abspath(directory))  # noqa: PTH100 -- as written
        wanted = settings_for(policy, settings, where)
        self._asked = Policy.from_settings(wanted)
        self._home = background()
        self._process = os.getpid()
        self._session = Session(wanted, where, self._home)
        own = weakref.ref(self)
        self._session.wanted = lambda: own() is not None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._session}>"

    def __reduce__(self) -> NoReturn:
        raise SessionError("A sandbox cannot be sent to another process; make one there.")

    def __del__(self) -> None:
        """End a sandbox that nobody can end any more, and say that somebody should have."""
        if getattr(self, "_process", None) == os.getpid() and self._session.alive:
            warnings.warn(f"{self!r} was never closed; use `with`.", ResourceWarning, stacklevel=2)
            self._home.submit(self._session.close())

    @property
    def policy(self) -> Policy:
        """What it may do: once it runs, with what administrators have lowered; before, as asked for."""
        return self._session.policy or self._asked

    @property
    def wall(self) -> str | None:
        """What stands around it, for people: "bubblewrap"; None before its start and after its end."""
        return self._session.wall

    @property
    def provenance(self) -> dict[str, Any]:
        """Where its results come from, as documents have it: policy, engine, software, what it has used."""
        return self._session.provenance

    @property
    def ended(self) -> str | None:
        """Why it has ended and runs nothing until it is reset; None while it lives, or is yet to start.

        A sandbox that ends while nobody calls is seen to have ended by the next call.
        """
        return self._session.ended

    @property
    def _own(self) -> Session:
        """The session, for a call.

        :raises SessionError: this process is a fork of the one that the sandbox belongs to.
        """
        if self._process != os.getpid():
            raise SessionError(
                f"This sandbox belongs to process {self._process}, and this is a fork of it; make one here."
            )
        return self._session


def checked_code(code: str) -> str:
    """Return code that can be sent.

    :raises SessionError: it is no text, or none that can be written.
    """
    if not isinstance(code, str):
        raise SessionError(f"The code is to be a str, and not of type {type(code).__name__}.")
    try:
        code.encode()
    except UnicodeEncodeError as error:
        raise SessionError(f"The code is no text that can be sent: {error.reason}.") from None
    return code


def checked_timeout(timeout: float | str | None) -> float | None:
    """Return a call's deadline in seconds; texts are read as the policy's deadlines are: "90s", "none".

    :raises SessionError: it is none.
    """
    seconds = _seconds(timeout) if isinstance(timeout, str) else timeout
    if seconds is None or (
        isinstance(seconds, int | float)
        and not isinstance(seconds, bool)
        and math.isfinite(seconds)
        and seconds > 0
    ):
        return seconds
    raise SessionError(f"timeout={timeout!r:.80} is not a number of seconds above 0; None is no deadline.")


def _seconds(text: str) -> float | None:
    if text.strip().lower() == "none":
        return None
    try:
        return parse_seconds(text)
    except UnusableError as error:
        raise SessionError(f"timeout={text!r:.80} {error}.") from None
