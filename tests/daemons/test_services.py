"""The daemons of tests leave nothing where somebody works, and nothing running."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.daemons import services

DAEMON = """
import http.server, os, socketserver, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.end_headers()

open("oom", "w").close()  # as Podman's monitors do
socketserver.UnixStreamServer(sys.argv[1], Handler).serve_forever()
"""
SHIM = "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(services, "RUN", tmp_path)
    monkeypatch.setattr(services, "STATE", tmp_path)
    return tmp_path


def shim(exec_root):
    """Return a process that looks as a container's shim does, and the one below it."""
    command = [sys.executable, "-c", SHIM, "-address", f"{exec_root}/containerd/containerd.sock"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    return process, int(process.stdout.readline())


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_service_works_in_a_directory_of_its_own(place, monkeypatch):
    """What its containers' monitors drop falls there, and not where the tests were started."""
    checkout = place / "checkout"
    checkout.mkdir()
    monkeypatch.chdir(checkout)
    service = services.Service("d", [sys.executable, "-c", DAEMON, place / "d.sock"])
    service.start()
    service.stop()
    assert (place / "d-work" / "oom").exists()
    assert not os.listdir(checkout)


def test_what_a_service_has_forgotten_ends_with_it(place):
    """Shims of its own, and all below them; not those of another daemon."""
    service, other = services.Service("d", []), services.Service("d2", [])
    (mine, below), (theirs, _) = shim(service.exec_root), shim(other.exec_root)
    with mine, theirs:
        try:
            service.stop()
            assert mine.wait(10) == -signal.SIGKILL
            await_end(below)
            assert theirs.poll() is None
        finally:
            other.stop()
            mine.kill()
            theirs.kill()


def await_end(pid):
    deadline = time.monotonic() + 10
    while runs(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
