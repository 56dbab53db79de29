"""Promise: code inside sees no file of the host but what was granted, and cannot fill the host's memory.

Each attack is a program that prints what it got. It is run twice: as an ordinary process, where it
works, and behind the wall.
"""

import os
import secrets
import socket
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sandbox_kernel.host.engines.bubblewrap import engine as engine_module
from sandbox_kernel.host.engines.bubblewrap.system import look_at_system
from sandbox_kernel.policy import Policy
from tests.conformance.kernel import Kernel
from tests.host.engines.bubblewrap.inside import python, shell

ROOT = os.geteuid() == 0
MiB = 1 << 20


def outside(code, *arguments):
    """Run a program with nothing around it; return what it printed."""
    command = [sys.executable, "-I", "-c", textwrap.dedent(code), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    return done.stdout + done.stderr


@pytest.fixture
def markers(tmp_path_factory):
    """Files with a secret where secrets are: in the home, /var and, as root, /root and /run."""
    name, secret = f"marker-{secrets.token_hex(8)}", secrets.token_hex(16)
    places = [Path.home(), Path("/var/tmp"), tmp_path_factory.mktemp("elsewhere")]
    places += [Path("/root"), Path("/run"), Path("/etc"), Path("/dev/shm")] if ROOT else []
    files = [place / name for place in dict.fromkeys(places)]
    for file in files:
        file.write_text(secret)
        file.chmod(0o644)
    yield name, secret, files
    for file in files:
        file.unlink()


@pytest.fixture(params=["both walls", "mounts alone"])
def walls(request, monkeypatch):
    """As it is, and without the second wall: each must hold alone."""
    if request.param == "mounts alone":
        monkeypatch.setattr(engine_module, "abi", lambda: 0)


READ = """
    import sys
    for path in sys.argv[1:]:
        try:
            print(open(path).read())
        except OSError as error:
            print(error.strerror)
"""

FIND = """
    import os, sys
    for top, below, names in os.walk("/"):
        below[:] = [name for name in below if os.path.join(top, name) not in ("/proc", "/usr", "/sys")]
        if sys.argv[1] in names:
            print("found", top)
"""


def test_markers_are_not_found(tmp_path, markers):
    """A file in $HOME, /root, /var, /run, /etc or another folder is neither opened nor found by a search."""
    name, secret, files = markers
    paths = [str(file) for file in files]
    assert outside(READ, *paths).count(secret) == len(paths)
    result = python(READ, tmp_path, *paths)
    assert result.lines == ["No", "such", "file", "or", "directory"] * len(paths)
    assert python(FIND, tmp_path, name).out == ""


def test_search_finds_what_was_granted(tmp_path):
    """The search of the test above would have found something: it does in the workspace."""
    (tmp_path / "marker-granted").touch()
    assert python(FIND, tmp_path, "marker-granted").out == f"found {tmp_path}\n"


ENVIRONMENTS = """
    import glob
    for file in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
        try:
            print(open(file, "rb").read().replace(b"\\0", b"\\n").decode())
        except OSError as error:
            print(error.strerror)
"""


def test_no_variable_of_the_host(tmp_path, monkeypatch):
    """No value of the host's environment is in any environment or command line inside."""
    monkeypatch.setenv("SECRET_TOKEN", "s3cret-canary")
    assert "s3cret-canary" in outside(ENVIRONMENTS)
    seen = python(ENVIRONMENTS, tmp_path).out.splitlines()
    assert "LANG=C.UTF-8" in seen
    for name, value in os.environ.items():
        assert f"{name}={value}" not in seen or (name, value) == ("LANG", "C.UTF-8")
    assert not [line for line in seen if "s3cret-canary" in line]


def test_a_kernel_sees_nothing_of_pid_1(tmp_path, monkeypatch):
    """A real kernel gets neither the environment, memory, descriptors nor root directory of PID 1."""
    monkeypatch.setenv("SECRET_TOKEN", "s3cret-canary")
    kernel = Kernel(engine_module.BubblewrapEngine(), Policy(), tmp_path)
    try:
        ran = kernel.run(
            textwrap.dedent("""
            import os
            for path in ("environ", "mem", "maps", "fd/64"):
                try:
                    print(path, open(f"/proc/1/{path}", "rb").read(100))
                except OSError as error:
                    print(path, error.strerror)
            for path in ("fd", "root", "cwd"):
                try:
                    print(path, os.listdir(f"/proc/1/{path}"))
                except OSError as error:
                    print(path, error.strerror)
            print(dict(os.environ))
            """)
        )
    finally:
        kernel.close()
    out = ran.text()
    assert out.count("Permission denied") == 7, out
    assert "s3cret" not in out
    assert "PYTEST" not in out


DESCRIPTORS = """
    import os
    for name in os.listdir("/proc/self/fd"):
        try:
            print(name, os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            pass
"""


def test_no_descriptor_leaks(tmp_path):
    """Of twenty inheritable descriptors of the host, and of those for building the wall, none goes in."""
    files = [os.open(f"/proc/self/{name}", os.O_RDONLY) for name in ["status", "maps"] * 10]
    try:
        for fd in files:
            os.set_inheritable(fd, True)
        for who in ("self", "1"):
            seen = python(DESCRIPTORS.replace("/proc/self", f"/proc/{who}"), tmp_path).out.splitlines()
            kinds = [line.split()[1].split(":")[0] for line in seen]
            assert sorted(kind for kind in kinds if not kind.endswith("/fd")) == ["pipe"] * 3, seen
    finally:
        for fd in files:
            os.close(fd)


WRITE = """
    import os, sys
    for path in sys.argv[1:]:
        try:
            os.close(os.open(path, os.O_WRONLY))
            print("opened")
        except OSError as error:
            print(error.strerror)
"""

KERNEL_SWITCHES = [
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/hostname",
    "/proc/sys/vm/drop_caches",
    "/proc/sys/fs/binfmt_misc/register",
    "/proc/sysrq-trigger",
    "/proc/self/uid_map",
    "/proc/self/oom_score_adj",
    "/proc/irq/default_smp_affinity",
]


def test_the_machine_cannot_be_told_anything(tmp_path, walls):
    """No file that configures the kernel opens for writing."""
    seen = python(WRITE, tmp_path, *KERNEL_SWITCHES).out.splitlines()
    assert len(seen) == len(KERNEL_SWITCHES)
    assert set(seen) <= {"Read-only file system", "Permission denied", "No such file or directory"}


def test_bubblewrap_by_root_is_an_escape_and_ours_is_not_by_root(tmp_path):
    """Bubblewrap run by root leaves core_pattern writable inside; ours is not run by root."""
    plain = [
        "bwrap",
        "--unshare-all",
        "--uid",
        "65534",
        "--gid",
        "65534",
        "--cap-drop",
        "ALL",
        "--ro-bind",
        "/",
        "/",
    ]
    target = "/proc/sys/kernel/core_pattern"
    command = [*plain, "--proc", "/proc", sys.executable, "-I", "-c", textwrap.dedent(WRITE), target]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == ("opened\n" if ROOT else "Permission denied\n"), done.stderr
    process = python("import time; print(open('/proc/self/status').read())", tmp_path)
    assert "Uid:\t1000\t1000\t1000\t1000" in process.out


def test_root_is_given_up_before_bubblewrap_starts(tmp_path):
    """Outside, no process of a sandbox is root's, in a group of root's, or has a capability."""
    code = "import sys, time; print('up', flush=True); time.sleep(60)"
    launch = engine_module.Launch((sys.executable,), tmp_path, secrets.token_hex(8))
    process = engine_module.start_command(Policy(), launch, lambda ours: [ours.executable, "-I", "-c", code])
    try:
        wait_for(process.stdout)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in (process.pid, *children):
            status = dict(
                line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            )
            assert len(set(status["Uid"].split())) == 1
            assert "0" not in status["Uid"].split()
            assert "0" not in (status["Gid"] + " " + status["Groups"]).split()
            assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    finally:
        process.close()


def wait_for(fd):
    os.set_blocking(fd, True)
    return os.read(fd, 100)


def test_only_harmless_devices(tmp_path):
    """/dev has no disk, memory, terminal or hypervisor of the host, and none can be made."""
    out = python(
        """
        import os, stat
        print(*sorted(os.listdir("/dev")))
        for path in ("/tmp/m", "/dev/m"):
            try:
                os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(254, 0))
                print("made")
            except OSError as error:
                print(error.strerror)
        """,
        tmp_path,
    ).out.splitlines()
    known = {"core", "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty"}
    assert set(out[0].split()) <= known | {"urandom", "zero", "console"}
    assert out[1:] == ["Operation not permitted"] * 2


def test_terminals_work(tmp_path):
    """A pseudo-terminal of the sandbox's own can be opened: `!command` and pexpect need one."""
    assert (
        shell("python3 -c 'import pty, os; os.write(pty.openpty()[0], b\"x\"); print(1)'", tmp_path).out
        == "1\n"
    )


def test_settings_below_usr_are_absent(tmp_path):
    """What an administrator set for npm, pip or Jupyter below /usr is not seen; programs are."""
    places = [Path(place) for place in ("/usr/local/etc", "/usr/etc") if Path(place).is_dir()]
    secret = places[0] / f"npmrc-{secrets.token_hex(8)}" if ROOT and places else None
    if secret:
        secret.write_text("a token")
    try:
        inside = shell("ls /usr/local/etc /usr/etc 2>/dev/null | grep -v : ; ls /usr/local/bin", tmp_path)
    finally:
        if secret:
            secret.unlink()
    assert inside.out.split() == sorted(os.listdir("/usr/local/bin")), inside


TELLING = """
    import os, sys
    for path in sys.argv[1:]:
        try:
            told = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1)
        except OSError:
            told = ""
        if told:
            print(path)
"""


def test_what_proc_tells_of_the_machine_is_covered(tmp_path):
    """Its command line, locks, keys, devices: what is open to everybody outside says nothing inside."""
    covered = look_at_system()
    for paths in (covered.masked_files, covered.masked_directories):
        assert outside(TELLING, *paths)
        assert python(TELLING, tmp_path, *paths).out == ""


def test_system_secrets_are_absent(tmp_path):
    """Password hashes, host keys, the resolver, host names and other users are not there."""
    paths = [
        "/etc/shadow",
        "/etc/gshadow",
        "/etc/ssh",
        "/etc/resolv.conf",
        "/etc/machine-id",
        "/etc/sudoers",
        "/sys",
    ]
    paths += [
        "/run/docker.sock",
        "/var/run/docker.sock",
        "/run/containerd",
        "/run/systemd",
        "/run/dbus",
        "/boot",
    ]
    result = python(
        "import os, sys; print([path for path in sys.argv[1:] if os.path.lexists(path)])", tmp_path, *paths
    )
    assert result.out == "[]\n"
    names = python(
        "import pwd, socket; print([p.pw_name for p in pwd.getpwall()], socket.gethostname())", tmp_path
    )
    assert names.out == "['root', 'sandbox', 'nobody'] sandbox\n"


FLOOD = """
    import os, sys
    written = 0
    try:
        with open(sys.argv[1] + "/flood", "wb", buffering=0) as file:
            while written < 512 << 20:
                written += file.write(bytes(1 << 16))
        print("no end")
    except OSError as error:
        print(error.strerror, written, sep=":")
"""


@pytest.mark.parametrize("place", ["/tmp", "/home/sandbox", "/dev/shm"])
def test_floods_end_at_their_size(tmp_path, place):
    """What can be written to holds as much as the policy says, then no more."""
    error, size = python(FLOOD, tmp_path, place, tmp=8 * MiB).out.strip().split(":")
    assert error == "No space left on device"
    assert 7 * MiB <= int(size) <= 8 * MiB


def test_the_runtime_directory_is_small(tmp_path):
    """The directory for the kernel's sockets holds a few megabytes whatever the policy says."""
    error, size = python(FLOOD, tmp_path, "/run/sandbox/runtime").out.strip().split(":")
    assert error == "No space left on device"
    assert int(size) <= 4 * MiB


def test_nothing_else_can_be_written(tmp_path, walls):
    """A search for directories that take a file finds the sized ones only."""
    code = """
        import os
        for top, below, names in os.walk("/"):
            if top == "/":
                below[:] = [name for name in below if name not in ("usr", "proc")]
            if top.startswith("/tmp/") and os.stat(top).st_dev == os.stat("/tmp").st_dev:
                continue  # the way to something that is shown below /tmp: the same sized file system
            try:
                os.close(os.open(f"{top}/.probe", os.O_CREAT | os.O_WRONLY))
                os.unlink(f"{top}/.probe")
                print(top)
            except OSError:
                pass
    """
    assert set(python(code, tmp_path).lines) <= {
        "/home/sandbox",
        "/dev/shm",
        "/run/sandbox/runtime",
        "/tmp",
    }
    rw = set(python(code, tmp_path, workspace="rw").lines)
    assert str(tmp_path) in rw


ALTER = """
    import os, sys
    os.chdir(sys.argv[1])
    attempts = {
        "create": lambda: open("new", "x"),
        "write": lambda: open("data", "r+"),
        "truncate": lambda: os.truncate("data", 0),
        "remove": lambda: os.unlink("data"),
        "rename": lambda: os.rename("data", "other"),
        "chmod": lambda: os.chmod("data", 0o777),
        "touch": lambda: os.utime("data"),
        "link": lambda: os.link("data", "link"),
        "symlink": lambda: os.symlink("data", "symlink"),
        "mkdir": lambda: os.mkdir("folder"),
        "xattr": lambda: os.setxattr("data", "user.x", b"1"),
        "tmpfile": lambda: os.open(".", os.O_TMPFILE | os.O_RDWR),
    }
    for name, attempt in attempts.items():
        try:
            attempt()
            print(name, "done")
        except OSError as error:
            print(name, error.strerror)
"""


def test_a_read_only_workspace_cannot_be_changed(tmp_path):
    """Of a dozen ways to change a file or folder none works; the data can be read."""
    (tmp_path / "data").write_text("data")
    seen = python(ALTER, tmp_path, str(tmp_path)).out.splitlines()
    assert len(seen) == 12, seen
    assert all(line.endswith("Read-only file system") for line in seen), seen
    assert (tmp_path / "data").read_text() == "data"
    assert (
        python("print(open('data').read())".replace("data'", f"{tmp_path}/data'"), tmp_path).out == "data\n"
    )


def test_a_writable_workspace_is_written_as_its_owner(tmp_path):
    """What code writes into a folder granted for writing belongs to the folder's owner."""
    (tmp_path / "data").write_text("data")
    (tmp_path / "data").chmod(0o600)
    out = python(ALTER, tmp_path, str(tmp_path), workspace="rw").out
    assert "create done" in out
    assert "write done" in out
    status = (tmp_path / "new").stat()
    assert (status.st_uid, status.st_gid) == (tmp_path.stat().st_uid, tmp_path.stat().st_gid)


def test_no_setuid_file_in_a_writable_workspace(tmp_path):
    """Code cannot leave a program behind that runs with its owner's rights; outside, it could."""
    code = """
        import os, stat, sys
        def made(path, make):
            try:
                make(path)
            except OSError as error:
                print(error.strerror)
            else:
                print(oct(os.stat(path).st_mode & 0o6000))
        base = sys.argv[1]
        open(f"{base}/plain", "w").close()
        made(f"{base}/plain", lambda path: os.chmod(path, 0o4755))
        made(f"{base}/plain", lambda path: os.chmod(path, 0o2755))
        made(f"{base}/opened", lambda path: os.open(path, os.O_CREAT, 0o4755))
        made(f"{base}/node", lambda path: os.mknod(path, stat.S_IFREG | 0o4755))
    """
    free = tmp_path / "free"
    free.mkdir()
    assert "0o4000" in outside(code, str(free))
    walled = tmp_path / "walled"
    walled.mkdir()
    python(code, walled, str(walled), workspace="rw")
    assert [
        path.name for path in walled.iterdir() if path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)
    ] == []
    assert (walled / "plain").exists()


def test_setuid_programs_of_the_system_have_no_effect(tmp_path):
    """`su` and its like run without their owner's rights: file systems are nosuid, privileges are fixed."""
    out = python("print(open('/proc/self/status').read())", tmp_path).out
    assert "NoNewPrivs:\t1" in out
    mounts = python("print(open('/proc/self/mounts').read())", tmp_path).out.strip().splitlines()
    assert mounts
    assert all("nosuid" in line.split()[3].split(",") for line in mounts)


def test_links_in_the_workspace_lead_nowhere(tmp_path, markers):
    """A link in the workspace to a file of the host reaches what is at that path inside: nothing."""
    _, secret, files = markers
    for number, file in enumerate(files):
        (tmp_path / f"link{number}").symlink_to(file)
    paths = [str(tmp_path / f"link{number}") for number in range(len(files))]
    assert secret in outside(READ, *paths)
    assert secret not in python(READ, tmp_path, *paths).out


CONNECT = """
    import os, socket, sys
    try:
        socket.socket(socket.AF_UNIX).connect(sys.argv[1])
        print("connected")
    except OSError as error:
        print(error.strerror)
    try:
        os.open(sys.argv[2], os.O_WRONLY | os.O_NONBLOCK)
        print("opened")
    except OSError as error:
        print(error.strerror)
"""
MOVE = """
    import os, sys
    for move in (lambda: os.unlink(sys.argv[1]), lambda: os.rename(sys.argv[1], sys.argv[1] + "x")):
        try:
            move()
            print("moved")
        except OSError as error:
            print(error.strerror)
    os.rename(os.path.dirname(sys.argv[1]), "moved")
"""


@pytest.mark.parametrize("mode", ["ro", "rw"])
def test_programs_of_the_host_are_not_reached_through_the_workspace(tmp_path, monkeypatch, mode):
    """Sockets and named pipes of host programs in a granted folder are closed, and stay so."""
    (tmp_path / "d").mkdir()
    path, pipe = str(tmp_path / "d/s"), str(tmp_path / "fifo")
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as listener, open(os.open(pipe, os.O_RDWR)):
        listener.bind(path)
        listener.listen()
        assert (
            python(CONNECT, tmp_path, path, pipe, workspace=mode).out
            == "Permission denied\nPermission denied\n"
        )
        if mode == "rw":
            moved = python(
                f"import os; os.chdir({str(tmp_path)!r})" + textwrap.dedent(MOVE),
                tmp_path,
                path,
                workspace="rw",
            )
            assert moved.out == "Device or resource busy\nDevice or resource busy\n", moved
            path = str(tmp_path / "moved/s")
        monkeypatch.setattr(engine_module, "find_doors", lambda *_: ())
        assert python(CONNECT, tmp_path, path, pipe, workspace=mode).out == "connected\nopened\n"


def test_mounts_are_seen_at_their_paths(tmp_path, tmp_path_factory):
    """A granted path is there, read-only or writable as granted, and what lies beside it is not."""
    other = tmp_path_factory.mktemp("mounts")
    for name in ("ro", "rw", "beside"):
        (other / name).mkdir()
    (other / "file").write_text("granted")
    out = shell(
        f"cat {other}/file; ls {other}; touch {other}/ro/x; touch {other}/rw/x",
        tmp_path,
        mounts=(f"{other}/ro:ro", f"{other}/rw:rw", f"{other}/file:ro"),
    )
    assert out.lines == ["grantedfile", "ro", "rw"]
    assert "ro/x" in out.err
    assert "rw/x" not in out.err
    assert (other / "rw/x").exists()


POISON = """
    import os, sys
    base = sys.argv[1]
    attempts = {
        "write": lambda: open(f"{base}/envs/venv/bin/evil", "x"),
        "replace": lambda: os.unlink(f"{base}/envs/venv/bin/python"),
        "rename": lambda: os.rename(f"{base}/envs/venv", f"{base}/envs/gone"),
        "rename around": lambda: os.rename(f"{base}/envs", f"{base}/gone"),
    }
    for name, attempt in attempts.items():
        try:
            attempt()
            print(name, "done")
        except OSError as error:
            print(name, error.strerror)
"""


@pytest.fixture
def project(tmp_path):
    """A folder with a virtual environment two levels down, as the kernel's interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "envs/venv"], check=True)
    return tmp_path, (str(tmp_path / "envs/venv/bin/python"), "-m", "ipykernel_launcher")


def test_the_environment_in_a_writable_folder_cannot_be_poisoned(project):
    """Code cannot change the Python that the host will run later, nor put another in its place."""
    folder, argv = project
    seen = python(POISON, folder, str(folder), argv=argv, workspace="rw").out.splitlines()
    assert len(seen) == 4, seen
    assert not [line for line in seen if line.endswith("done")], seen
    assert (folder / "envs/venv/bin/python").is_symlink()


def test_passwords_of_an_environment_are_not_read(project):
    """What pip and Jupyter keep in an environment that is shown is covered; outside it is read."""
    folder, argv = project
    settings = folder / "envs/venv/pip.conf"
    settings.write_text("index-url = https://me:s3cret@host")
    assert "s3cret" in outside(READ, str(settings))
    assert python(READ, folder, str(settings), argv=argv).out == "\n"


def test_poisoning_works_where_the_environment_is_not_in_use(project):
    """The attack of the test above is real: without the guard (another interpreter is in use) it succeeds."""
    folder, _ = project
    seen = python(POISON, folder, str(folder), workspace="rw").out.splitlines()
    assert [line.rpartition(" ")[2] for line in seen] == ["done"] * 4, seen


if ROOT:  # an ordinary user cannot make files of somebody else, so for one there is nothing to show

    def test_files_of_others_in_roots_workspace_keep_their_secrets(tmp_path):
        """In root's folder code reads the owner's private files, for they were granted, but nobody else's."""
        for name, owner in (("mine", 0), ("theirs", 12345)):
            (tmp_path / name).write_text(f"secret of {name}")
            (tmp_path / name).chmod(0o600)
            os.chown(tmp_path / name, owner, owner)
        for mode in ("ro", "rw"):
            out = python(READ, tmp_path, f"{tmp_path}/mine", f"{tmp_path}/theirs", workspace=mode).out
            assert out == "secret of mine\nPermission denied\n"

    def test_what_only_root_reads_stays_unread(tmp_path):
        """A file below /usr or a Python environment that only root may read is not read inside."""
        secret = Path("/usr/local/share") / f"marker-{secrets.token_hex(8)}"
        secret.write_text("for root only")
        secret.chmod(0o600)
        try:
            assert outside(READ, str(secret)) == "for root only\n"
            assert python(READ, tmp_path, str(secret)).out == "Permission denied\n"
        finally:
            secret.unlink()
