"""The second wall alone, raised on this kernel without any other; each attack works first without it."""

import ctypes
import os
import socket
import subprocess
import sys
import textwrap

import pytest

from sandbox_kernel.host.engines.bubblewrap.landlock import OLDEST, PROGRAM, abi, ruleset, within
from sandbox_kernel.host.engines.bubblewrap.operations import Bind, Fresh

pytestmark = pytest.mark.skipif(abi() < OLDEST, reason="Landlock: this kernel has none that could be raised")

ABIS = range(OLDEST, min(abi(), 7) + 1)
NO_NEW_PRIVILEGES = 38


def start(command):
    """Run a command without a way to new privileges, as bubblewrap does."""
    libc = ctypes.CDLL(None)
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0),
    )


def behind(steps, inner, version):
    """Return the command that raises the wall of these steps first."""
    return within(ruleset(steps, version), version, PROGRAM, sys.executable, inner)


def run(code, *arguments, steps=None, version=None):
    """Run Python code, behind the wall of these steps or, without steps, behind none."""
    inner = [sys.executable, "-I", "-B", "-c", textwrap.dedent(code), *map(str, arguments)]
    done = start(inner if steps is None else behind(steps, inner, version or abi()))
    assert done.returncode == 0, done
    return done.stdout.split()


@pytest.fixture
def outside(tmp_path):
    """A file that may be seen and not written."""
    path = tmp_path / "outside" / "file"
    path.parent.mkdir()
    path.write_text("canary")
    return path


@pytest.fixture
def steps(tmp_path):
    """A root with one folder to write to."""
    (tmp_path / "own").mkdir()
    return [Fresh("dev", "/dev"), Bind(str(tmp_path / "own"), str(tmp_path / "own"), writable=True)]


TRY = """
    import os, sys
    def attempt(name, what):
        try:
            what()
            print(name + ":done")
        except OSError as error:
            print(f"{name}:{error.strerror.replace(' ', '_')}")
"""
WRITES = (
    TRY
    + """
    path, own = sys.argv[1:]
    attempt("read", lambda: open(path).read())
    attempt("write", lambda: open(path, "r+").write("x"))
    attempt("make", lambda: open(path + "-new", "w").close())
    attempt("link", lambda: os.link(path, own + "/link"))
    attempt("rename", lambda: os.rename(path + "-new", own + "/new"))
    attempt("remove", lambda: os.unlink(path))
    attempt("fifo", lambda: os.mkfifo(os.path.dirname(path) + "/fifo"))
"""
)


def test_without_the_wall_all_of_it_works(outside, tmp_path):
    """So the attacks are real."""
    (tmp_path / "own").mkdir()
    assert {word.split(":")[1] for word in run(WRITES, outside, tmp_path / "own")} == {"done"}


@pytest.mark.parametrize("version", ABIS)
def test_nothing_is_written_outside(outside, steps, tmp_path, version):
    """By every ABI that is used; what is seen may be read."""
    words = run(WRITES, outside, tmp_path / "own", steps=steps, version=version)
    said = dict(word.split(":") for word in words)
    assert said.pop("read") == "done"
    assert said.pop("rename") == "No_such_file_or_directory"  # for it could not be made
    assert set(said.values()) <= {"Permission_denied", "Invalid_cross-device_link"}
    assert outside.read_text() == "canary"


WORK = """
    import os, sys
    os.chdir(sys.argv[1])
    os.makedirs("a/b"), os.makedirs("c")
    open("a/file", "w").write("x")
    os.rename("a/file", "c/file"), os.rename("a/b", "c/b"), os.link("c/file", "a/hard")
    os.symlink("hard", "a/soft"), os.mkfifo("a/fifo"), os.truncate("c/file", 0), os.chmod("c/file", 0o600)
    os.unlink("c/file"), os.rmdir("c/b"), os.rmdir("c")
    open("/dev/null", "w").write("x"), open("/dev/urandom", "rb").read(1)
    reader, writer = os.pipe()
    open(f"/proc/self/fd/{writer}", "w").write("x")
    memory = os.memfd_create("x")
    open(f"/proc/self/fd/{memory}", "w").write("x")
    master, terminal = os.openpty()
    os.ttyname(terminal), os.get_terminal_size(os.open(os.ttyname(terminal), os.O_RDWR))
    print("worked")
"""


@pytest.mark.parametrize("version", ABIS)
def test_ordinary_work_is_not_hindered(steps, tmp_path, version):
    """Files move between folders of one grant; devices, terminals, pipes and memory files work."""
    assert run(WORK, tmp_path / "own", steps=steps, version=version) == ["worked"]


FILES = (
    TRY
    + """
    for path in sys.argv[1:]:
        attempt("write", lambda: open(path, "r+").write("x"))
"""
)


def test_a_single_file_may_be_granted(outside, tmp_path):
    """And nothing beside it; what can be said of folders only is left out of its rule."""
    own = tmp_path / "file"
    own.write_text("")
    steps = [Bind(str(own), str(own), writable=True)]
    assert run(FILES, own, outside, steps=steps) == ["write:done", "write:Permission_denied"]


@pytest.mark.skipif(abi() < 3, reason="Landlock: this kernel's knows no truncating")
def test_truncating_is_writing_since_abi_3(outside, steps):
    """Before, files could be emptied."""
    code = textwrap.dedent(TRY) + "attempt('truncate', lambda: os.truncate(sys.argv[1], 0))"
    assert run(code, outside, steps=steps, version=3) == ["truncate:Permission_denied"]
    assert run(code, outside, steps=steps, version=2) == ["truncate:done"]


REACH = (
    TRY
    + """
    import socket
    attempt("signal", lambda: os.kill(int(sys.argv[1]), 0))
    attempt("abstract", lambda: socket.socket(socket.AF_UNIX).connect(chr(0) + sys.argv[2]))
    attempt("own", lambda: os.kill(os.getpid(), 0))
"""
)


@pytest.mark.skipif(abi() < 6, reason="Landlock: this kernel's has no scopes")
def test_others_are_not_reached_since_abi_6(steps, tmp_path):
    """Neither by signals nor through abstract sockets, should the namespaces for them fail."""
    name = f"sandbox-kernel-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("\0" + name)
        listening.listen()
        arguments = (os.getpid(), name)
        assert run(REACH, *arguments) == ["signal:done", "abstract:done", "own:done"]
        assert run(REACH, *arguments, steps=steps, version=5) == ["signal:done", "abstract:done", "own:done"]
        assert run(REACH, *arguments, steps=steps, version=6) == [
            "signal:Operation_not_permitted",
            "abstract:Operation_not_permitted",
            "own:done",
        ]


def test_what_cannot_be_raised_stops_the_start(tmp_path):
    """Nothing goes on without the wall, and the reason is said."""
    script = tmp_path / "guest.py"
    script.write_text("print('started')")
    done = start([sys.executable, "-I", "-B", PROGRAM, (b"\xff" * 8).hex(), "0", str(script)])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "The second wall (Landlock) could not be raised: the rules: Invalid argument\n"


@pytest.mark.parametrize("kind", ["a file", "code", "a program"])
def test_it_goes_on_as_what_it_was_told(tmp_path, steps, kind):
    """With the arguments in their places, and as `__main__`."""
    script = tmp_path / "guest.py"
    source = "import sys; print(__name__, sys.argv[1:])"
    script.write_text(source)
    inner = {
        "a file": [sys.executable, "-I", "-B", str(script), "x", "y"],
        "code": [sys.executable, "-I", "-B", "-c", source, "x", "y"],
        "a program": ["/bin/echo", "__main__ ['x',", "'y']"],
    }[kind]
    assert start(behind(steps, inner, abi())).stdout == "__main__ ['x', 'y']\n"
