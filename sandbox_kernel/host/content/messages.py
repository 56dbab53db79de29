"""What becomes of each kind of message."""

import re
from collections.abc import Callable
from typing import Any, Final

from sandbox_kernel.host.content.bundle import Bundles, Mode
from sandbox_kernel.host.content.libraries import MAX_LIBRARY
from sandbox_kernel.host.content.texts import printable
from sandbox_kernel.host.content.widgets import MAX_WIDGETS, MODEL_SIZE, Widgets
from sandbox_kernel.host.hooks import Filter
from sandbox_kernel.host.parts import Json
from sandbox_kernel.policy import Policy

_OUTPUTS: Final = ("stream", "error", "display_data", "execute_result")
_ADDRESS = re.compile(r"https?://[^\s\x00-\x1f\"'<>]{1,2000}")


def content_filters(policy: Policy) -> tuple[Filter, ...]:
    """Return what makes a kernel's messages harmless to a browser, as far as its policy wants that."""
    return () if policy.html == "trust" else (Contents(policy.html),)


def most_kept(policy: Policy) -> int:
    """Return the bytes that the filters of one kernel keep from message to message, at most."""
    libraries = 2 * MAX_LIBRARY if policy.html == "isolate" else 0
    return libraries + (MAX_WIDGETS * MODEL_SIZE if policy.html != "trust" else 0)


class Contents:
    """The filter for one kernel."""

    def __init__(self, mode: Mode) -> None:
        self._bundles = Bundles(mode)
        self._widgets = Widgets(self._bundles.html, self._output, mode)
        self._rules: dict[str, Callable[[Json], Json]] = {
            "stream": _texts("text"),
            "error": _error,
            "display_data": self._displayed,
            "update_display_data": self._displayed,
            "execute_result": self._displayed,
            "execute_input": _texts("code"),
            "execute_reply": self._executed,
            "inspect_reply": self._displayed,
            "debug_reply": self._debugged,
            "input_request": _texts("prompt"),
            "kernel_info_reply": _introduced,
            "comm_open": self._widgets.opened,
            "comm_msg": self._widgets.told,
            "comm_close": self._widgets.closed,
        }

    def __call__(self, msg_type: str, content: Json) -> Json:
        """Return the content as clients get it."""
        self._bundles.allowance.renew()
        return self._clean(msg_type, content)

    def _clean(self, msg_type: str, content: Json) -> Json:
        rule = self._rules.get(msg_type)
        return rule(content) if rule else content

    def _displayed(self, content: Json) -> Json:
        data = content.get("data")
        if not isinstance(data, dict):
            return content
        shown = self._bundles.shown(data)
        return content if shown is data else {**content, "data": shown}

    def _executed(self, content: Json) -> Json:
        clean = _error(content)
        payload, values = clean.get("payload"), clean.get("user_expressions")
        if isinstance(payload, list) and payload:
            clean = {**clean, "payload": [self._paid(item) for item in payload if isinstance(item, dict)]}
        if isinstance(values, dict) and values:
            shown = {
                name: self._displayed(_error(value))
                for name, value in values.items()
                if isinstance(value, dict)
            }
            clean = {**clean, "user_expressions": shown}
        return clean

    def _paid(self, item: Json) -> Json:
        """Return a payload that shows a page, or puts code into a new cell: never over what is there."""
        if item.get("source") == "set_next_input":
            text = item.get("text")
            return {
                "source": "set_next_input",
                "text": text if isinstance(text, str) else "",
                "replace": False,
            }
        return self._displayed(item)

    def _debugged(self, content: Json) -> Json:
        body = content.get("body")
        return {**content, "body": self._displayed(body)} if isinstance(body, dict) else content

    def _output(self, output: Any) -> Json | None:
        """Return an output as a notebook holds it."""
        if not isinstance(output, dict):
            return None
        kind = output.get("output_type")
        return self._clean(kind, output) if kind in _OUTPUTS else None


def _texts(*names: str) -> Callable[[Json], Json]:
    def clean(content: Json) -> Json:
        changed = {
            name: text
            for name in names
            if isinstance(content.get(name), str) and (text := printable(content[name])) != content[name]
        }
        return {**content, **changed} if changed else content

    return clean


def _error(content: Json) -> Json:
    content = _texts("ename", "evalue")(content)
    lines = content.get("traceback")
    if not isinstance(lines, list):
        return content
    clean = [printable(line) if isinstance(line, str) else line for line in lines]
    return content if clean == lines else {**content, "traceback": clean}


def _introduced(content: Json) -> Json:
    content = _texts("banner")(content)
    links = content.get("help_links")
    if links is None:
        return content
    kept = [link for link in links if _is_link(link)] if isinstance(links, list) else []
    return content if kept == links else {**content, "help_links": kept}


def _is_link(link: Any) -> bool:
    if not isinstance(link, dict) or not isinstance(link.get("text"), str):
        return False
    url = link.get("url")
    return isinstance(url, str) and _ADDRESS.fullmatch(url) is not None
