"""The images of one daemon: what is there, and how more get there."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

from sandbox_kernel.errors import ImageError
from sandbox_kernel.host.engines.docker.daemon import Daemon

Say = Callable[[str], None]
"""Takes one line about what happens now."""

_LAST_WORDS: Final = 15
"""Lines of a failed build that its error ends with: a traceback of pip's fits."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An image that a daemon has."""

    id: str
    tags: tuple[str, ...]
    labels: Mapping[str, str]
    size: int
    """Bytes on the daemon's disk, of which other images may share a part."""
    created: float
    """Seconds since 1970."""


class Store:
    """Asks one daemon for its images. Every call waits for the daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._client: Any = daemon.client

    def own(self, name: str) -> str:
        """Return what an image of ours is called there.

        Podman takes a name without a registry for Docker Hub's, where it is somebody else's to give.
        """
        return f"localhost/{name}" if self._daemon.facts().podman else name

    def find(self, name: str) -> Stored | None:
        """Return the image of that name, None if it is not there; nothing is pulled."""
        if self._daemon.image(name) is None:
            return None
        found = self._daemon.inspect_image(name)
        if found is None:
            return None
        config = found.get("Config") or {}
        created = datetime.fromisoformat(found["Created"]).timestamp() if found.get("Created") else 0
        return _stored({**found, "Labels": config.get("Labels"), "Created": created})

    def list(self, label: str, *, dangling: bool = False) -> list[Stored]:
        """Return the images that have a label, newest first; dangling: those without a name instead."""
        with self._daemon.translating("list its images"):
            filters = {"label": [label], "dangling": dangling}
            found = [_stored(each) for each in self._client.images(filters=filters)]
        return sorted((each for each in found if dangling or each.tags), key=lambda each: -each.created)

    def pull(self, name: str, say: Say) -> None:
        """Get an image from its registry.

        :raises ImageError: the registry does not have it, or cannot be reached.
        """
        with self._daemon.translating(f"get {name} from its registry"):
            for event in self._client.pull(name, stream=True, decode=True):
                if "error" in event:
                    raise ImageError(f"{name} could not be had from its registry: {event['error']}.")
                if event.get("status") and not event.get("progressDetail"):
                    say(f"{event.get('id', '')} {event['status']}".strip())

    def load_root(self, tar: Path, name: str, labels: Mapping[str, str]) -> None:
        """Make an image from a tar file of a root file system."""
        repository, tag = _split(name)
        changes = [f"LABEL {key}={value}" for key, value in labels.items()]
        with self._daemon.translating(f"import {name}"):
            self._client.import_image_from_file(str(tar), repository=repository, tag=tag, changes=changes)

    def build(self, context: IO[bytes], name: str, arguments: Mapping[str, str], say: Say) -> None:
        """Build an image, without a network, from the tar file of a context.

        :raises ImageError: a step failed; the message ends with its last words.
        """
        heard: list[str] = []
        with self._daemon.translating(f"build {name}"):
            events = self._client.build(
                fileobj=context,
                custom_context=True,
                tag=name,
                buildargs=dict(arguments),
                network_mode="none",
                rm=True,
                forcerm=True,
                decode=True,
            )
            for line in _lines(events, heard):
                say(line)
        if heard and heard[-1].startswith(_FAILED):
            words = "\n".join(heard[-_LAST_WORDS:])
            raise ImageError(f"{name} could not be built; the last words were:\n{words}")

    def tag(self, image: str, name: str) -> None:
        """Give an image one more name."""
        repository, tag = _split(name)
        with self._daemon.translating(f"call an image {name}"):
            self._client.tag(image, repository, tag=tag)

    def remove(self, image: str) -> None:
        """Remove an image, by its id: its layers go too, but for those that others share.

        :raises RefusedError: a container or an image is made from it.
        """
        with self._daemon.translating(f"remove the image {image}"):
            self._client.remove_image(image)


_FAILED: Final = "error: "


def _lines(events: Iterable[Mapping[str, Any]], heard: list[str]) -> Iterable[str]:
    """Yield what a build says, line by line, and keep it in `heard`; an error is the last."""
    for event in events:
        text = str(event.get("stream") or "")
        if "error" in event:
            text = f"{_FAILED}{event['error']}"
        for line in text.splitlines():
            if line.strip():
                heard.append(line.rstrip())
                yield line.rstrip()


def _split(name: str) -> tuple[str, str]:
    """Return repository and tag of a name of ours; a colon before the last slash is a registry's port."""
    head, colon, tag = name.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (name, "latest")


def _stored(entry: Mapping[str, Any]) -> Stored:
    return Stored(
        id=str(entry["Id"]),
        tags=tuple(tag for tag in entry.get("RepoTags") or () if tag != "<none>:<none>"),
        labels=entry.get("Labels") or {},
        size=int(entry.get("Size") or 0),
        created=float(entry.get("Created") or 0),
    )
