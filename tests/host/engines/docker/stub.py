"""A daemon that does nothing but list containers, and remove them or not, as a test says."""

import http.server
import json
import socketserver
import threading

from sandbox_kernel.host.engines.docker.address import Address


class Stub:
    """A daemon that knows one thing: containers, each with what it answers to the orders to remove it."""

    def __init__(self, socket):
        self.containers = {}
        self.labels = {}
        self.ghosts = []
        self.orders = []
        self.address = Address("docker", f"unix://{socket}", "tests")
        self._socket = str(socket)
        self._server = None

    def start(self):
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                self.answer(*stub.look(self.path.partition("?")[0]))

            def do_DELETE(self):
                self.answer(*stub.order(self.path.partition("?")[0].rpartition("/")[2]))

            def answer(self, status, body):
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self._server = socketserver.ThreadingUnixStreamServer(self._socket, Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def close(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def look(self, path):
        if path.endswith("/version"):
            return 200, {"ApiVersion": "1.41", "Version": "20.10"}
        if path.endswith("/containers/json"):
            listed = [*self.containers, *self.ghosts]
            return 200, [{"Id": one, "Names": [], "Labels": self.labels} for one in listed]
        found = self.containers.get(path.split("/")[-2])
        return (404, {"message": "No such container"}) if found is None else (200, {"Id": "x"})

    def order(self, container):
        self.orders.append(container)
        if container not in self.containers:
            return 404, {"message": "No such container"}
        status = next(self.containers[container])
        if status == 204:
            del self.containers[container]
        return status, {"message": "removal is already in progress"}
