"""The values of the secrets that a policy grants, from where it says that they are."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sandbox_kernel.errors import PolicyError
from sandbox_kernel.policy import KiB, Policy, Secret, format_size
from sandbox_kernel.wire import SECRETS, Start

MAX_SECRET: Final = 64 * KiB
"""Bytes of one secret: a private key with its chain of certificates has ten thousand."""

MAX_SECRETS: Final = 96 * KiB
"""Bytes of all: in the worst case six times that in JSON, which must fit into the first message."""

DIRECTORY: Final = "SANDBOX_SECRETS"
"""The variable that tells code where its secrets are."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Values by name. Shown, it shows names only.

    No Struct, which tells whoever prints it prettily (`__rich_repr__`) all that it holds.
    """

    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What becomes a file, byte for byte; bytes that are not UTF-8 are lone surrogates."""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self.files or self.variables)

    def __repr__(self) -> str:
        return f"<Secrets {', '.join(self.values()) or 'none'}>"

    def values(self) -> dict[str, str]:
        """Return all values by name."""
        return {**self.files, **self.variables}

    def into(self, message: Start) -> Start:
        """Return the first message for a guest, with the secrets in it."""
        if not self:
            return message
        directory = {DIRECTORY: f"{message.runtime_dir}/{SECRETS}"} if self.files else {}
        return message._replace(
            env={**message.env, **self.variables, **directory}, secrets={**message.secrets, **self.files}
        )


NO_SECRETS: Final = Secrets()


def read_secrets(policy: Policy, environ: Mapping[str, str], directory: Path) -> Secrets:
    """Return the values of the secrets that the policy grants to a kernel in that directory.

    :raises PolicyError: one is not there, or cannot be passed in; names it, never its value.
    """
    files, variables = {}, {}
    for secret in policy.granted_secrets():
        if secret.kind == "file":
            _refuse_writable(secret, policy, directory)
        value = _value(secret, environ)
        if secret.delivery == "env":  # as a shell's $(cat PATH) would have it
            variables[secret.name] = value.rstrip("\r\n") if secret.kind == "file" else value
        else:
            files[secret.name] = value
    if sum(len(os.fsencode(value)) for value in (*files.values(), *variables.values())) > MAX_SECRETS:
        raise PolicyError(f"The secrets have more than {format_size(MAX_SECRETS)} in all; grant fewer.")
    return Secrets(files, variables)


def _value(secret: Secret, environ: Mapping[str, str]) -> str:
    if secret.kind == "env":
        if secret.place not in environ:
            raise PolicyError(
                f"The secret {secret.name} is to come from the variable {secret.place}, which is not set "
                f"where the kernel is started; set it, or write {secret.name}=file:PATH."
            )
        content = os.fsencode(environ[secret.place])
    else:
        content = _content(secret)
    if not content.strip():
        raise PolicyError(f"The secret {secret.name} ({secret.source}) is empty.")
    if len(content) > MAX_SECRET:
        raise PolicyError(
            f"The secret {secret.name} ({secret.source}) has more than {format_size(MAX_SECRET)}; "
            "share such a file with `mounts`."
        )
    if b"\0" in content:
        raise PolicyError(f"The secret {secret.name} ({secret.source}) is not text; encode it as base64.")
    return os.fsdecode(content)


def _refuse_writable(secret: Secret, policy: Policy, directory: Path) -> None:
    """Refuse a file in a folder that code may write to: a link in its place would give it any other."""
    trees = [mount.path for mount in policy.granted_mounts() if mount.mode == "rw"]
    trees += [directory] if policy.workspace == "rw" else []
    asked = Path(os.path.normpath(secret.place))
    for tree in {*trees, *(tree.resolve() for tree in trees)}:
        if asked.is_relative_to(tree) or asked.resolve().is_relative_to(tree):
            raise PolicyError(
                f"The secret {secret.name} is to come from {secret.place}, in a folder that the kernel may "
                "write to: code could put a link to any other file there. Keep it elsewhere."
            )


def _content(secret: Secret) -> bytes:
    """Return what is in a secret's file, or a little more than it may have; wait for no pipe's writer."""
    try:
        descriptor = os.open(secret.place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
            content = file.read(MAX_SECRET + 1) if regular else None
    except OSError as error:
        raise PolicyError(
            f"The secret {secret.name} cannot be read from {secret.place}: {error.strerror}."
        ) from error
    if content is None:
        raise PolicyError(
            f"The secret {secret.name} cannot be read from {secret.place}: it is no regular file."
        )
    return content
