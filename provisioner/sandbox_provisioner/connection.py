"""Connection information, as programs exchange it; and text, as terminals may have it."""

import re
from collections.abc import Mapping
from typing import Any

from sandbox_kernel.errors import PolicyError

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""All control characters but tabs and ends of lines."""


def printable(text: str) -> str:
    """Return a stranger's text without control characters: a log is read in somebody's terminal."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def written_connection(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return connection information as JSON can have it."""
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in info.items()}


def read_connection(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return connection information as jupyter_client has it: the key is bytes."""
    return {name: value.encode() if name == "key" else value for name, value in info.items()}


def refuse_encryption(manager: Any) -> None:
    """Refuse to run in the clear where encryption was demanded.

    jupyter_client leaves CurveZMQ to the provisioner and does not check afterwards. Clients
    reach a sandbox through sockets in a private directory, so there is no network to encrypt on.

    :raises PolicyError: the kernel manager demands it.
    """
    if getattr(manager, "transport_encryption", "disabled") == "required":
        raise PolicyError(
            "transport_encryption='required' cannot be kept: a sandboxed kernel speaks over unix sockets in "
            "a private directory, unencrypted. Set it to 'auto' or 'disabled'."
        )
    if getattr(manager, "curve_publickey", None) is not None:
        raise PolicyError("This kernel manager holds CurveZMQ keys, which a sandboxed kernel does not use.")
