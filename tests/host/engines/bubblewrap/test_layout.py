"""The wall as a table: nothing is run here."""

import pytest
from msgspec.structs import replace

from sandbox_kernel.errors import WorkspaceError
from sandbox_kernel.host.engines.bubblewrap.layout import LIBRARY, SECOND_WALL, Facts, build
from sandbox_kernel.host.engines.bubblewrap.operations import (
    Bind,
    Empty,
    File,
    Fresh,
    Origin,
    Place,
    ReadOnly,
    Symlink,
    Tmpfs,
    arguments,
    bind_by_path,
)
from sandbox_kernel.host.engines.bubblewrap.system import System
from sandbox_kernel.host.engines.grants import Grant
from sandbox_kernel.host.engines.interpreter import Interpreter
from sandbox_kernel.host.engines.paths import Link, Shown
from sandbox_kernel.host.environment import HOME, RUNTIME
from sandbox_kernel.policy import Policy

SYSTEM = System(
    links=(Link("/bin", "usr/bin"),),
    files=(("/usr", "/usr"), ("/etc/fonts", "/etc/fonts")),
    masked_files=("/proc/keys",),
    masked_directories=("/proc/acpi",),
)
PYENV = "/home/alice/.pyenv/versions/3.11"
VENV = "/home/alice/project/.venv"


def interpreter(*directories, links=(), **options):
    shown = tuple(place if isinstance(place, Shown) else Shown(place, place) for place in directories)
    return Interpreter(f"{shown[0].path}/bin/python", shown, tuple(links), **options)


def facts(*interpreters, grants=(), homes=("/home/alice",), **changes):
    found = Facts(
        system=SYSTEM,
        interpreters=interpreters or (interpreter("/usr"),),
        package="/opt/lib/sandbox_kernel",
        second_wall="/opt/lib/sandbox_kernel/raise_wall.pyc",
        provisioner="/opt/lib/sandbox_provisioner",
        grants=tuple(grants),
        homes=homes,
    )
    return replace(found, **changes)


def grant(path, *, real=None, writable=False):
    return Grant(path, real or path, writable, 1000, 1000)


def ours(part):
    return Bind(f"/opt/lib/sandbox_kernel/{part}", f"{LIBRARY}/sandbox_kernel/{part}", False, Origin.OURS)


def binds(steps, *, below="/home"):
    return [
        (step.source, step.target, "rw" if step.writable else "ro")
        for step in steps
        if isinstance(step, Bind) and step.target.startswith(below)
    ]


def test_the_whole_wall():
    """Every step of a default policy's wall, in order."""
    steps = build(Policy(tmp=1 << 20), facts(interpreter(VENV, PYENV), grants=[grant("/data/notebooks")]))
    assert [step for step in steps if not isinstance(step, File)] == [
        Bind("/usr", "/usr"),
        Bind("/etc/fonts", "/etc/fonts"),
        Symlink("/bin", "usr/bin"),
        Fresh("proc", "/proc"),
        Bind("/dev/null", "/proc/keys"),
        Empty("/proc/acpi", directory=True),
        ReadOnly("/proc"),
        Fresh("dev", "/dev"),
        Tmpfs("/dev/shm", 1 << 20, 0o1777),
        ReadOnly("/dev"),
        Tmpfs("/tmp", 1 << 20, 0o1777),
        Tmpfs(HOME, 1 << 20, 0o700),
        Tmpfs(RUNTIME, 4 << 20, 0o700),
        Bind("/data/notebooks", "/data/notebooks", False, Origin.GRANT),
        Bind(VENV, VENV, False, Origin.ENVIRONMENT),
        Bind(PYENV, PYENV, False, Origin.ENVIRONMENT),
        ours("__init__.py"),
        ours("wire"),
        ours("guest"),
        Bind("/opt/lib/sandbox_kernel/raise_wall.pyc", SECOND_WALL, False, Origin.OURS),
        ReadOnly("/"),
    ]


def test_accounts_and_names_are_synthetic():
    """Accounts, groups, hosts and their lookup are files of ours that name nobody of this machine."""
    files = {step.target: step.content for step in build(Policy(), facts()) if isinstance(step, File)}
    assert set(files) == {"/etc/passwd", "/etc/group", "/etc/hosts", "/etc/hostname", "/etc/nsswitch.conf"}
    assert "sandbox:x:1000:1000" in files["/etc/passwd"]
    assert "hosts: files" in files["/etc/nsswitch.conf"]


@pytest.mark.parametrize(
    "policy", [Policy(), Policy.from_settings({"profile": "strict"}), Policy(workspace="rw")]
)
def test_every_writable_place_is_sized_or_granted(policy):
    """What can be written to is a sized tmpfs or a grant for writing; the root is read-only."""
    mode = policy.workspace
    granted = [] if mode == "none" else [grant("/data/notebooks", writable=mode == "rw")]
    steps = build(policy, facts(interpreter(VENV, PYENV), grants=granted))
    assert steps[-1] == ReadOnly("/")
    assert all(step.size <= max(policy.tmp, 4 << 20) for step in steps if isinstance(step, Tmpfs))
    writable = [step.target for step in steps if isinstance(step, Bind) and step.writable]
    assert writable == (["/data/notebooks"] if mode == "rw" else [])


def test_a_linked_workspace_is_seen_both_ways():
    """A directory that was named through a link is at its name and at its real path."""
    steps = build(Policy(), facts(grants=[grant("/home/alice/nb", real="/data/nb")]))
    assert binds(steps) == [("/data/nb", "/home/alice/nb", "ro")]
    assert binds(steps, below="/data") == [("/data/nb", "/data/nb", "ro")]


def test_an_environment_below_a_writable_folder_stays_read_only_and_in_its_place():
    """It is bound read-only on top, and each directory on the way to it is pinned as a mount point."""
    venv = "/home/alice/project/envs/deep/venv"
    steps = build(Policy(), facts(interpreter(venv), grants=[grant("/home/alice/project", writable=True)]))
    assert binds(steps) == [
        ("/home/alice/project", "/home/alice/project", "rw"),
        ("/home/alice/project/envs", "/home/alice/project/envs", "rw"),
        ("/home/alice/project/envs/deep", "/home/alice/project/envs/deep", "rw"),
        (venv, venv, "ro"),
    ]


def test_no_pins_below_a_read_only_grant():
    """A read-only grant inside a writable one is not made writable by pins."""
    outer, inner = "/home/alice/project", "/home/alice/project/keep"
    venv = f"{inner}/envs/venv"
    steps = build(Policy(), facts(interpreter(venv), grants=[grant(outer, writable=True), grant(inner)]))
    assert binds(steps) == [(outer, outer, "rw"), (inner, inner, "ro"), (venv, venv, "ro")]


def test_a_workspace_inside_an_environment_is_shown_read_only_on_top():
    """A folder of notebooks inside of a prefix is bound after it, as it was granted."""
    prefix = "/home/alice/project"
    steps = build(Policy(), facts(interpreter(prefix), grants=[grant(f"{prefix}/notebooks")]))
    assert binds(steps) == [(prefix, prefix, "ro"), (f"{prefix}/notebooks", f"{prefix}/notebooks", "ro")]


@pytest.mark.parametrize("path", ["/home/alice/project", "/home/alice/project/lib"])
def test_an_environment_cannot_be_granted_for_writing(path):
    """A prefix, or a folder inside of one, is refused for writing."""
    with pytest.raises(WorkspaceError, match="part of the Python environment"):
        build(Policy(), facts(interpreter("/home/alice/project"), grants=[grant(path, writable=True)]))


def test_a_link_that_code_could_replace_is_refused():
    """A link on the interpreter's way that lies in a folder shared for writing is refused."""
    link = Link("/home/alice/project/.venv", "../venvs/x")
    linked = interpreter("/home/alice/venvs/x", links=[link])
    with pytest.raises(WorkspaceError, match=r"/home/alice/project/\.venv is a link"):
        build(Policy(), facts(linked, grants=[grant("/home/alice/project", writable=True)]))
    build(Policy(), facts(linked, grants=[grant("/home/alice/project")]))


def test_a_link_inside_of_an_environment_is_safe():
    """The links that every virtual environment consists of are protected with it."""
    venv = interpreter(VENV, links=[Link(f"{VENV}/bin/python", "/usr/bin/python3")])
    build(Policy(), facts(venv, grants=[grant("/home/alice/project", writable=True)]))


@pytest.mark.parametrize(
    "prefix",
    [
        "/",
        "/home",
        "/home/alice",
        "/root",
        "/home/alice/.local",
        "/home/alice/.local/share",
        "/home/alice/.config",
    ],
)
def test_a_prefix_that_would_show_everything_is_refused(prefix):
    """A Python whose prefix is a home or holds one is refused."""
    with pytest.raises(WorkspaceError, match="would show everything in it"):
        build(Policy(), facts(interpreter(prefix)))


@pytest.mark.parametrize(
    "name", [".venv", ".pyenv/versions/3.12", ".local/share/uv/python/cpython-3.12", ".conda/envs/science"]
)
def test_an_environment_in_a_hidden_folder_of_a_home_is_shown(name):
    """Environments are often kept there, and each is a directory of its own."""
    prefix = f"/home/alice/{name}"
    assert binds(build(Policy(), facts(interpreter(prefix)))) == [(prefix, prefix, "ro")]


def test_links_on_the_way_are_made():
    """A link that no bind shows is made; one that lies below a bind is not made twice."""
    links = [
        Link("/opt/python", "python-3.11"),
        Link("/opt/python-3.11/bin/python", "python3"),
        Link("/usr/x", "y"),
    ]
    steps = build(Policy(), facts(interpreter("/opt/python-3.11", links=links)))
    assert [step for step in steps if isinstance(step, Symlink)] == [
        Symlink("/bin", "usr/bin"),
        Symlink("/opt/python", "python-3.11"),
    ]


def test_our_own_code_below_a_writable_folder_is_read_only():
    """Whoever develops sandbox-kernel in a sandboxed notebook does not let it rewrite its wall."""
    checkout = "/home/alice/sandbox-kernel"
    package, plug = f"{checkout}/sandbox_kernel", f"{checkout}/provisioner/sandbox_provisioner"
    found = facts(grants=[grant(checkout, writable=True)], package=package, provisioner=plug)
    assert binds(build(Policy(), found)) == [
        (checkout, checkout, "rw"),
        (f"{checkout}/provisioner", f"{checkout}/provisioner", "rw"),
        (package, package, "ro"),
        (plug, plug, "ro"),
    ]
    without = replace(found, provisioner=None)
    assert binds(build(Policy(), without)) == [(checkout, checkout, "rw"), (package, package, "ro")]


def test_settings_of_this_machine_are_covered():
    """They are covered once, as a whole, also where they belong to the prefix of the Python in use."""
    system = replace(SYSTEM, settings=("/usr/local/etc",))
    local = interpreter(
        "/usr/local", private=(("/usr/local/etc/jupyter", True), ("/usr/local/pip.conf", False))
    )
    steps = build(Policy(), facts(local, system=system))
    assert [step for step in steps if isinstance(step, Empty)] == [
        Empty("/usr/local/etc", directory=True),
        Empty("/proc/acpi", directory=True),
        Empty("/usr/local/pip.conf", directory=False),
    ]


def test_passwords_below_a_prefix_are_covered():
    """What an environment knows of package indexes and Jupyter servers is not shown."""
    private = ((f"{VENV}/pip.conf", False), (f"{VENV}/etc/jupyter", True))
    steps = build(Policy(), facts(interpreter(VENV, private=private)))
    assert [step for step in steps if isinstance(step, Empty) and step.target.startswith(VENV)] == [
        Empty(f"{VENV}/pip.conf", directory=False),
        Empty(f"{VENV}/etc/jupyter", directory=True),
    ]


def test_doors_are_covered_wherever_they_are_seen():
    """A socket is covered under both names of a grant and in an environment, not where it is hidden."""
    linked = grant("/home/alice/nb", real="/data/nb", writable=True)
    inner = grant("/home/alice/nb/inner", real="/data/other")
    doors = ("/data/nb/a/s", "/data/nb/inner/s", f"{PYENV}/s", "/elsewhere/s")
    found = facts(interpreter(PYENV), grants=[linked, inner], doors=doors)
    covers = [
        step.target for step in build(Policy(), found) if isinstance(step, Empty) and not step.directory
    ]
    assert covers == ["/data/nb/a/s", "/home/alice/nb/a/s", "/data/nb/inner/s", f"{PYENV}/s"]


def test_how_bubblewrap_spells_it():
    """Each step is spelled as bubblewrap wants it; contents go by descriptor, never in the arguments."""
    seen = []
    place = Place(bind_by_path, lambda content: seen.append(content) or 7)
    steps = [
        Bind("/a", "/b"),
        Bind("/a", "/b", writable=True),
        Tmpfs("/t", 42, 0o700),
        File("/f", "x"),
        Empty("/e", directory=False),
        Empty("/d", directory=True),
        Symlink("/l", "to"),
        Fresh("proc", "/proc"),
        ReadOnly("/"),
    ]
    assert " ".join(arguments(steps, place)) == (
        "--ro-bind /a /b --bind /a /b --perms 0700 --size 42 --tmpfs /t --perms 0644 --file 7 /f "
        "--perms 0444 --ro-bind-data 7 /e --perms 0555 --size 4096 --tmpfs /d --remount-ro /d "
        "--symlink to /l --proc /proc --remount-ro /"
    )
    assert seen == ["x", ""]


def test_an_environment_through_a_link_is_taken_by_its_real_path():
    """What is mounted under a name is its real directory, so that a link turned meanwhile is of no use."""
    linked = interpreter(Shown("/home/alice/env", "/data/env"), Shown("/data/env", "/data/env"))
    assert binds(build(Policy(), facts(linked))) == [("/data/env", "/home/alice/env", "ro")]


def test_pins_of_a_linked_grant_are_taken_by_their_real_paths():
    """The directories between a grant and an environment are known by the grant's real path."""
    venv = Shown("/home/alice/nb/envs/venv", "/data/nb/envs/venv")
    linked = grant("/home/alice/nb", real="/data/nb", writable=True)
    assert binds(build(Policy(), facts(interpreter(venv), grants=[linked]))) == [
        ("/data/nb", "/home/alice/nb", "rw"),
        ("/data/nb/envs", "/home/alice/nb/envs", "rw"),
        (venv.real, venv.path, "ro"),
    ]
