"""What a policy allows and a machine does not have is said, in a sentence for each."""

from sandbox_kernel.host.machine.room import Room, beyond, room_here
from sandbox_kernel.policy import GiB, Policy

SMALL = Room(memory=8 * GiB, cpus=2, pids=32_768, files=1024)


def said(policy: Policy, *, started_here: bool = True) -> list[str]:
    return [sentence.partition(" is ")[0] for sentence in beyond(policy, SMALL, started_here=started_here)]


def test_what_is_there_is_not_spoken_of():
    """A policy that this machine has room for gets no warning, up to the last byte."""
    assert said(Policy()) == []
    assert said(Policy(memory=8 * GiB, cpus=2, pids=32_768, files=1024, tmp=8 * GiB)) == []


def test_what_is_not_there_is():
    """Each size for itself, with what the machine has."""
    policy = Policy(memory=900 * GiB, cpus=4096, pids=4_194_304, files=1_048_576, tmp=1000 * GiB)
    assert said(policy) == ["memory", "tmp", "cpus", "pids", "files"]
    assert said(policy, started_here=False) == ["memory", "tmp", "cpus", "pids"]
    memory, *_ = beyond(policy, SMALL, started_here=True)
    assert memory.startswith("memory is 900 GiB, but this machine has 8 GiB, swap included")


def test_this_machine():
    """There is some of each."""
    room = room_here()
    assert room.memory > 1 << 28
    assert min(room.cpus, room.pids, room.files) >= 1
