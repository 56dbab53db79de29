"""Front sockets and their directory."""

import json
import os
import stat

import pytest
import zmq

from sandbox_kernel.errors import StartError
from sandbox_kernel.host import front as module
from sandbox_kernel.host.front import Front
from sandbox_kernel.host.runtime import MAX_SOCKET_PATH, runtime_bases
from sandbox_kernel.wire import Channel


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """A short private XDG_RUNTIME_DIR."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def front(runtime):
    front = Front.create()
    yield front
    front.close()


def test_the_directory_is_private_and_short(front, runtime):
    """Nobody else can connect, and every socket's path fits."""
    assert stat.S_IMODE(front.directory.stat().st_mode) == 0o700
    assert all(
        len(front.address(channel).removeprefix("ipc://")) <= MAX_SOCKET_PATH for channel in list(Channel)[1:]
    )


def test_the_connection_info_is_new_each_time_and_its_key_is_bytes(front):
    """jupyter_client keeps what it is given; a str key would make it leak a running kernel."""
    first, second = front.connection_info(), front.connection_info()
    assert first == second
    assert first is not second
    assert isinstance(first["key"], bytes)
    assert first["transport"] == "ipc"


def test_keys_differ(runtime):
    """No two kernels share a key or a directory."""
    fronts = [Front.create() for _ in range(3)]
    assert len({front.key for front in fronts}) == len({front.directory for front in fronts}) == 3
    for front in fronts:
        front.close()


def test_binding_again_takes_the_place_of_what_was_unlinked(front):
    """A restart binds the same addresses, whether or not jupyter_client has unlinked them."""
    context = zmq.Context()
    for _ in range(2):
        sockets = front.bind(context)
        assert set(sockets) == set(Channel) - {Channel.SUPERVISOR}
        for socket in sockets.values():
            socket.close(linger=0)
    context.term()


def test_closing_leaves_nothing_and_may_be_repeated(runtime):
    """Directory and, with the last kernel, the one above it are gone."""
    front = Front.create()
    front.close()
    front.close()
    assert list(runtime.iterdir()) == []


def test_a_long_runtime_directory_is_passed_over(tmp_path, monkeypatch):
    """Where a socket's path would not fit, /tmp is used."""
    long = tmp_path / ("x" * 100)
    long.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    assert str(runtime_bases()[0]) in (
        f"/tmp/sandbox-kernel-{os.getuid()}",
        f"/run/user/{os.getuid()}/sandbox-kernel",
    )


@pytest.fixture
def squatted(runtime, monkeypatch):
    """Every place before the last is taken."""
    last = runtime / "home" / ".cache" / "sandbox-kernel"
    monkeypatch.setattr(module, "runtime_bases", lambda: [runtime / "sandbox-kernel", last])
    return last


def test_a_base_that_others_could_have_made_is_passed_over(runtime, squatted):
    """A directory open to others may hold anybody's sockets; nobody can keep us from starting with one."""
    base = runtime / "sandbox-kernel"
    base.mkdir()
    base.chmod(0o777)
    front = Front.create()
    assert front.directory.parent == squatted
    front.close()
    assert list(base.iterdir()) == []


def test_a_symlink_in_its_place_is_not_followed(runtime, squatted, tmp_path):
    """Nor is a link, wherever it leads."""
    target = tmp_path / "target"
    target.mkdir(mode=0o700)
    (runtime / "sandbox-kernel").symlink_to(target)
    front = Front.create()
    assert front.directory.parent == squatted
    front.close()


def test_where_no_place_is_private_the_variable_is_named(runtime, monkeypatch):
    """The person at the keyboard reads what to set."""
    base = runtime / "sandbox-kernel"
    base.mkdir()
    base.chmod(0o777)
    monkeypatch.setattr(module, "runtime_bases", lambda: [base])
    with pytest.raises(StartError, match="XDG_RUNTIME_DIR"):
        Front.create()


def test_a_given_connection_file_is_served_as_it_says(runtime, tmp_path):
    """The argv launcher binds where the program that started it will look."""
    path = tmp_path / "c.json"
    ports = {"shell_port": 1, "iopub_port": 2, "stdin_port": 3, "control_port": 4, "hb_port": 5}
    path.write_text(json.dumps({"transport": "ipc", "ip": str(tmp_path / "x"), "key": "k", **ports}))
    front = Front.from_connection_file(path)
    assert front.key == b"k"
    assert front.address(Channel.HEARTBEAT) == f"ipc://{tmp_path}/x-5"
    front.close()


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"ip": 1}'])
def test_a_useless_connection_file_is_named(runtime, tmp_path, text):
    """What cannot be read is one sentence with the path in it."""
    path = tmp_path / "c.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(StartError, match=str(path)):
        Front.from_connection_file(path)


OPEN_TO_OTHERS = {
    "no key": {"key": ""},
    "a key that is no text": {"key": 1},
    "another signature": {"signature_scheme": "hmac-md5"},
    "a port beyond all ports": {"hb_port": (1 << 16) + 1},
    "encryption": {"curve_publickey": "x" * 40},
}


@pytest.mark.parametrize("change", OPEN_TO_OTHERS.values(), ids=OPEN_TO_OTHERS)
def test_a_connection_file_that_would_let_others_in_is_refused(runtime, tmp_path, change):
    """Without a key, at another port or unencrypted the kernel would be somebody else's, too."""
    path = tmp_path / "c.json"
    fields = {name: 1 + number for number, name in enumerate(module._FIELDS.values())}
    good = {"transport": "tcp", "ip": "127.0.0.1", "key": "k", **fields}
    path.write_text(json.dumps(good))
    Front.from_connection_file(path).close()
    path.write_text(json.dumps(good | change))
    with pytest.raises(StartError, match=str(path)):
        Front.from_connection_file(path)


def test_a_taken_address_is_named(runtime, tmp_path):
    """A second kernel on one TCP connection file fails with the address."""
    context = zmq.Context()
    holder = context.socket(zmq.ROUTER)
    port = holder.bind_to_random_port("tcp://127.0.0.1")
    fields = dict.fromkeys(module._FIELDS.values(), port)
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"transport": "tcp", "ip": "127.0.0.1", "key": "k", **fields}))
    front = Front.from_connection_file(path)
    with pytest.raises(StartError, match=str(port)):
        front.bind(context)
    front.close()
    context.destroy(linger=0)
