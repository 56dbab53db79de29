"""The rest of the web, as far as a test needs it: all names lead here.

Playwright's own routes miss what a sandboxed frame asks for first, so requests are answered and
noted by real servers, to which Chromium is told to resolve every name.
"""

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOST = "elsewhere.invalid"
"""A machine that nobody should be asked for anything."""

Answer = Callable[[str], tuple[bytes, str] | None]
"""Takes an address, without a scheme; returns a body and its type, None if there is nothing."""


class Web:
    """Two servers, and what they were asked."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[str] = []
        self.answer = answer
        self.arguments: list[str] = []
        """What Chromium is to be started with."""

    def paths(self, host: str) -> set[str]:
        """Return the paths that were asked for on this host, without their queries."""
        return {
            address.removeprefix(f"{host}/").partition("?")[0]
            for address in self.asked
            if address.startswith(f"{host}/")
        }


@contextmanager
def web(directory: Path, answer: Answer) -> Iterator[Web]:
    """Bring both servers up, one of them with TLS and a certificate that Chromium is told to take."""
    certificate = directory / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=*"),
            *("-keyout", certificate, "-out", directory / "certificate.crt"),
        ],
        check=True,
        capture_output=True,
    )
    found = Web(answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "certificate.crt", certificate)
    with ExitStack() as stack:
        plain, secure = (stack.enter_context(_serving(found, tls)) for tls in (None, context))
        rules = (f"MAP {HOST} 127.0.0.1:{plain}", f"MAP * 127.0.0.1:{secure}", "EXCLUDE localhost")
        found.arguments = [f"--host-resolver-rules={', '.join(rules)}", "--ignore-certificate-errors"]
        yield found


@contextmanager
def _serving(found: Web, context: ssl.SSLContext | None) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = f"{self.headers['Host']}{self.path}"
            found.asked.append(address)
            answer = found.answer(address)
            self.send_response(200 if answer else 404)
            body, kind = answer or (b"", "text/plain")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, name="elsewhere")
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
