"""What `sandbox-kernel install` does: writes a kernelspec, where Jupyter will find it."""

import json
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from jupyter_core.paths import jupyter_data_dir

from sandbox_kernel.cli import kernels
from sandbox_kernel.cli.escape import plain
from sandbox_kernel.cli.walls import missing
from sandbox_kernel.errors import NotebookError
from sandbox_kernel.notebooks import DEFAULT_KERNEL
from sandbox_kernel.policy import Policy

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}", re.ASCII)
_ARGV = [sys.executable, "-E", "-P", "-m", "sandbox_provisioner", "-f", "{connection_file}"]
"""Programs run it in the notebook's folder, where a cell may have left a zmq.py: neither the folder (-P)
nor what PYTHONPATH says of it (-E) may be imported from outside the wall."""


def install(
    name: str | None,
    display_name: str | None,
    where: str | None,
    prefix: str | None,
    settings: Mapping[str, str],
    *,
    replace: bool,
) -> None:
    """Write the kernelspec of that name, with those settings, and say where.

    :raises click.UsageError: nothing can be called so.
    :raises NotebookError: it is there already, would never be found, or cannot be written.
    """
    name = DEFAULT_KERNEL if name is None else name
    if not _NAME.fullmatch(name):
        raise click.UsageError(f"{name!r} is not a kernel's name: letters, digits, '.', '_' and '-' only.")
    directory = _kernels_directory(where, prefix) / name.lower()
    if directory.exists() and not replace:
        raise NotebookError(f"{directory} exists already; say --replace to replace it.")
    if prefix is None and (other := _hidden_by(directory)):
        raise NotebookError(
            f"{directory} would never be used: Jupyter finds the kernel {name.lower()!r} in {other} first. "
            "Say --sys-prefix (with --replace) to replace that one, or another --name."
        )
    title = display_name or ("Sandboxed Python" if name == DEFAULT_KERNEL else f"Sandboxed Python ({name})")
    _install(directory, _kernel_json(title, settings))
    click.echo(f"Installed kernel {name.lower()!r} in {directory}")
    if problem := missing(Policy.from_settings(settings)):
        click.echo(f"sandbox-kernel: it will not start yet. {plain(problem)}", err=True)


def _kernels_directory(where: str | None, prefix: str | None) -> Path:
    if prefix is None and where != "sys-prefix":
        return Path(jupyter_data_dir()) / "kernels"
    return Path(prefix or sys.prefix) / "share" / "jupyter" / "kernels"


def _hidden_by(directory: Path) -> Path | None:
    """Return the kernel that Jupyter takes in place of the one in this directory, if there is one."""
    for place in map(Path, KernelSpecManager().kernel_dirs):
        if place == directory.parent:
            return None
        if (place / directory.name / "kernel.json").exists():
            return place / directory.name
    return None


def _kernel_json(title: str, settings: Mapping[str, str]) -> dict[str, Any]:
    shipped = _shipped()
    metadata = {**shipped.get("metadata", {})}
    metadata["kernel_provisioner"] = {
        "provisioner_name": kernels.PROVISIONER,
        "config": {field: _as_json(field, value) for field, value in settings.items()},
    }
    return {
        "argv": _ARGV,
        "display_name": title,
        "language": "python",
        "interrupt_mode": "signal",
        **{key: value for key, value in shipped.items() if key in ("interrupt_mode", "env")},
        "metadata": metadata,
    }


def _as_json(field: str, value: str) -> str | list[str]:
    return [part.strip() for part in value.split(",")] if field in ("mounts", "env", "secrets") else value


def _shipped_directory() -> Path | None:
    try:
        return Path(KernelSpecManager().get_kernel_spec(DEFAULT_KERNEL).resource_dir)
    except NoSuchKernel:
        return None


def _shipped() -> dict[str, Any]:
    """Return the kernel.json that came with the package, if it is installed where Jupyter looks."""
    directory = _shipped_directory()
    if directory is None:
        return {"metadata": {"debugger": True}}
    content: dict[str, Any] = json.loads((directory / "kernel.json").read_text(encoding="utf-8"))
    return content


def _install(directory: Path, content: dict[str, Any]) -> None:
    """Put the kernelspec together beside its place, with the logos, and move it there."""
    source = _shipped_directory()
    logos = list(source.glob("logo*")) if source else []
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".sandbox-kernel-", dir=directory.parent) as scratch:
            new, old = Path(scratch, "new"), Path(scratch, "old")
            new.mkdir(mode=0o755)
            (new / "kernel.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            for logo in logos:
                (new / logo.name).write_bytes(logo.read_bytes())
            if directory.exists():
                directory.rename(old)
            new.rename(directory)
    except OSError as error:
        raise NotebookError(f"cannot install into {directory}: {error.strerror}.") from error
