"""Attacks for which no wall is needed, nor asked: on what runs outside, by what was written by a stranger."""

import json
from collections.abc import Callable
from typing import Any

from tests.adversarial.test_stream import FRAMES, SLOW, WORDS
from tests.browser.hostile import ATTACKS as PAGES

LIMITS = [
    ("memory", -1),
    ("memory", 0),
    ("memory", "nan"),
    ("memory", "inf"),
    ("memory", True),
    ("memory", "1e309"),
    ("cpus", -1),
    ("cpus", "nan"),
    ("cpus", "inf"),
    ("pids", -1),
    ("pids", 0),
    ("tmp", -1),
    ("files", -1),
    ("output", -1),
    ("cell_timeout", "inf"),
    ("cell_timeout", -1),
    ("session_timeout", "nan"),
]
"""What other tools take for "no limit", or what no comparison refuses."""

MAXIMA: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"memory": "64g"}, {"max_memory": "4g"}),
    ({"cpus": 64}, {"max_cpus": 2}),
    ({"pids": 100_000}, {"max_pids": 200}),
    ({"tmp": "64g"}, {"max_tmp": "1g"}),
    ({"workspace": "rw"}, {"max_workspace": "ro"}),
    ({"mounts": "/srv/data"}, {"allowed_mounts": "/data"}),
    ({"mounts": "/data:rw"}, {"allowed_mounts": "/data:ro"}),
]

PLACES = [
    *("/", "//", "/etc", "/proc", "/proc/1", "/sys/fs", "/dev", "/run", "/var", "/usr", "/tmp", "/boot"),
    *("/srv/../etc", "/tmp/../proc", "~"),
]

NAMES = ["a,source=/etc", "a,U=true,destination=/", 'a"b', "a\nb"]

_NOTEBOOK: dict[str, Any] = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}


def _with(**metadata: Any) -> str:
    return json.dumps(_NOTEBOOK | {"metadata": metadata})


def _with_text(text: str) -> str:
    """Return a notebook with JSON in its metadata that Python would not write."""
    return _with(x="here").replace('"here"', text)


def _with_cell(**fields: Any) -> str:
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "source": "1",
        "outputs": [],
        "execution_count": None,
    }
    return json.dumps(_NOTEBOOK | {"cells": [cell | fields]})


NOTEBOOKS = {
    "nests without end": (_with_text("[" * 100_000 + "]" * 100_000), "not JSON"),
    "nests deep": (_with_text('{"a":' * 900 + "1" + "}" * 900), "not a valid notebook"),
    "has a number without end": (_with_text("9" * 5000), "not JSON"),
    "has half a character": (_with_cell(source="print('\ud800')"), "half a character"),
    "says twice what its cells are": (json.dumps(_NOTEBOOK)[:-1] + ', "cells": 3}', "not a valid notebook"),
    "has a number for code": (_with_cell(source=["1", 2]), "not a valid notebook"),
    "has an object for tags": (_with_cell(metadata={"tags": [{"a": 1}]}), "not a valid notebook"),
    "has a list for a kernel": (_with(kernelspec=["x"]), "not a valid notebook"),
    "has an object for a language": (_with(language_info={"name": {"a": 1}}), "not a valid notebook"),
}
"""What a notebook may hold that is none, and the words with which it is refused."""

_SPEC = {"argv": ["python", "-m", "x", "{connection_file}"], "display_name": "x", "language": "python"}


def _spec(config: Any = None, **changes: Any) -> str:
    stanza = {"provisioner_name": "sandbox-provisioner", "config": {} if config is None else config}
    return json.dumps({**_SPEC, "metadata": {"kernel_provisioner": stanza}, **changes})


KERNELSPECS = {
    "nests without end": _spec("here").replace('"here"', '{"a":' * 50_000 + "1" + "}" * 50_000),
    "has a number without end": _spec({"memory": "here"}).replace('"here"', "9" * 5000),
    "has a list for settings": _spec(["memory"]),
    "has a text for settings": _spec("memory"),
    "has a number for a command": _spec(argv=3),
    "has a number for an environment": _spec(env=3),
    "has a number for a language": _spec(language=3),
    "is no object": "[sandbox",
}
"""What a kernelspec of somebody's may be instead of one."""

KERNEL_IDS = ["a\nforged", "\x1b]0;title\x07", "../../../etc", "x" * 100_000]
"""Names that some gateways let their clients choose."""

FILE = "-a\n\x1b]0;title\x07$(touch made);\u202e,ro=\udcff"
"""A name for folders and notebooks: an option, more lines, commands to a terminal and a shell, no text."""

Wanted = Callable[[dict[str, Any]], Any]
IMAGES: dict[str, tuple[dict[str, Any], Wanted]] = {
    "a program of its own": ({"Entrypoint": ["/evil"]}, lambda body: body["Entrypoint"] == ["ours"]),
    "arguments of its own": ({"Cmd": ["evil"]}, lambda body: body["Cmd"] == []),
    "root as its user": ({"User": "root"}, lambda body: body["User"] == "65534:65534"),
    "a directory to start in": ({"WorkingDir": "/proc/self/fd/8"}, lambda body: body["WorkingDir"] == "/"),
    "a program that runs beside": (
        {"Healthcheck": {"Test": ["CMD", "/evil"]}},
        lambda body: body["Healthcheck"] == {"Test": ["NONE"]},
    ),
    "a signal that ends nothing": ({"StopSignal": "SIGCONT"}, lambda body: body["StopSignal"] == "SIGKILL"),
    "room on the host's disk": (
        {"Volumes": {"/data/": {}}},
        lambda body: "/data" in body["HostConfig"]["Tmpfs"],
    ),
    "variables for process 1": (
        {"Env": ["LD_PRELOAD=/evil.so"]},
        lambda body: "LD_PRELOAD=/evil.so" not in body["Env"],
    ),
    "labels like ours": (
        {"Labels": {"owner": "them"}},
        lambda body: body["Labels"] == {"owner": "us"},
    ),
}

OUTSIDE = [
    *(("browser", name) for name in (*PAGES, "widget-report")),
    *(("tunnel", name) for name in (*FRAMES, *WORDS, *SLOW)),
    *(("control path", f"{name}={value}") for name, value in LIMITS),
    *(("control path", str(settings)) for settings, _ in MAXIMA),
    *(("control path", name) for name in (*PLACES, *NAMES, *IMAGES, *NOTEBOOKS, *KERNEL_IDS)),
    *(("control path", f"a kernelspec that {name}") for name in KERNELSPECS),
    *(
        ("control path", name)
        for name in ("a file's name", "a device as a notebook", "a kernel that is deaf")
    ),
]
"""Class and name of each."""
