"""Where a Python interpreter keeps what it runs with.

Two interpreters matter: ours, which runs the guest inside, and the kernel's. They may be the
same. Each comes with directories that must be seen inside (its prefixes, the user's own
packages), and with symbolic links on the way to it: a virtual environment's python is a link
to a link to the real one.

Ours knows itself. The kernel's is never run to find out, nor is any file of it imported: it
may lie in a folder that code inside once wrote to, and outside the wall nothing holds. It is
looked at as the interpreter itself looks: pyvenv.cfg beside or above the executable names the
base; a prefix is the nearest directory above with the standard library in it. A directory
without the standard library is not shown, whatever pyvenv.cfg says.
"""

import os
import shutil
import site
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from sandbox_kernel.errors import StartError
from sandbox_kernel.host.engines.paths import Link, Shown, follow, is_within

STORES: Final = ("/nix/store", "/gnu/store", "/home/linuxbrew/.linuxbrew")
"""Trees whose programs refer to each other across prefixes: shown whole where a prefix is in one."""

PRIVATE: Final = (".condarc", ".netrc", "condarc", "etc/conda", "etc/jupyter", "etc/pip.conf", "pip.conf")
"""Below a prefix: where passwords of package indexes and tokens of Jupyter servers are kept. Covered."""

LANDMARKS: Final = ("lib/python3.*/os.py", "lib64/python3.*/os.py", "lib/pypy3*/os.py")
"""What makes a directory a prefix: the standard library."""

MOST_SETTINGS: Final = 64 << 10
"""Bytes that are read of a pyvenv.cfg, which has a few hundred."""


class Interpreter(Struct, frozen=True):
    """What must be visible for an interpreter to run."""

    executable: str
    """As it was named, made absolute: links are kept, a virtual environment is found through them."""
    directories: tuple[Shown, ...]
    """Prefixes and the user's packages: each as it was named and, if that differs, as it really is."""
    links: tuple[Link, ...]
    """Every link on the way to the executable and the directories."""
    private: tuple[tuple[str, bool], ...] = ()
    """What of PRIVATE is there, and whether it is a directory."""
    user_base: str | None = None


def our_interpreter() -> Interpreter:
    """Return the interpreter that runs this code, and runs the guest."""
    base = site.getuserbase() if site.ENABLE_USER_SITE else ""
    packages = site.getusersitepackages() if site.ENABLE_USER_SITE else ""
    prefixes = (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)
    return describe(sys.executable, prefixes, base, packages)


def look_at_interpreter(command: str, ours: Interpreter | None = None) -> Interpreter:
    """Return the interpreter that a kernel's argv starts with; nothing of it is run.

    :param ours: our own, if it has just been looked at.
    :raises StartError: there is no such program, or it is no Python.
    """
    found = shutil.which(command)
    if found is None:
        raise StartError(f"The kernel's program {command!r} was not found; is its environment still there?")
    path = Path(found).absolute()
    if path == Path(sys.executable).absolute():
        return ours or our_interpreter()
    try:
        return _look_at(path)
    except (OSError, ValueError) as error:  # a loop of links, an impossible path in pyvenv.cfg, …
        raise StartError(f"The Python environment of {path} is broken: {error}.") from error


def _look_at(path: Path) -> Interpreter:
    environment = _virtual_environment(path)
    prefixes = [_prefix_above(way) for way in _ways(path, environment)]
    named = dict.fromkeys(str(prefix) for prefix in prefixes if prefix is not None)
    if not named:
        raise StartError(f"The kernel's program {path} is no Python with its standard library in reach.")
    base, packages = _user_packages(environment, Path(next(iter(named))))
    return describe(str(path), (*([str(environment)] if environment else []), *named), base, packages)


def _virtual_environment(executable: Path) -> Path | None:
    """Return the virtual environment that an executable belongs to, as Python finds it."""
    places = (executable.parent, executable.parent.parent)
    return next((place for place in places if (place / "pyvenv.cfg").is_file()), None)


def _ways(executable: Path, environment: Path | None) -> Iterator[Path]:
    """Yield the executables above which a prefix may be: the base's as it is named, and the real file."""
    if environment is not None and (home := settings_of(environment).get("home")):
        yield Path(home, executable.name)
    else:
        yield executable
    yield Path(os.path.realpath(executable))


def settings_of(environment: Path) -> dict[str, str]:
    """Return what a virtual environment's pyvenv.cfg says, keys in lower case."""
    with (environment / "pyvenv.cfg").open(encoding="utf-8", errors="replace") as file:
        pairs = (line.partition("=") for line in file.read(MOST_SETTINGS).splitlines())
        return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _prefix_above(executable: Path) -> Path | None:
    """Return the nearest directory above an executable that has a standard library.

    The root has one where /lib is a link into /usr, and is nobody's prefix.
    """
    places = (place for place in executable.parents if place.is_absolute() and place != Path("/"))
    return next((place for place in places if _landmark(place)), None)


def _landmark(prefix: Path) -> Path | None:
    return next((found for pattern in LANDMARKS for found in prefix.glob(pattern)), None)


def _user_packages(environment: Path | None, prefix: Path) -> tuple[str, str]:
    """Return base and directory of the user's own packages, where an interpreter would use them."""
    mark = _landmark(prefix)
    isolated = environment and settings_of(environment).get("include-system-site-packages", "") != "true"
    if isolated or mark is None:
        return "", ""
    base = site.getuserbase()
    return base, f"{base}/lib/{mark.parent.name}/site-packages"


def describe(executable: str, prefixes: tuple[str, ...], user_base: str, user_site: str) -> Interpreter:
    """Return the interpreter with these places, as far as they exist."""
    prefixes = tuple(map(straight, prefixes))
    wanted = [store for store in STORES if any(is_within(os.path.realpath(p), store) for p in prefixes)]
    packages = user_site if user_site and Path(user_site).is_dir() else None
    named = dict.fromkeys(path for path in (*prefixes, *wanted, packages) if path and Path(path).is_dir())
    ways = [follow(path) for path in (*named, straight(executable))]
    pairs = [Shown(path, real) for path, (_, real) in zip(named, ways, strict=False)]
    directories = tuple(dict.fromkeys([*pairs, *(Shown(pair.real, pair.real) for pair in pairs)]))
    return Interpreter(
        executable=straight(executable),
        directories=directories,
        links=tuple(dict.fromkeys(link for links, _ in ways for link in links)),
        private=tuple(_private(directories)),
        user_base=user_base if packages else None,
    )


def straight(path: str) -> str:
    """Return a path without `..`: inside, what it leads through is not there."""
    if ".." not in Path(path).parts:
        return path
    head, tail = os.path.split(path)
    return os.path.join(os.path.realpath(head), tail)  # noqa: PTH118 - links before `..` are followed, the last is not


def _private(directories: Iterable[Shown]) -> Iterator[tuple[str, bool]]:
    for directory in directories:
        for name in PRIVATE:
            path = Path(directory.path, name)
            if path.exists() and not path.is_symlink():
                yield str(path), path.is_dir()


def require_open_to_all(*interpreters: Interpreter) -> None:
    """Make sure that somebody who is not root can run these; spot checks, not every file.

    :raises StartError: names what only its owner can read.
    """
    for interpreter in interpreters:
        directories = [place.real for place in interpreter.directories]
        libraries = (str(_landmark(Path(place)) or place) for place in directories)
        for path in (interpreter.executable, *directories, *libraries):
            mode = Path(path).stat().st_mode
            if mode & 0o004 == 0 or (stat.S_ISDIR(mode) and mode & 0o001 == 0):
                raise StartError(
                    f"{path} can be read by its owner only, but root's sandboxes do not run as root. "
                    f"Allow it with: chmod -R go+rX {path}"
                )
