"""Attacks for which no wall is needed, nor asked: on what runs outside, by what was written by a stranger."""

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
    *(("browser", name) for name in PAGES),
    *(("tunnel", name) for name in (*FRAMES, *WORDS, *SLOW)),
    *(("control path", f"{name}={value}") for name, value in LIMITS),
    *(("control path", str(settings)) for settings, _ in MAXIMA),
    *(("control path", name) for name in (*PLACES, *NAMES, *IMAGES)),
]
"""Class and name of each."""
