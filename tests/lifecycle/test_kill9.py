"""kill -9 of the host process, at any moment, leaves nothing: no process, cgroup, mount, socket, file."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

HOST = [sys.executable, str(Path(__file__).with_name("host.py"))]
ROUNDS = int(os.environ.get("KILL_ROUNDS", "12"))
"""How often; the release check runs 200."""


def start(directory, count=1, **env):
    return subprocess.Popen(
        [*HOST, directory, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | env,
    )


def end(host):
    with host:
        host.kill()


def test_while_busy(directory, no_leftovers):
    """A kernel that floods, with daemons of its own, goes with its host."""
    host = start(directory, count=3)
    while host.stdout.readline() != "busy\n":
        pass
    assert no_leftovers.added()  # there is something to be left behind
    end(host)
    assert no_leftovers.settle() == set()


@pytest.mark.timeout(1800)
def test_at_random_moments(directory, no_leftovers):
    """From the first instruction of the start to long after it: whenever it comes, nothing stays."""
    dice = random.Random(20261120)
    for _ in range(ROUNDS):
        host = start(directory)
        if dice.random() < 0.8:
            host.stdout.readline()  # "starting": the interesting moments are behind it
        try:
            host.wait(timeout=dice.uniform(0, 1.2))
        except subprocess.TimeoutExpired:
            end(host)
    assert no_leftovers.settle(patience=40) == set()
