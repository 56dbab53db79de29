"""What to do about an error that the wall has probably caused.

Code in a sandbox meets a limit as an ordinary error of the operating system, which says nothing of
sandboxes. A hint says which option to look at. Name and text of the error come from the kernel, which
may write what it likes: they choose among our own sentences and change nothing else.
"""

import os
import re
from collections.abc import Callable

from sandbox_kernel.policy import PROFILES, Policy, format_seconds, format_size

_Hint = Callable[[Policy], str]
QUOTES = "'\""


def hint(name: str, text: str, policy: Policy) -> str | None:
    """Return a sentence on the error of that name and text, None where there is nothing to say."""
    key = text.strip(QUOTES)
    if name == "KeyError" and key in os.environ:  # and not for each key that a table lacks
        return f"a sandbox sees none of this machine's variables; --env {key} shows it this one."
    said = f"{name}: {text[:2000]}"
    return next((sentence(policy) for pattern, sentence in _HINTS if pattern.search(said)), None)


def _read_only(policy: Policy) -> str:
    if policy.workspace == "rw":
        return "only the notebook's folder, /tmp and the home directory may be written to here."
    return (
        "the notebook's folder is read-only here: write to /tmp, or to the folder in $SANDBOX_ARTIFACTS with "
        "--artifacts DIR, to keep it; --workspace rw shares the notebook's folder for writing."
    )


def _no_files(policy: Policy) -> str:
    if policy.workspace == "none":
        return "the notebook's folder is not shared here; --workspace ro shows its files."
    return "a sandbox sees no files but those of the notebook's folder; --mount PATH shares more."


def _full(policy: Policy) -> str:
    return f"a sandbox's /tmp, home and /dev/shm hold {format_size(policy.tmp)} each; --tmp allows more."


def _processes(policy: Policy) -> str:
    return f"this kernel may have {policy.pids} processes and threads; --pids allows more."


def _open_files(policy: Policy) -> str:
    return f"each process may have {policy.files} files open; --files allows more."


def _memory(policy: Policy) -> str:
    return f"this kernel may use {format_size(policy.memory)}; --memory allows more."


def _network(_policy: Policy) -> str:
    return "a sandbox has no network; fetch data and install packages outside, into the same environment."


def _install(_policy: Policy) -> str:
    return (
        "a sandbox has no network, and its packages are read-only: install them outside, into the same "
        "environment (or image)."
    )


def _input(_policy: Policy) -> str:
    return (
        "nobody can answer input() in a run: write the value into the notebook, "
        "or open it in Jupyter on a sandboxed kernel."
    )


def _artifacts(_policy: Policy) -> str:
    return (
        "the folder $SANDBOX_ARTIFACTS is there where somebody wants what the code leaves in it: "
        "--artifacts DIR, or FILE.zip, says where that goes."
    )


def _file(_policy: Policy) -> str:
    return (
        "a notebook has no __file__, only a script in a file has; it starts in its own folder, "
        "which is Path.cwd()."
    )


def _loop(_policy: Policy) -> str:
    return "a kernel's event loop runs already: write `await main()` in the place of `asyncio.run(main())`."


def _packages(policy: Policy) -> str:
    if policy.engine != "bubblewrap":
        return (
            "the kernel has the packages of its environment, or of its image where it runs in a container "
            "(--image names another; --engine bubblewrap takes this environment); "
            "install more there, outside the sandbox."
        )
    return "the kernel has the packages of its environment; install more there, outside the sandbox."


def _cell_deadline(policy: Policy) -> str:
    return _deadline(policy, "cell_timeout", "each cell, its imports included,", "--cell-timeout")


def _session_deadline(policy: Policy) -> str:
    return _deadline(policy, "session_timeout", "the whole run", "--session-timeout")


def _deadline(policy: Policy, name: str, what: str, option: str) -> str:
    allowed = getattr(policy, name)
    if allowed is None:  # the administrator's, or another program's: no option moves it
        return f"{what} has a deadline that no option here has set."
    own = PROFILES[policy.profile].get(name) == allowed
    whose = f"the profile {policy.profile} gives" if own else "this policy gives"
    return f"{whose} {what} {format_seconds(allowed)}; {option} allows more."


_HINTS: tuple[tuple[re.Pattern[str], _Hint], ...] = tuple(
    (re.compile(pattern), sentence)
    for pattern, sentence in (
        (r"^: .*\b(?:The cell's deadline of .+ passed|deadline of .+ for a cell passed)", _cell_deadline),
        (
            r"^: .*\b(?:The session's deadline of .+ passed|deadline of .+ for this session passed)",
            _session_deadline,
        ),
        (r"\[Errno 30\]|Read-only file system", _read_only),
        (r"\[Errno 28\]|No space left on device", _full),
        (r"\[Errno 11\]|can't start new thread", _processes),
        (r"\[Errno 24\]|Too many open files", _open_files),
        (r"^\w*MemoryError\b|\[Errno 12\]|Cannot allocate memory|\bKilled: used .+ memory\b", _memory),
        (
            r"^gaierror\b|Name or service not known|[Nn]ame resolution|\[Errno 101\]|Network is unreachable",
            _network,
        ),
        (r"^KeyError: '?SANDBOX_ARTIFACTS\b", _artifacts),
        (r"^RuntimeError: asyncio\.run\(\) cannot be called", _loop),
        (r"^NameError: name '__file__' is not defined", _file),
        (r"^ModuleNotFoundError\b", _packages),
        (r"^CalledProcessError: .*\b(?:pip3?|uv|conda|mamba)\b.*\binstall\b", _install),
        (r"^StdinNotImplementedError\b", _input),
        (r"^FileNotFoundError: \[Errno 2\]", _no_files),
    )
)
