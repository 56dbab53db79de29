"""A machine gets its own filter, or a sentence."""

import pytest

from sandbox_kernel.errors import EngineUnavailableError
from sandbox_kernel.host.engines.bubblewrap.seccomp import ARCHITECTURES, filter_path, load_filter
from tests.host.engines.bubblewrap.seccomp.filters import RULES


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_each_architecture_has_its_filter(monkeypatch, machine):
    """The filter is chosen by the machine's architecture."""
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert load_filter() == filter_path(machine).read_bytes()


def test_the_list_and_the_loader_agree():
    """What the list is for is what there are filters for."""
    assert tuple(arch.machine for arch in RULES.architectures) == ARCHITECTURES


def test_another_architecture_is_told(monkeypatch):
    """Without a filter nothing starts, and the message says where it would."""
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(EngineUnavailableError, match="'riscv64', only for x86_64 and aarch64"):
        load_filter()
