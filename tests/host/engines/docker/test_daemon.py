"""What is said of an address at which no daemon is."""

import http.server
import threading

import pytest

from sandbox_kernel.errors import DaemonGoneError
from sandbox_kernel.host.engines.docker.address import Address
from sandbox_kernel.host.engines.docker.daemon import Daemon


@pytest.mark.parametrize("body", [b"hi", b"{}", b"[]", b"7"])
def test_something_else_answers(body):
    """A web server is not a daemon, whatever it says, and its answer is no riddle for the user."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"tcp://127.0.0.1:{server.server_port}"
        try:
            with pytest.raises(DaemonGoneError) as raised:
                Daemon(Address("docker", url, "tests"))
        finally:
            server.shutdown()
    said = f"Docker does not answer at {url} (tests): what answers there is something else. Is it running, "
    assert str(raised.value).startswith(said)
