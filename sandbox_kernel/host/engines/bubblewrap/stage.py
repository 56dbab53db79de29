"""A program of its own: what real root does before bubblewrap may start.

Bubblewrap started by root is a way out: uid 0 outside owns the files below /proc/sys,
whatever it is called inside. So root's last acts are here, and then it is root no more:

1. Read the orders from stdin (their length is the argument): they come once the limits hold.
   End of input means that the one who started us is gone; then nothing is started.
2. Clone every source (open_tree) from a descriptor that was opened and judged before; where
   ordered, with its owner's ids mapped to the sandbox's (mount_setattr, an idmapped mount).
3. In a mount namespace of our own, attach the clones below /tmp, where everybody reaches them.
4. Give up groups, group and user; make sure that no capability is left.
5. Become bubblewrap, with an empty environment. The descriptor for complaints closes with that.

The orders are a marshalled dict: it is read by the interpreter that wrote it, over a pipe
that nobody else has, and importing anything larger would cost more than all the rest.
Standard library only; run as `python -I -S stage.py LENGTH COMPLAINTS`.
"""

from __future__ import annotations

import _ctypes
import errno
import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal  # without `enum`, which the other brings

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_NOSUID, MS_NODEV, MS_REC, MS_SLAVE = 0x2, 0x4, 0x4000, 0x80000
AT_EMPTY_PATH, AT_RECURSIVE = 0x1000, 0x8000
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC = 0x1, 0o2000000
MOVE_MOUNT_F_EMPTY_PATH = 0x4
MOUNT_ATTR_IDMAP = 0x100000
PR_SET_PDEATHSIG = 1
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442  # the same on every architecture we build for


class _Word(_ctypes._SimpleCData):  # type: ignore[type-arg]  # noqa: SLF001 - there is no other
    _type_ = "l"


class _Number(_ctypes._SimpleCData):  # type: ignore[type-arg]  # noqa: SLF001 - there is no other
    _type_ = "i"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Number


# `ctypes`, which is above it, would take four milliseconds to import. A program of its own shares nothing.
_LIBRARY = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]


OLD = "Linux 5.2 or later is needed to start sandboxes as root; start Jupyter as an ordinary user instead."
CONTAINED = (
    "Root has no right to mount here (a container without CAP_SYS_ADMIN?); start Jupyter as an ordinary user "
    "instead, or give the container that right."
)


class Refused(Exception):  # noqa: N818 - it is the other side's error, told to it by its kind
    """Something the person at the keyboard must know: its kind and a sentence."""


def _call(name: str, *values: int | bytes | None, what: str = "") -> int:
    """Call a function of the C library; numbers are passed as longs, bytes as pointers.

    :param what: what it is called in an error, if not by its name.
    :raises OSError: it returns -1.
    """
    function = _Function(_ctypes.dlsym(_LIBRARY, name))
    result: int = function(*(_Word(value) if isinstance(value, int) else value for value in values))
    if result == -1:
        error = _ctypes.get_errno()
        raise OSError(error, f"{what or name}: {os.strerror(error)}")
    return result


def read_orders(length: int) -> dict[str, Any]:
    """Return the orders, or leave quietly when they do not come."""
    data = b""
    while len(data) < length:
        more = os.read(0, length - len(data))
        if not more:
            os._exit(1)
        data += more
    orders: dict[str, Any] = marshal.loads(data)  # noqa: S302 - from our own parent, see above
    return orders


def clone(source: dict[str, Any]) -> int:
    """Return a detached copy of the mount at a descriptor, idmapped where ordered and possible."""
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE
    tree = _call("syscall", OPEN_TREE, source["fd"], b"", flags, what="open_tree")
    if source["idmap"] is None:
        return tree
    try:
        idmap(tree, source["idmap"])
    except OSError as error:
        if source["writable"]:
            raise Refused(
                "workspace",
                f"{source['path']} cannot be shared for writing by root: its file system does not map owners "
                f"({error.strerror}). Share it as ro, or start Jupyter as the owner of the directory.",
            ) from error
        note = f"{source['path']}: owners are not mapped; only what everybody may read can be read.\n"
        os.write(2, note.encode(errors="surrogateescape"))
    return tree


def idmap(tree: int, ids: tuple[int, int, int, int]) -> None:
    """Let files of the owner's ids appear as the sandbox's, and the other way round, in a detached mount."""
    namespace = user_namespace(*ids)
    # struct mount_attr: what to set, what to clear, the propagation, the namespace.
    attributes = b"".join(each.to_bytes(8, sys.byteorder) for each in (MOUNT_ATTR_IDMAP, 0, 0, namespace))
    flags = AT_EMPTY_PATH | AT_RECURSIVE
    try:
        _call(
            "syscall", MOUNT_SETATTR, tree, b"", flags, attributes, len(attributes), what="mount_setattr"
        )  # fmt: skip
    finally:
        os.close(namespace)


def user_namespace(owner: int, group: int, uid: int, gid: int) -> int:
    """Return a user namespace in which owner is uid and group is gid; a child makes it and waits."""
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _call("unshare", CLONE_NEWUSER)
            _call("prctl", PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        except OSError:
            os.write(told, b"n")
        os.write(told, b"y")
        signal.pause()
    try:
        if os.read(ready, 1) != b"y":
            raise OSError(1, "no user namespace could be made")
        for name, line in (("uid_map", f"{owner} {uid} 1"), ("gid_map", f"{group} {gid} 1")):
            with open(f"/proc/{child}/{name}", "w") as file:  # noqa: PTH123 - pathlib costs 10 ms to import
                file.write(line)
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(told)


def attach(trees: list[int], sources: list[dict[str, Any]], place: str) -> None:
    """Attach the clones below `place`, in a mount namespace of our own, by their number."""
    _call("unshare", CLONE_NEWNS)
    _mount(b"none", b"/", None, MS_REC | MS_SLAVE, None)
    _mount(b"tmpfs", place.encode(), b"tmpfs", MS_NOSUID | MS_NODEV, b"mode=0711,size=64k")
    for number, (tree, source) in enumerate(zip(trees, sources, strict=True)):
        target = f"{place}/{number}"
        if source["directory"]:
            os.mkdir(target, 0o711)  # noqa: PTH102
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600))
        to = (-100, target.encode())
        _call("syscall", MOVE_MOUNT, tree, b"", *to, MOVE_MOUNT_F_EMPTY_PATH, what="move_mount")
        os.close(tree)
        os.close(source["fd"])


def _mount(source: bytes, target: bytes, kind: bytes | None, flags: int, data: bytes | None) -> None:
    _call("mount", source, target, kind, flags, data, what=f"mount {target.decode()}")


def become(uid: int, gid: int) -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    with open("/proc/self/status") as status:  # noqa: PTH123
        sets = dict(line.split(":\t") for line in status.read().splitlines() if line.startswith("Cap"))
    if any(int(sets[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")):
        raise Refused("start", "Capabilities were left after giving up root; is no_setuid_fixup set?")


def main() -> None:
    """Do the five steps; on failure tell why and exit with 1."""
    length, complaints = int(sys.argv[1]), int(sys.argv[2])
    orders = read_orders(length)
    try:
        os.set_inheritable(complaints, False)
        attach([clone(source) for source in orders["sources"]], orders["sources"], orders["place"])
        become(orders["uid"], orders["gid"])
        os.execve(orders["argv"][0], orders["argv"], {})  # noqa: S606
    except Refused as refusal:
        os.write(complaints, "\n".join(refusal.args).encode(errors="surrogateescape"))
    except OSError as error:
        sentence = {errno.ENOSYS: OLD, errno.EPERM: CONTAINED}.get(error.errno or 0, str(error))
        os.write(complaints, f"start\n{sentence}".encode(errors="surrogateescape"))
    os._exit(1)


if __name__ == "__main__":
    main()
