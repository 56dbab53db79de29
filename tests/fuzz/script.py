"""Bytes as a script: what a fuzzer makes up is played to a guard, or to a decoder."""

import contextlib
import json
from collections.abc import Sequence

from sandbox_kernel.host.admission import ASKED
from sandbox_kernel.host.content import content_filters
from sandbox_kernel.host.guard import ViolationError
from sandbox_kernel.host.publication import PUBLISHED
from sandbox_kernel.host.secrets import Masks
from sandbox_kernel.wire import CHUNK_BYTES, EXCLUSIVE_BYTES, Channel, Decoder, RemoteProtocolError
from tests.fuzz.world import POLICY, REPLIES, World

CAP = 600_000
MOST_HELD = CAP + (len(Channel) - 1) * EXCLUSIVE_BYTES + CHUNK_BYTES
"""Bytes that a decoder may hold: see the rules in `sandbox_kernel.wire.frames`."""

STEPS = 60
CHANNELS = tuple(Channel)
CLIENTS = (Channel.SHELL, Channel.SHELL, Channel.CONTROL, Channel.STDIN)
TYPES = sorted(set(PUBLISHED) | REPLIES | {"input_request", "input_reply", "iopub_welcome", "strange"})
REQUESTS = sorted({*ASKED[Channel.SHELL], *ASKED[Channel.CONTROL], "input_reply", "strange_request"})
SPOILT = ("", "", "", "header", "parent", "metadata", "identities", "signature")
BODIES = [
    {"code": "1"},
    {"code": "input()", "allow_stdin": True},
    {"code": "x" * 2000},
    {"name": "stdout", "text": "x" * 100},
    {"name": "stderr", "text": "x" * 5000},
    {"data": {"text/plain": "x"}, "metadata": {}},
    {"execution_state": "idle"},
    {"execution_state": "busy"},
    {"status": "ok"},
    {"status": "error", "ename": "KeyboardInterrupt", "evalue": "", "traceback": ["x"]},
    {"prompt": "?", "password": False},
    {"comm_id": "c", "target_name": "jupyter.widget", "data": {"state": {}, "buffer_paths": []}},
]
"""Contents that make sense somewhere; a fuzzer needs days to find them by itself."""

SECRET = "xxxxxxxxxxxx"
FIGURE = {"data": [], "layout": {"height": 1}}
CONTROLS = {f"_{kind}_module": "@jupyter-widgets/controls" for kind in ("model", "view")}
WIDGET = {**CONTROLS, "_model_name": "HTMLModel", "_view_name": "HTMLView", "value": "<b>"}
OUTPUT = {"output_type": "stream", "name": "stdout", "text": SECRET}
CELL = {"source": "set_next_input", "text": "x", "replace": True}
ACTIVE = [
    {"data": {"text/html": "<b>x</b><script>1</script>"}, "metadata": {}},
    {
        "data": {"image/svg+xml": "<svg><g/></svg>", "text/markdown": "![x](y)<i>"},
        "transient": {"display_id": "a"},
    },
    {"data": {"application/vnd.plotly.v1+json": FIGURE}, "metadata": {}},
    {
        "comm_id": "c",
        "target_name": "jupyter.widget",
        "data": {"state": WIDGET, "buffer_paths": [["value"]]},
    },
    {"comm_id": "c", "data": {"method": "update_states", "states": {"c": {"state": {"value": "<"}}}}},
    {"comm_id": "c", "data": {"method": "update", "state": {"outputs": [OUTPUT]}, "buffer_paths": []}},
    {
        "status": "ok",
        "payload": [CELL],
        "user_expressions": {"a": {"status": "ok", "data": {"text/html": "<b>"}}},
    },
]
"""Contents that the rules for browsers have something to do with."""


def as_json(value: object) -> bytes:
    """Return what a kernel might write for it: NaN and lone surrogates as well."""
    return json.dumps(value).encode()


class Script:
    """Reads choices off the front of some bytes; at their end every choice is the first."""

    def __init__(self, data: bytes, bodies: Sequence[object] = BODIES) -> None:
        self._data = data
        self._at = 0
        self._bodies = bodies

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def number(self, below: int) -> int:
        self._at += 1
        return self._data[self._at - 1] % below if self._at <= len(self._data) else 0

    def pick(self, choices):
        return choices[self.number(len(choices))]

    def take(self) -> bytes:
        length = self.number(256)
        self._at += length
        return self._data[self._at - length : self._at]

    def content(self) -> bytes:
        kind = self.number(4)
        if kind == 0:
            return self.take()
        if kind == 1:
            return b'{"data": ' + self.take() + b', "text": "x"}'
        return as_json(self.pick(self._bodies))


def play(data: bytes) -> World:
    """Play a script to a guard; raises AssertionError, or whatever the guard should not have raised."""
    return _played(Script(data), World())


def play_content(data: bytes) -> World:
    """Play a script to a guard with the rules for browsers, and a secret to mask."""
    world = World(filters=content_filters(POLICY), masks=Masks({"TOKEN": SECRET}))
    return _played(Script(data, [*BODIES, *ACTIVE]), world)


def _played(script: Script, world: World) -> World:
    with contextlib.suppress(ViolationError):
        for _ in range(STEPS):
            if not script:
                break
            step(script, world)
    world.end()
    return world


def step(script: Script, world: World) -> None:
    match script.number(8):
        case 0 | 1:
            world.ask(
                script.pick(CLIENTS),
                "execute_request" if script.number(2) else script.pick(REQUESTS),
                script.content(),
                client=script.number(2),
                again=script.number(8) if script.number(8) == 0 else -1,
            )
        case 2 | 3 | 4:
            world.say(
                script.pick(CHANNELS[1:]),
                script.pick(TYPES),
                script.content(),
                parent=script.number(9) - 1,
                spoil=script.pick(SPOILT),
                junk=script.take() if script.number(2) else b"",
                buffers=(script.take(),) if script.number(8) == 0 else (),
            )
        case 5:
            world.say_raw(script.pick(CHANNELS[1:]), tuple(script.take() for _ in range(script.number(9))))
        case 6:
            world.ask_raw(script.pick(CLIENTS), [script.take() for _ in range(script.number(9))])
        case 7:
            rare(script, world)


def rare(script: Script, world: World) -> None:
    match script.number(3):
        case 0:
            world.say_too_much(script.pick(CHANNELS[1:]), 1 << script.number(40))
        case 1:
            world.interrupt()
        case 2:
            world.pass_time(script.number(100) / 10)


def decode(data: bytes) -> None:
    """Feed bytes to a decoder, cut where the first of them say."""
    decoder = Decoder(max_message=CAP)
    size = 1 + (data[0] if data else 0) * 7
    with contextlib.suppress(RemoteProtocolError):
        for at in range(1, len(data), size):
            for message in decoder.receive(data[at : at + size]):
                assert message.channel in Channel
            assert decoder.held <= MOST_HELD
        decoder.eof()
