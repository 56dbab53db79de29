"""Cells of a hostile notebook, which holds the key of its own messages, and what they do to a client.

Each is run in a kernel with nothing around it, where the harm is done, and behind every wall (the
test double's, too: these rules are kept outside), where it is not.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, output_from_msg

from sandbox_kernel.wire import MAX_PARTS

OUTPUT = 1 << 19
"""Bytes that a cell may send under the policy of these tests."""
FLOOD = 1 << 22
"""Bytes that a flood sends."""
PIECES = FLOOD >> 16

PRELUDE = """
import ctypes, os, subprocess, sys, time
from comm import create_comm
from IPython.display import clear_output, display
kernel = get_ipython().kernel
session, socket = kernel.session, kernel.iopub_socket
def raw(*parts): socket.send_multipart(list(parts))
def parts(kind, content, parent=None, **options):
    message = session.msg(kind, content, parent=parent or kernel.get_parent())
    message["header"].update(options)
    return session.serialize(message)
def say(kind, content, parent=None, **options): raw(b"topic", *parts(kind, content, parent, **options))
big = "x" * (1 << 16)
other = {"header": {"msg_id": "of-another", "msg_type": "execute_request", "session": "another",
                    "username": "u", "version": "5.3", "date": "2026-01-01T00:00:00Z"}}
"""


@dataclass
class Heard:
    """What a client got of a cell: all that was published until the next one had ended."""

    msg_id: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """What the client raised instead of a message."""
    questions: int = 0

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["msg_type"] == kind]

    def size(self) -> int:
        """Return the bytes that the client had to hold."""
        contents = sum(len(json.dumps(message["content"])) for message in self.messages)
        return contents + sum(len(buffer) for message in self.messages for buffer in message["buffers"])


Harm = Callable[[Heard], str]


@dataclass(frozen=True)
class Cell:
    """A cell, and how its harm shows: a sentence, or nothing."""

    kind: str
    ids: str
    code: str
    harm: Harm


def flooded(heard: Heard) -> str:
    return f"{heard.size()} bytes came" if heard.size() > 2 * OUTPUT else ""


def broke_the_client(heard: Heard) -> str:
    return f"the client raised {heard.errors}" if heard.errors else ""


def came(kind: str) -> Harm:
    return lambda heard: f"{kind} came" if heard.of(kind) else ""


def carries(mime: str) -> Harm:
    """Say that somebody got what some reader of notebooks obeys."""
    return lambda heard: (
        f"{mime} came" if any(mime in m["content"]["data"] for m in heard.of("display_data")) else ""
    )


def spoke_for_another(heard: Heard) -> str:
    spoken = [m for m in heard.messages if m["parent_header"].get("msg_id") == "of-another"]
    return "it was taken for another's" if spoken else ""


def ended_early(heard: Heard) -> str:
    ours = [m for m in heard.messages if m["parent_header"].get("msg_id") == heard.msg_id]
    ends = [n for n, m in enumerate(ours) if m["content"].get("execution_state") == "idle"]
    late = [n for n, m in enumerate(ours) if "late" in m["content"].get("text", "")]
    return "output came after the end" if ends and late and ends[0] < late[-1] else ""


def is_dead(heard: Heard) -> str:
    states = {m["content"].get("execution_state") for m in heard.of("status")}
    return "the kernel was said to be dead" if "dead" in states else ""


def counted_too_far(heard: Heard) -> str:
    counts = [m["content"].get("execution_count") for m in heard.of("execute_input")]
    return "it came" if any(count is not None and count > 1 << 53 for count in counts) else ""


def spoils_the_notebook(heard: Heard) -> str:
    """Say what goes wrong when what came is saved, as nbclient and nbformat do."""
    kinds = {"stream", "display_data", "execute_result", "error"}
    try:
        outputs = [output_from_msg(m) for m in heard.messages if m["msg_type"] in kinds]
        notebook = new_notebook(cells=[new_code_cell("", outputs=outputs)])
        nbformat.validate(notebook)
        nbformat.writes(notebook).encode()
        json.dumps(notebook, allow_nan=False)
    except (ValueError, KeyError, TypeError, AttributeError, nbformat.ValidationError) as error:
        return f"the notebook cannot be saved: {type(error).__name__}"
    return ""


def flood(ids: str, code: str) -> Cell:
    return Cell("exhaustion", ids, code, flooded)


def forgery(ids: str, code: str, harm: Harm) -> Cell:
    return Cell("tunnel", ids, code, harm)


LOOP = f"for _ in range({PIECES}): "
CELLS = {
    "print lines": flood("O1", f"for _ in range({FLOOD >> 10}): print('x' * 1023)"),
    "print one line": flood("O2", f"sys.stdout.write('x' * {FLOOD}); sys.stdout.flush()"),
    "print to stderr": flood("O1", LOOP + "print(big, file=sys.stderr)"),
    "write to the descriptor": flood("O6", LOOP + "os.write(1, big.encode())"),
    "write from C": flood(
        "O6", LOOP + "libc = ctypes.CDLL(None); libc.puts(big.encode()); libc.fflush(None)"
    ),
    "have a child write": flood(
        "O6", f"subprocess.run('head -c {FLOOD} /dev/zero | tr \"\\\\0\" x', shell=True)"
    ),
    "display": flood("O1", LOOP + "display({'text/plain': big}, raw=True)"),
    "display one large image": flood("O5", f"display({{'image/png': 'A' * {FLOOD}}}, raw=True)"),
    "update a display": flood(
        "O10", "h = display(1, display_id=True)\n" + LOOP + "h.update({'text/plain': big}, raw=True)"
    ),
    "clear and print again": flood("O10", LOOP + "clear_output(); print(big)"),
    "send on a comm": flood("", "c = create_comm(target_name='x')\n" + LOOP + "c.send({'x': big})"),
    "send buffers on a comm": flood(
        "", "c = create_comm(target_name='x')\n" + LOOP + "c.send({}, buffers=[big.encode()])"
    ),
    "return a large result": flood("", f"class Large:\n def __repr__(self): return 'x' * {FLOOD}\nLarge()"),
    "raise a large error": flood("O14", f"raise ValueError('x' * {FLOOD})"),
    "forge messages": flood("O1", LOOP + "say('stream', {'name': 'stdout', 'text': big})"),
    "speak for another cell": forgery(
        "K9", "say('stream', {'name': 'stdout', 'text': 'x'}, other)", spoke_for_another
    ),
    "clear another's output": forgery("", "say('clear_output', {'wait': False}, other)", spoke_for_another),
    "end another cell": forgery("K8", "say('status', {'execution_state': 'idle'}, other)", spoke_for_another),
    "end early": forgery(
        "K8",
        # It waits: a reply overtakes output, and whoever ends its own cell loses what comes after.
        "say('status', {'execution_state': 'idle'}); print('late', flush=True); time.sleep(2)",
        ended_early,
    ),
    "say that the kernel is dead": forgery("", "say('status', {'execution_state': 'dead'})", is_dead),
    "sign wrongly": forgery(
        "K5", "raw(b'x', b'<IDS|MSG>', b'0' * 64, b'{}', b'{}', b'{}', b'{}')", broke_the_client
    ),
    "send no delimiter": forgery("K5", "raw(b'x', b'junk')", broke_the_client),
    "send nothing but a delimiter": forgery("K5", "raw(b'x', b'<IDS|MSG>')", broke_the_client),
    "send the same again": forgery(
        "",
        "p = parts('stream', {'name': 'stdout', 'text': 'x'}); raw(b'x', *p); raw(b'x', *p)",
        broke_the_client,
    ),
    "nest JSON": forgery(
        "K4", "say('stream', b'{\"a\":' + b'[' * 100_000 + b']' * 100_000 + b'}')", broke_the_client
    ),
    "send broken JSON": forgery("K4", "say('stream', b'{\"a\":')", broke_the_client),
    "send text that is no text": forgery("K4", "say('stream', b'\\xff\\xfe')", broke_the_client),
    "leave out a message's type": forgery(
        "K5",
        "p = parts('stream', {}); p[2] = b'{}'; p[1] = session.sign(p[2:]); raw(b'x', *p)",
        broke_the_client,
    ),
    "send half a character": forgery(
        "O11", 'say(\'stream\', b\'{"name": "stdout", "text": "\\\\ud800"}\')', spoils_the_notebook
    ),
    "send what is no number": forgery(
        "O12",
        'say(\'display_data\', b\'{"data": {"application/json": NaN}, "metadata": {}}\')',
        spoils_the_notebook,
    ),
    "display a number as text": forgery(
        "K11", "say('display_data', {'data': {'text/plain': 1}, 'metadata': {}})", spoils_the_notebook
    ),
    "leave out the data": forgery("K11", "say('display_data', {'metadata': None})", spoils_the_notebook),
    "leave out a stream's text": forgery("K11", "say('stream', {})", spoils_the_notebook),
    "show a pickle": forgery(
        "K20",
        "import pickle\ndisplay({'application/x-python-pickle': pickle.dumps(print).hex()}, raw=True)",
        carries("application/x-python-pickle"),
    ),
    "order something of the host": forgery(
        "", "say('execute_request', {'code': '1'})", came("execute_request")
    ),
    "welcome a subscriber": forgery("", "say('iopub_welcome', {'subscription': ''})", came("iopub_welcome")),
    "ask for a password": forgery(
        "K13",
        "ident = kernel._parent_ident\nif not isinstance(ident, (list, bytes)): ident = ident['shell']\n"
        "session.send(kernel.stdin_socket, 'input_request', {'prompt': 'Password for the host:',"
        " 'password': True}, kernel.get_parent(), ident=ident)",
        lambda heard: "it asked" if heard.questions else "",
    ),
    "send thousands of parts": forgery(
        "K3",
        f"raw(b'x', *parts('comm_msg', {{'comm_id': 'x', 'data': {{}}}}), *[b''] * {MAX_PARTS + 1})",
        lambda heard: "they came" if any(len(m["buffers"]) > MAX_PARTS for m in heard.messages) else "",
    ),
    "count beyond all numbers": forgery(
        "K10",
        "say('execute_input', {'code': '1', 'execution_count': 10**30})",
        counted_too_far,
    ),
}
