"""What clients may send into a sandbox.

They hold the outer key and are trusted with it, but not to be right: a client with a bug must
neither harm the kernel nor wait for an answer that cannot come.
"""

from sandbox_kernel.host.hooks import Observer
from sandbox_kernel.host.hygiene import MAX_HEADER, clean_header
from sandbox_kernel.host.jupyter import MalformedMessageError, RawMessage, Signer
from sandbox_kernel.host.ledger import Ledger, Request
from sandbox_kernel.host.parts import Json, UncleanMessageError, read_object
from sandbox_kernel.policy import Policy, format_size
from sandbox_kernel.wire import Channel

_REQUESTS = frozenset(
    (
        *("execute_request", "inspect_request", "complete_request", "history_request"),
        *("is_complete_request", "connect_request", "comm_info_request", "kernel_info_request"),
        *("shutdown_request", "interrupt_request"),
    )
)
ASKED = {
    Channel.SHELL: _REQUESTS | {"comm_open", "comm_msg", "comm_close"},
    Channel.CONTROL: _REQUESTS
    | {"debug_request", "usage_request"}
    | {f"{verb}_subshell_request" for verb in ("create", "delete", "list")},
    Channel.STDIN: frozenset(("input_reply",)),
}
"""What a client may send: what ipykernel has a handler for. To anything else no kernel would answer."""

OVER_LIMIT = "CodeTooLarge"
"""What a cell is refused as that is over a limit of the policy; any other refusal is a client's slip."""


class Admission:
    """The rules for clients' messages."""

    def __init__(self, policy: Policy, ledger: Ledger, *, outer: Signer, observer: Observer) -> None:
        self._policy = policy
        self._ledger = ledger
        self._outer = outer
        self._observer = observer

    def read(self, channel: Channel, raw: RawMessage) -> Request:
        """Return what a client asks for.

        :raises MalformedMessageError: its signature is wrong, or it may not be asked for here and now.
        :raises UncleanMessageError: its header is none.
        """
        self._outer.check(raw)
        header, _ = read_object(raw.header, "a header", limit=MAX_HEADER)
        return self._request(channel, raw, clean_header(header))

    def _request(self, channel: Channel, raw: RawMessage, header: Json) -> Request:
        msg_id, msg_type = header["msg_id"], header["msg_type"]
        if msg_type not in ASKED[channel]:
            raise MalformedMessageError(f"a message of type {msg_type!r}")
        if msg_type == "execute_request" and self._ledger.is_open_cell(msg_id):
            raise MalformedMessageError("a message a second time")
        if msg_type == "input_reply":
            self._take_answer()
        request = Request(msg_id, msg_type, channel, raw.identities, raw.header)
        request.subshell = header.get("subshell_id") or ""
        if not msg_type.endswith("_request"):
            request.answered = ""
        return request

    def _take_answer(self) -> None:
        """Let an answer through if a question is open: else the next input() would take it for its own."""
        asking = next((cell for cell in self._ledger.executing() if cell.questions), None)
        if asking is None:
            raise MalformedMessageError("an answer that nobody waits for")
        asking.questions -= 1

    def refusal(self, request: Request, raw: RawMessage) -> tuple[str, str] | None:
        """Return name and sentence of why a cell is not let in, None if it is."""
        if len(raw.content) > self._policy.code:
            return OVER_LIMIT, (
                f"This cell has {format_size(len(raw.content))} of code; "
                f"the policy of this kernel allows {format_size(self._policy.code)} ('code')."
            )
        if self._ledger.full:
            return "TooManyCells", "Too many cells wait for this kernel already."
        try:
            content, _ = read_object(raw.content, "content")
        except UncleanMessageError as unclean:
            return "UnusableRequest", f"A client sent a cell with {unclean}."
        if not isinstance(content.get("code"), str):
            return "UnusableRequest", "A client sent a cell without code."
        request.allow_stdin = content.get("allow_stdin", True) is True  # the protocol's default
        self._observer.cell_asked(request, content["code"])
        return None
