"""Daemons and images that are nowhere, for what is decided without asking one."""

from sandbox_kernel.host.engines.docker.facts import Facts, Image


def facts(**changes):
    """Return the facts of an ordinary Docker daemon, with these changes."""
    ordinary = {
        "product": "Docker",
        "version": "28.0",
        "local": True,
        "memory": True,
        "swap": True,
        "pids": True,
        "cpus": True,
        "seccomp": True,
        "rootless": False,
        "userns": False,
        "runtimes": ("runc", "runsc"),
        "default_runtime": "runc",
        "processes": 1000,
        "processors": 4,
        "cgroups": "2",
    }
    return Facts(**{**ordinary, **changes})


def image(**changes):
    """Return an ordinary image, with these changes."""
    ordinary = {
        "name": "python",
        "id": "sha256:1",
        "guest": "",
        "environment": {"PATH": "/bin"},
        "volumes": (),
    }
    return Image(**{**ordinary, **changes})
