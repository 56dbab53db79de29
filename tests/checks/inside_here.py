"""What the kernel is sent, run in this process, on values of ours."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import IPython
import pytest

import sandbox_kernel.checks
from sandbox_kernel.checks.values import Value, read_value

TEXT = Path(sandbox_kernel.checks.__file__).with_name("inside.py").read_text()


def inside() -> dict[str, Any]:
    """Return the names that the text defines, as a kernel has them."""
    names: dict[str, Any] = {"__name__": "checks"}
    exec(compile(TEXT, "inside", "exec"), names)
    return names


def described(value: object) -> Value:
    """Return a value as judges see it: described, sent as JSON, read."""
    return read_value(json.loads(json.dumps(inside()["Describer"]().describe(value))))


def asked(code: str, namespace: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run a question as a cell of a kernel with these variables; return what it displays."""
    shown: list[str] = []
    publisher = SimpleNamespace(publish=lambda data: shown.append(data["text/plain"]))
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(display_pub=publisher))
    exec(code, namespace)
    return shown
