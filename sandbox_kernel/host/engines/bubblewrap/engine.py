"""The embedded engine: the user's own Python, behind namespaces made by bubblewrap.

No daemon, no image, no root. See `layout` for what is seen inside, `stage` for what is
different when root runs this, `limits` and `seccomp` for what else holds.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from msgspec.structs import replace

import sandbox_kernel
from sandbox_kernel.host.engines.base import Enforcement, Launch
from sandbox_kernel.host.engines.bubblewrap.birth import Birth, recipe_of, walls_of
from sandbox_kernel.host.engines.bubblewrap.bwrap import Bubblewrap, find_bubblewrap
from sandbox_kernel.host.engines.bubblewrap.bytecode import compile_guest, program
from sandbox_kernel.host.engines.bubblewrap.command import command, guest_command
from sandbox_kernel.host.engines.bubblewrap.descriptors import Descriptors, descriptors
from sandbox_kernel.host.engines.bubblewrap.identity import Identity, identity_for, trial_identity
from sandbox_kernel.host.engines.bubblewrap.landlock import PROGRAM, Ruleset, abi, ruleset, within
from sandbox_kernel.host.engines.bubblewrap.launch import STAGED, Started, open_for_root, open_for_user
from sandbox_kernel.host.engines.bubblewrap.layout import SECOND_WALL, Facts, build
from sandbox_kernel.host.engines.bubblewrap.limits import AppliedLimits, LimitPlan, orphans, plan_limits
from sandbox_kernel.host.engines.bubblewrap.operations import Operation
from sandbox_kernel.host.engines.bubblewrap.process import BubblewrapProcess
from sandbox_kernel.host.engines.bubblewrap.report import report
from sandbox_kernel.host.engines.bubblewrap.seccomp import load_filter
from sandbox_kernel.host.engines.bubblewrap.sources import Opener, place_for_root, place_for_user
from sandbox_kernel.host.engines.bubblewrap.system import look_at_system
from sandbox_kernel.host.engines.bubblewrap.template import TEMPLATES, clear_scratch
from sandbox_kernel.host.engines.doors import find_doors
from sandbox_kernel.host.engines.grants import Opened, close_all, homes, open_grants
from sandbox_kernel.host.engines.interpreter import (
    Interpreter,
    look_at_interpreter,
    our_interpreter,
    require_open_to_all,
)
from sandbox_kernel.host.environment import HOME, RUNTIME, kernel_environment
from sandbox_kernel.policy import Policy
from sandbox_kernel.wire import WIRE_VERSION, Start

PACKAGE: Final = os.path.realpath(Path(sandbox_kernel.__file__).parent)


def provisioner() -> str | None:
    """Return the directory of the plug for jupyter_client, which the host imports and this must not."""
    found = find_spec("sandbox_provisioner")
    return os.path.realpath(Path(found.origin).parent) if found is not None and found.origin else None


class BubblewrapEngine:
    """Puts a process behind a wall of namespaces."""

    name = "bubblewrap"

    def check(self, policy: Policy) -> list[Enforcement]:
        """Return how each wall and limit is kept here.

        :raises EngineUnavailableError: there is no usable bubblewrap; says what to do.
        """
        who = trial_identity()
        wall = find_bubblewrap(who)
        load_filter()
        return [*plan_limits(policy).enforcements(), *report(policy, wall, who)]

    def software(self, policy: Policy) -> str:  # noqa: ARG002 - whatever the policy
        """Return "": inside is this machine's own."""
        return ""

    def sweep(self) -> list[str]:
        """Remove empty control groups of launches that are no more, and what templates have left."""
        removed = clear_scratch()
        for group in orphans():
            with contextlib.suppress(OSError):  # another host was quicker
                group.rmdir()
                removed.append(str(group))
        return removed

    def start(self, policy: Policy, launch: Launch) -> BubblewrapProcess:
        """Start the guest behind the wall; see `Engine.start`."""
        return start_command(policy, launch, guest_command, fork=True)


def start_command(
    policy: Policy, launch: Launch, inner: Callable[[Interpreter], list[str]], *, fork: bool = False
) -> BubblewrapProcess:
    """Start what `inner` returns for our interpreter as PID 1; raises as `Engine.start`.

    :param fork: whether it can take a kernel that was forked from a template.
    """
    who = identity_for(launch.name)
    wall = find_bubblewrap(trial_identity())
    limits = plan_limits(policy)
    ours = our_interpreter()
    kernels = look_at_interpreter(launch.argv[0], ours)
    compile_guest(PACKAGE)
    if who.dropped:
        require_open_to_all(ours, kernels)
    opened = open_grants(policy, launch.directory)
    try:
        granted = tuple(one.grant for one in opened)
        facts = Facts(
            system=look_at_system(),
            interpreters=tuple(dict.fromkeys((ours, kernels))),
            package=PACKAGE,
            second_wall=program(PROGRAM),
            provisioner=provisioner(),
            grants=granted,
            homes=homes(os.geteuid()),
            doors=find_doors(granted, (place.real for one in (ours, kernels) for place in one.directories)),
        )
        steps = build(policy, facts)
        message = _start_message(policy, launch, kernels, limits)
        landlock = ruleset(steps, abi())
        fork = TEMPLATES.usable(ours, [one.real for one in granted if one.writable]) and fork and launch.fork
        recipe = recipe_of(policy, launch, message, kernels, who) if fork else None
        with descriptors() as held:
            birth = Birth(recipe, walls_of(wall, who, landlock), held)
            with contextlib.closing(birth):
                around = birth.walls_of_init(landlock)
                within_walls = _behind_two_walls(around, ours, [*inner(ours), *birth.words])
                started, word = _prepare(wall, who, steps, opened, within_walls, held)
                return _let_go(started, word, limits, launch.name, message, birth)
    finally:
        close_all(opened)


def _behind_two_walls(walls: Ruleset | None, ours: Interpreter, inner: Sequence[str]) -> Sequence[str]:
    """Return what raises Landlock's wall and then becomes `inner`; without Landlock, `inner` itself."""
    return inner if walls is None else within(walls, abi(), SECOND_WALL, ours.executable, inner)


def _prepare(
    wall: Bubblewrap,
    who: Identity,
    steps: Sequence[Operation],
    opened: Sequence[Opened],
    inner: Sequence[str],
    held: Descriptors,
) -> tuple[Started, Callable[[], None]]:
    """Start the waiting process; return it and what gives it the word."""
    seccomp = held.holding(load_filter())
    opener = Opener(opened, held)
    if not who.dropped:
        place = place_for_user(wall, opener, held)
        return open_for_user(command(wall, steps, inner, seccomp=seccomp, place=place), tuple(held.all))
    place, sources = place_for_root(STAGED, opener, who, held)
    argv = command(wall, steps, inner, seccomp=seccomp, place=place)
    return open_for_root(argv, tuple(held.all), sources, who, held)


def _let_go(
    started: Started,
    word: Callable[[], None],
    limits: LimitPlan,
    name: str,
    message: Start,
    birth: Birth,
) -> BubblewrapProcess:
    """Put the waiting process under its limits and give it the word; on failure leave nothing."""
    applied: AppliedLimits | None = None
    try:
        applied = limits.apply(started.process.pid, name)
        birth.let_go(applied)
        word()
        return BubblewrapProcess(started, applied, message)
    except BaseException:
        started.abandon()
        if applied is not None:
            applied.release()
        raise


def _start_message(policy: Policy, launch: Launch, kernels: Interpreter, limits: LimitPlan) -> Start:
    launch = replace(launch, argv=(kernels.executable, *launch.argv[1:]))
    environment = kernel_environment(policy, launch, os.environ, user_base=kernels.user_base)
    return Start(
        version=WIRE_VERSION,
        argv=launch.argv,
        env=environment,
        cwd=HOME if policy.workspace == "none" else os.path.normpath(launch.directory),
        runtime_dir=RUNTIME,
        key="",
        files=policy.files,
        pids=limits.guest_pids,
        preload=policy.preload,
    )
