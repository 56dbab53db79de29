"""What this machine's Jupyter configuration says of sandboxes, whichever program starts the kernel.

Jupyter Server and nbconvert read Jupyter's configuration; papermill, `jupyter execute` and
the argv launcher do not, and an administrator's maxima must bind there as well. So the
provisioner reads `jupyter_config.py` and `jupyter_config.json` itself, in the directories
and the order that Jupyter has for them (`jupyter --paths`), under whatever its program says.
Never in the current directory, where Jupyter's own applications look too: that is the
notebook's folder, and who wrote the notebook may have put a file there.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Final

from jupyter_core.paths import jupyter_config_path
from traitlets.config.loader import (
    Config,
    ConfigFileNotFound,
    JSONFileConfigLoader,
    LazyConfigValue,
    PyFileConfigLoader,
)

from sandbox_kernel.errors import PolicyError
from sandbox_kernel.policy import refuse_unknown, spelled

SECTION: Final = "SandboxProvisioner"
SOURCE: Final = f"c.{SECTION}.{{field}}"
"""How a setting of the section is spelt, for who reads that it was refused."""

EVERYBODY: Final = ("jupyter_config",)
"""The files that count whichever program starts a kernel, without their endings."""

JUPYTERLAB: Final = ("jupyter_lab_config", *EVERYBODY, "jupyter_server_config")
"""The files that JupyterLab's server reads, the strongest last."""

_LOADERS: Final = {".py": PyFileConfigLoader, ".json": JSONFileConfigLoader}


def machine_configuration(files: Iterable[str] = EVERYBODY) -> Config:
    """Return the section that the configuration files have for us, and nothing else of them.

    :raises PolicyError: a file cannot be read: its maxima would be missing.
    """
    merged = Config()
    for found in _loaded(files):
        if SECTION in found:
            merged.merge(Config({SECTION: found[SECTION]}))
    return merged


def under(given: Config) -> Config:
    """Return a program's own configuration with the machine's under it.

    :raises PolicyError: a file of the machine's cannot be read.
    """
    merged = machine_configuration()
    merged.merge(given)
    return merged


def refuse_unused(config: Mapping[str, object], known: Iterable[str], source: str) -> None:
    """Refuse configuration that traitlets would drop with no more than a warning.

    :raises PolicyError: a name is not known, or a list is added to where there is none.
    """
    settings = {name: value for name, value in config.items() if not name[:1].isupper()}
    refuse_unknown(settings, known, source)
    for name, value in settings.items():
        if isinstance(value, LazyConfigValue) and value.to_dict():
            raise PolicyError(f"{spelled(source, name)} has no list to add to; assign the whole list with =.")


def _loaded(files: Iterable[str]) -> Iterator[Config]:
    for file, directory in product(
        files, reversed(jupyter_config_path())
    ):  # the last merged is the strongest
        for ending, loader in _LOADERS.items():
            try:
                yield loader(f"{file}{ending}", path=directory).load_config()
            except ConfigFileNotFound:
                continue
            except Exception as error:  # a configuration file may raise anything
                raise PolicyError(
                    f"Jupyter's configuration {directory}/{file}{ending} cannot be read: {error!r}. It may "
                    "hold limits for sandboxes, so none is started; mend the file."
                ) from error
