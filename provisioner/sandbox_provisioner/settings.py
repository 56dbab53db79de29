"""The traits: every policy field, and every administrator's maximum.

Traits hold what was written, as it was written; `Policy` alone understands it. So a value
is refused in the same words wherever it comes from, and whether something was set at all
stays known: a trait that nobody set leaves its field to the profile.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final

from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Bool, Int, TraitType

from sandbox_kernel.errors import PolicyError
from sandbox_kernel.host.audit import AUDIT_NAMES
from sandbox_kernel.policy import MAXIMA_NAMES, Layer


class _Unset(Enum):
    """A member of an enumeration stays itself when traitlets copies configuration."""

    UNSET = "not set"

    def __repr__(self) -> str:
        return "(not set)"


UNSET: Final = _Unset.UNSET


class Setting(TraitType[Any, Any]):
    """Whatever was written: text, number, list."""

    default_value = UNSET
    info_text = "a policy value"

    def from_string(self, text: str) -> Any:
        """Return text from a command line as it is."""
        return text

    def from_string_list(self, texts: list[str]) -> Any:
        """Return an option that was given several times as a list."""
        return texts if len(texts) > 1 else texts[0]


def _setting(text: str) -> Setting:
    return Setting(help=f"{text} Not set: the profile decides.").tag(config=True)


def _maximum(text: str) -> Setting:
    return Setting(help=f"{text} Binds kernelspecs, environment and configuration alike.").tag(config=True)


def _audit(text: str) -> Setting:
    return Setting(help=f"{text} Kernelspecs have no say in it.").tag(config=True)


class PolicySettings(KernelProvisionerBase):
    """What a sandbox is to be allowed, in the words of whoever configures Jupyter; still abstract."""

    profile = _setting('The starting point: "default" or "strict".')
    engine = _setting('How the wall is built: "auto", "bubblewrap", "docker" or "podman".')
    image = _setting("The container's image (docker, podman).")
    runtime = _setting("What runs the container: gvisor, kata, or what the daemon calls it.")
    memory = _setting('Memory of the whole sandbox, swap included: "512m", "2g".')
    cpus = _setting("CPU seconds per second: 1.5.")
    pids = _setting("Processes and threads.")
    tmp = _setting('Space in each of /tmp, the home directory and /dev/shm: "256m".')
    files = _setting("Open files of each process.")
    workspace = _setting('The notebook\'s directory: "none", "ro" or "rw".')
    network = _setting('"none": only the loopback interface.')
    mounts = _setting('More paths of the host: a list of "PATH:ro" or "PATH:rw".')
    env = _setting("Names of the host's environment variables to pass in: a list.")
    secrets = _setting("Secrets to pass in and to mask in outputs: a list of NAME or NAME=file:PATH.")
    preload = _setting("Modules that kernels have imported when they start: a list.")
    start_timeout = _setting('Longest start of a kernel, until it answers: "60s", "2m".')
    cell_timeout = _setting('Longest run of one cell: "90s", "10m", "none".')
    session_timeout = _setting('Longest life of one kernel: "8h", "none".')
    idle_timeout = _setting('How long a kernel may idle, with nobody asking for anything: "1h", "none".')
    output = _setting('What one cell may send: "256m".')
    output_rate = _setting('What may be sent in a second, on average over ten: "4m", "none".')
    outputs = _setting("Outputs of one cell: displays, results, errors, runs of text.")
    message = _setting('Longest single output: "128m".')
    html = _setting('Active output in the browser: "isolate", "strip" or "trust".')
    code = _setting('Longest piece of code: "16m".')

    max_memory = _maximum("Most memory that anyone may ask for.")
    max_cpus = _maximum("Most CPUs that anyone may ask for.")
    max_pids = _maximum("Most processes that anyone may ask for.")
    max_tmp = _maximum("Most temporary space that anyone may ask for.")
    max_files = _maximum("Most open files that anyone may ask for.")
    max_workspace = _maximum('Most that the notebook\'s directory may be shared: "none", "ro" or "rw".')
    max_start_timeout = _maximum("Longest start of a kernel that anyone may ask for.")
    max_cell_timeout = _maximum("Longest deadline of a cell; with it, no cell is without one.")
    max_session_timeout = _maximum("Longest life of a kernel; with it, no kernel is without an end.")
    max_idle_timeout = _maximum("Longest idling of a kernel; with it, each forgotten kernel ends.")
    max_output = _maximum("Most output of a cell that anyone may ask for.")
    max_output_rate = _maximum("Most output in a second; with it, no kernel is without a rate.")
    max_outputs = _maximum("Most outputs of a cell that anyone may ask for.")
    max_message = _maximum("Longest single output that anyone may ask for.")
    max_html = _maximum('Most that active output may do in the browser: "strip", "isolate" or "trust".')
    max_code = _maximum("Longest piece of code that anyone may ask for.")
    allowed_mounts = _maximum('Trees in which mounts must lie: a list of "PATH:ro" or "PATH:rw".')
    allowed_env = _maximum("Variables that may be passed in: a list of names.")
    allowed_preload = _maximum("Modules that kernels may have imported when they start: a list of names.")
    allowed_secrets = _maximum("Secrets that may be passed in, by where they are from: a list as `secrets`.")

    warm = Int(
        None,
        min=0,
        max=16,
        allow_none=True,
        help="Sandboxes that are kept ready for kernels like those that were started twice, one for each "
        "kind; 0: none. Not set: one, where there are 8 GiB of memory. Kernelspecs have no say in it.",
    ).tag(config=True)

    template = Bool(
        True,
        help="Whether kernels like those that were started twice are forked from a process that has imported "
        "what they need, where that can be done (bubblewrap). Kernelspecs have no say in it.",
    ).tag(config=True)

    audit = _audit(
        'Whether what runs is written down: "on" (the default), "off", or "required": or nothing runs.'
    )
    audit_code = _audit("Whether the code of cells is kept in the audit log, and not only its hash.")
    audit_log = _audit("Where the audit log is, in place of $XDG_STATE_HOME/sandbox-kernel/audit.jsonl.")
    audit_size = _audit('What the audit log and its predecessors may take together: "64m".')

    def written(self, names: Iterable[str]) -> dict[str, object]:
        """Return what was set, of these names."""
        return {name: value for name in names if (value := getattr(self, name)) is not UNSET}


def kernelspec_layer(settings: Mapping[str, object], kernel_name: str) -> Layer:
    """Return what a kernelspec's `config` says, as a layer.

    :raises PolicyError: it sets what is for administrators.
    """
    for name in settings.keys() & {*MAXIMA_NAMES, *AUDIT_NAMES}:
        raise PolicyError(
            f'"{name}" in kernelspec {kernel_name} is for administrators; '
            f"it belongs in Jupyter's configuration, as c.SandboxProvisioner.{name}."
        )
    return Layer(settings, f"kernelspec {kernel_name}")
