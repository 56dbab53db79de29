"""An error that the wall has caused is followed by a sentence that says so."""

import pytest

from sandbox_kernel.host.advice import advice
from sandbox_kernel.policy import Policy


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("MemoryError", "", "1 GiB of memory ('memory')"),
        ("_ArrayMemoryError", "Unable to allocate 8.00 GiB", "'memory'"),
        (
            "BlockingIOError",
            "[Errno 11] Resource temporarily unavailable",
            "256 processes and threads ('pids')",
        ),
        ("RuntimeError", "can't start new thread", "'pids'"),
        (
            "OSError",
            "[Errno 30] Read-only file system: 'out.csv'",
            "read-only with this kernel",
        ),
        ("gaierror", "[Errno -2] Name or service not known", "no network"),
        ("OSError", "[Errno 101] Network is unreachable", "no network"),
        ("URLError", "<urlopen error [Errno -3] Temporary failure in name resolution>", "no network"),
        ("ModuleNotFoundError", "No module named 'seaborn'", "install more there, outside"),
    ],
)
def test_the_limit_is_named(name, text, words):
    """In JupyterLab, nbclient and papermill alike."""
    (sentence,) = advice(Policy(), {"status": "error", "ename": name, "evalue": text})
    assert words in sentence


@pytest.mark.parametrize(
    "reply",
    [
        {"status": "ok"},
        {"ename": "ZeroDivisionError", "evalue": "division by zero"},
        {"ename": ["MemoryError"], "evalue": {"x": 1}},
        {"ename": "OSError", "evalue": "x" * 1_000_000 + "[Errno 30]"},
    ],
)
def test_other_errors_are_left_alone(reply):
    """Whatever a kernel puts into its reply."""
    assert list(advice(Policy(), reply)) == []


def test_what_is_shared_for_writing_is_not_called_read_only():
    """Then it is another file system that is."""
    reply = {"ename": "OSError", "evalue": "[Errno 30] Read-only file system: '/usr/x'"}
    assert list(advice(Policy(workspace="rw"), reply)) == []
