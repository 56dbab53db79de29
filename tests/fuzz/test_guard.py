"""The guard as a state machine: clients and a hostile kernel take turns as hypothesis likes."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from sandbox_kernel.host.content import content_filters
from sandbox_kernel.host.guard import ViolationError
from sandbox_kernel.host.secrets import Masks
from sandbox_kernel.wire import Channel
from tests.fuzz import script
from tests.fuzz.script import ACTIVE, BODIES, CHANNELS, CLIENTS, REQUESTS, SPOILT, TYPES
from tests.fuzz.world import POLICY, World

CORPUS = Path(__file__).parent / "corpus"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("text", "name", "data", "metadata", "transient", "execution_count", "execution_state", "status")
CONTENTS = (
    st.sampled_from(BODIES + ACTIVE)
    | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), JSON, max_size=4)
    | st.builds(lambda body, field, value: {**body, field: value}, st.sampled_from(BODIES), st.text(), JSON)
).map(script.as_json) | st.binary(max_size=200)
PARENTS = st.integers(-1, 8)


class GuardMachine(RuleBasedStateMachine):
    """Every rule's outcome is checked by the world; at the end all debts are paid."""

    def __init__(self):
        super().__init__()
        self.world = World(filters=content_filters(POLICY), masks=Masks({"TOKEN": script.SECRET}))

    @rule(content=CONTENTS, client=st.integers(0, 1), again=st.just(-1) | st.integers(0, 3))
    def execute(self, content, client, again):
        self.world.ask(Channel.SHELL, "execute_request", content, client=client, again=again)

    @rule(channel=st.sampled_from(CLIENTS), msg_type=st.sampled_from(REQUESTS), content=CONTENTS)
    def ask(self, channel, msg_type, content):
        self.world.ask(channel, msg_type, content)

    @rule(channel=st.sampled_from(CLIENTS), parts=st.lists(st.binary(max_size=20), max_size=9))
    def ask_junk(self, channel, parts):
        self.world.ask_raw(channel, parts)

    @precondition(lambda self: self.world.sent)
    @rule(parent=PARENTS, status=st.sampled_from(["ok", "error", "aborted", None, 1]))
    def reply(self, parent, status):
        content = script.as_json(
            {"status": status, "ename": "KeyboardInterrupt", "evalue": "", "traceback": []}
        )
        self.world.say(Channel.SHELL, "execute_reply", content, parent=parent)

    @rule(parent=PARENTS, state=st.sampled_from(["busy", "idle", "starting", 1]))
    def status(self, parent, state):
        self.world.say(Channel.IOPUB, "status", script.as_json({"execution_state": state}), parent=parent)

    @rule(
        channel=st.sampled_from(CHANNELS[1:]),
        msg_type=st.sampled_from(TYPES),
        content=CONTENTS,
        parent=PARENTS,
        spoil=st.sampled_from(SPOILT),
        junk=st.binary(max_size=200) | CONTENTS,
        buffers=st.lists(st.binary(max_size=50), max_size=2).map(tuple),
    )
    def say(self, channel, msg_type, content, parent, spoil, junk, buffers):
        self.world.say(channel, msg_type, content, parent=parent, spoil=spoil, junk=junk, buffers=buffers)

    @rule(parent=PARENTS, size=st.integers(0, 20_000))
    def print(self, parent, size):
        content = script.as_json({"name": "stdout", "text": "x" * size})
        self.world.say(Channel.IOPUB, "stream", content, parent=parent)

    @rule(
        channel=st.sampled_from(CHANNELS[1:]), parts=st.lists(st.binary(max_size=20), max_size=9).map(tuple)
    )
    def say_junk(self, channel, parts):
        self.world.say_raw(channel, parts)

    @rule(channel=st.sampled_from(CHANNELS[1:]), size=st.integers(1, 2**40))
    def say_too_much(self, channel, size):
        self.world.say_too_much(channel, size)

    @rule(seconds=st.floats(0, 20))
    def pass_time(self, seconds):
        self.world.pass_time(seconds)

    @rule()
    def interrupt(self):
        self.world.interrupt()

    def teardown(self):
        self.world.end()


GuardMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,  # a busy machine is no failure
    derandomize=True,  # the same cases every time: atheris is there to find new ones
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestGuard = GuardMachine.TestCase


@pytest.mark.parametrize(
    ("corpus", "play"),
    [("guard", script.play), ("guard", script.play_content), ("decoder", script.decode)],
)
def test_corpus(corpus, play):
    """What a coverage-guided fuzzer found worth keeping is still survived, with and without filters."""
    scripts = sorted((CORPUS / corpus).iterdir())
    assert len(scripts) > 10
    for path in scripts:
        play(path.read_bytes())


def test_the_world_notices():
    """The checks are no formality: a guard that lets everything through does not survive them."""
    world = World()
    world.ask(Channel.SHELL, "execute_request", script.as_json({"code": "1"}))
    world.guard.ledger.find = lambda msg_id: None
    world.guard.ledger.header = lambda msg_id: b'{"msg_id": "forged"}'
    with pytest.raises((AssertionError, ViolationError)):
        world.say(Channel.IOPUB, "stream", script.as_json({"name": "stdout", "text": "x"}), parent=0)
