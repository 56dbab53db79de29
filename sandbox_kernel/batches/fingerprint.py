"""What a result was made of: by it, a later batch sees whether it would be made of the same again."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

from sandbox_kernel.batches.naming import canonical, digest
from sandbox_kernel.batches.plan import Job
from sandbox_kernel.notebooks.parameters.literals import plain

BATCH_KEY: Final = "sandbox_kernel_batch"
"""Where a batch writes it, in the metadata of a result. A run leaves it alone, and no kernel writes there."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Digests, each of one thing that a result depends on; files that its code reads are not among them."""

    notebook: str
    parameters: str
    folder: str
    kernel: str
    policy: str

    @classmethod
    def of(cls, job: Job, notebook: str, conditions: Mapping[str, Any]) -> Self:
        """Return the fingerprint of a job.

        :param notebook: the digest of what its notebook holds.
        :param conditions: the kernel's name under "kernel", and what else is the same for all jobs.
        """
        others = {name: value for name, value in conditions.items() if name != "kernel"}
        return cls(
            notebook=notebook,
            parameters=digest(canonical(plain(job.parameters))),
            folder=digest(os.fsencode(job.directory)),  # the same notebook reads other files elsewhere
            kernel=str(conditions["kernel"]),
            policy=digest(canonical(others)),
        )

    def note(self, metadata: dict[str, Any]) -> None:
        """Write it into a notebook's metadata, in place of any other."""
        metadata[BATCH_KEY] = asdict(self)

    def differences(self, noted: object) -> list[str]:
        """Return the names of what is not as it is noted in a result."""
        earlier = noted if isinstance(noted, Mapping) else {}
        return [item.name for item in fields(self) if earlier.get(item.name) != getattr(self, item.name)]
