"""Promise: where the kernel has Landlock, a hole in the mounts is no way out.

Each attack is given a hole that bubblewrap would have to have: it works while Landlock is off, and
fails when it is on.
"""

import os
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from sandbox_kernel.host.engines.bubblewrap import engine as engine_module
from sandbox_kernel.host.engines.bubblewrap.bwrap import find_bubblewrap
from sandbox_kernel.host.engines.bubblewrap.descriptors import descriptors
from sandbox_kernel.host.engines.bubblewrap.landlock import OLDEST, abi
from sandbox_kernel.host.engines.bubblewrap.layout import build
from sandbox_kernel.host.engines.bubblewrap.operations import ReadOnly
from tests.adversarial.test_syscalls import ALLOW_ALL
from tests.host.engines.bubblewrap.inside import python

pytestmark = pytest.mark.skipif(abi() < OLDEST, reason="Landlock: this kernel has none that could be raised")


@pytest.fixture(params=["one wall", "two walls"])
def walls(request, monkeypatch):
    """Both ways: what an attack does without Landlock, and what it does with it."""
    if request.param == "one wall":
        monkeypatch.setattr(engine_module, "abi", lambda: 0)
    return request.param


def outcome(walls, done, refused):
    return {"one wall": done, "two walls": refused}[walls]


LEAKED = """
    import os
    for fd in range(3, 100):
        try:
            print(open(os.open("canary", os.O_RDONLY, dir_fd=fd)).read())
        except OSError as error:
            if error.errno == 13:
                print("EACCES")
"""


def test_a_descriptor_that_leaks_leads_nowhere(walls, directory, tmp_path, monkeypatch):
    """Of a folder of the host that was never granted, as in the leaks of container runtimes."""
    (directory / "canary").write_text("secret")

    @contextmanager
    def leaking():
        with descriptors() as held:
            held.keep(os.open(directory, os.O_RDONLY | os.O_DIRECTORY))
            yield held

    monkeypatch.setattr(engine_module, "descriptors", leaking)
    granted = tmp_path / "granted"
    granted.mkdir()
    assert python(LEAKED, granted, workspace="none").lines == [outcome(walls, "secret", "EACCES")]


WRITE = """
    import sys
    for path in ("/evil", "/run/evil"):
        try:
            open(path, "w").write("x")
            print("written")
        except OSError as error:
            print(error.errno)
"""


def test_a_root_that_stayed_writable_is_not_written(walls, directory, monkeypatch):
    """Bubblewrap's root is a file system in memory without a limit."""

    def forgetful(policy, facts):
        return [step for step in build(policy, facts) if step != ReadOnly("/")]

    monkeypatch.setattr(engine_module, "build", forgetful)
    assert python(WRITE, directory).lines == [outcome(walls, "written", "13")] * 2


MOUNT = """
    import ctypes, errno
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(0x10000000 | 0x20000) == 0
    done = libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)
    print("mounted" if done == 0 else errno.errorcode[ctypes.get_errno()])
"""


def test_no_mount_even_with_a_user_namespace(walls, directory, monkeypatch):
    """Should bubblewrap's limit and the filter fail, there would be capabilities, and still no mount."""
    monkeypatch.setattr(engine_module, "load_filter", lambda: ALLOW_ALL)
    monkeypatch.setattr(
        engine_module, "find_bubblewrap", lambda who: replace(find_bubblewrap(who), nested=False)
    )
    assert python(MOUNT, directory).lines == [outcome(walls, "mounted", "EPERM")]
