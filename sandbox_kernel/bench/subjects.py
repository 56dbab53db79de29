"""Ways to run a kernel, and a scratch directory in which all of them are kernels with names."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

_ARGV = (sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}")

Pool = Literal["off", "default", "on"]
"""Whether warm sandboxes are kept for kernels to come; by default that is for the machine's memory to say."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One way to run a kernel."""

    name: str
    """What people call it, and `--engine` where it is a sandbox."""
    title: str
    provisioner: str | None = None
    """Starts the kernel; None: it is started by hand, see `container`."""
    config: Mapping[str, str] = field(default_factory=dict)
    """The kernelspec's own settings."""
    transport: str = "tcp"
    pool: Pool = "off"
    preload: str = ""
    """What its kernels have imported when they start, where they are forked."""

    @property
    def kernel(self) -> str:
        """The name of its kernelspec."""
        return f"bench-{self.name}"

    @property
    def sandboxed(self) -> bool:
        """Whether it is a kernel of ours."""
        return self.provisioner == "sandbox-provisioner"

    def to_json(self) -> str:
        """Return it as a worker reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Subject":
        """Return what `to_json` has written."""
        return cls(**json.loads(text))

    def with_pool(self, pool: Pool) -> "Subject":
        """Return the same kernel, in a process that keeps warm ones or does not."""
        return replace(self, pool=pool if self.sandboxed else "off")

    @property
    def forked(self) -> bool:
        """Whether its kernels share with each other what they have imported."""
        return self.name == "bubblewrap"

    def settings(self) -> dict[str, dict[str, int | str]]:
        """Return Jupyter's configuration for it."""
        if not self.sandboxed:
            return {}
        warm: dict[str, int | str] = {} if self.pool == "default" else {"warm": int(self.pool == "on")}
        return {"SandboxProvisioner": {**warm, "preload": self.preload}}


def _sandbox(name: str, title: str, **config: str) -> Subject:
    return Subject(name, title, "sandbox-provisioner", config)


PLAIN: Final = Subject("plain", "plain ipykernel", "local-provisioner")
"""What everything is compared with: ipykernel over TCP, as users have it."""

PLAIN_IPC: Final = Subject("plain-ipc", "plain, ipc", "local-provisioner", transport="ipc")

SANDBOXES: Final = {
    subject.name: subject
    for subject in (
        _sandbox("bubblewrap", "bubblewrap", engine="bubblewrap"),
        _sandbox("docker", "Docker", engine="docker"),
        _sandbox("gvisor", "gVisor", engine="docker", runtime="gvisor"),
        _sandbox("podman", "Podman", engine="podman"),
    )
}

BY_HAND: Final = Subject("docker-run", "`docker run -p`")
"""What people write themselves: a kernel in a container with published ports, without any wall of ours."""


class Scratch:
    """The kernelspecs of all subjects, a folder for their kernels to start in, and what goes with them."""

    def __init__(self, root: Path) -> None:
        self.work = root / "work"
        """Where kernels start: every user may read it, as engines ask."""
        self._root = root

    @property
    def environment(self) -> dict[str, str]:
        """The environment of workers: their kernels are found first, nothing of the user's is written to."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("SANDBOX_KERNEL_") and name != "JUPYTER_DEFAULT_PROVISIONER_NAME"
        }
        path = os.pathsep.join(filter(None, (str(self._root / "jupyter"), kept.get("JUPYTER_PATH"))))
        own = {"IPYTHONDIR": "ipython", "JUPYTER_CONFIG_DIR": "config", "XDG_STATE_HOME": "state"}
        return {**kept, "JUPYTER_PATH": path, **{name: str(self._root / at) for name, at in own.items()}}

    def install(self, subject: Subject) -> None:
        """Make a subject's kernel."""
        directory = self._root / "jupyter" / "kernels" / subject.kernel
        directory.mkdir(parents=True)
        stanza = {"provisioner_name": subject.provisioner, "config": subject.config}
        spec = {
            "argv": _ARGV,
            "display_name": subject.title,
            "language": "python",
            "metadata": {"kernel_provisioner": stanza},
        }
        (directory / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


@contextmanager
def scratch(*subjects: Subject) -> Iterator[Scratch]:
    """Have a scratch directory with these subjects' kernels; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="kernels-bench-") as path:
        root = Path(path)
        root.chmod(0o755)
        made = Scratch(root)
        made.work.mkdir(mode=0o755)
        made.work.chmod(0o755)
        for subject in subjects:
            if subject.provisioner:
                made.install(subject)
        yield made
