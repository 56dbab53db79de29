"""The clients of hostile kernels, in a process of their own: they ask on, and some never read.

Takes one JSON object on standard input, the connections and what to run; ends with its input.
"""

import json
import os
import sys
import threading
from functools import partial

import zmq
from jupyter_client.session import Session

HABITS = ("reads", "never reads", "is deaf")
"""How a client treats output: takes it, subscribes and leaves it lying, or does not even subscribe."""


def connect(context, connection):
    session = Session(key=connection["key"].encode())
    shell = context.socket(zmq.DEALER)
    shell.identity = session.bsession
    shell.connect(f"ipc://{connection['ip']}-{connection['shell_port']}")
    iopub = context.socket(zmq.SUB)
    if connection["habit"] != "is deaf":
        iopub.subscribe(b"")
        iopub.connect(f"ipc://{connection['ip']}-{connection['iopub_port']}")
    return session, shell, iopub


def main() -> None:
    clients = json.loads(sys.stdin.readline())
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    context, poller, asks = zmq.Context.instance(), zmq.Poller(), {}
    for client in clients:
        session, shell, iopub = connect(context, client)
        asks[shell] = partial(session.send, shell, "execute_request", {"code": client["code"]})
        poller.register(shell, zmq.POLLIN)
        if client["habit"] == "reads":
            poller.register(iopub, zmq.POLLIN)
    for ask in asks.values():
        ask()
    while True:
        for socket, _ in poller.poll():
            socket.recv_multipart(copy=False)
            if socket in asks:  # a cell was answered: its kernel may flood on
                asks[socket]()


if __name__ == "__main__":
    main()
