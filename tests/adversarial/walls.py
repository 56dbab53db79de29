"""The walls of this machine, and what came of every attack on them."""

import contextlib
import importlib
import tempfile
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest

from sandbox_kernel.errors import SandboxError
from sandbox_kernel.host.engines.base import Engine
from sandbox_kernel.host.engines.bubblewrap.limits import plan_limits
from sandbox_kernel.policy import Policy
from tests.adversarial import arenas
from tests.adversarial.attack import ATTACKS, PACKAGE
from tests.adversarial.bait import ROOT, bait, folders
from tests.conformance.conftest import CONTAINERS, make
from tests.conformance.kernel import Kernel

ENGINES = ("bubblewrap", *CONTAINERS)

for _name in arenas.MODULES:
    importlib.import_module(f"{PACKAGE}.{_name}")


@cache
def kept_by(engine: str) -> str:
    """Return what an attack's differences call this engine: bubblewrap's limits may be a watchdog's."""
    weak = engine == "bubblewrap" and plan_limits(Policy()).enforcements()[0].weak
    return "watchdog" if weak else engine


class Walls:
    """Runs each group of attacks once, where it is asked for."""

    def __init__(self, request: pytest.FixtureRequest, stack: contextlib.ExitStack) -> None:
        self._request = request
        self._stack = stack
        self._unguarded: dict[str, dict[str, str]] = {}
        self._guarded: dict[str, dict[str, str]] = {}
        self._missing: dict[str, str] = {}

    @cached_property
    def bait(self) -> dict[str, Any]:
        """What lies around the sandboxes."""
        home = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="home-"))
        return {**self._stack.enter_context(bait()), "plain_home": home}

    def unguarded(self, name: str) -> str:
        """Return what comes of an attack with no wall around it."""
        module = name.split(".", maxsplit=1)[0]
        if module not in self._unguarded:
            names = [each for each in ATTACKS if each.split(".")[0] == module]
            with folders(self.bait) as granted:
                self._unguarded[module] = self._run_plainly(module, names, {**self.bait, **granted})
        return self._unguarded[module][name]

    def _run_plainly(self, module: str, names: list[str], bait: dict[str, Any]) -> dict[str, str]:
        if module == "network":
            return arenas.in_a_world_of_their_own(names, bait)
        if module in {"neighbours", "supervisor"}:
            with arenas.planted_plainly(names, bait) as planted:
                return arenas.run_plainly(names, {**bait, "planted": planted})
        if module == "traces":
            with arenas.planted_plainly(names, bait) as planted:
                pass
            return arenas.run_plainly(names, {**bait, "planted": planted})
        apart = ("unshare", "--mount", "--ipc", "--uts") if ROOT and module != "processes" else ()
        return arenas.run_plainly(names, bait, *apart)

    def guarded(self, engine: str, name: str) -> str:
        """Return what comes of an attack behind an engine's wall."""
        if engine in self._missing:
            pytest.skip(self._missing[engine])
        if engine not in self._guarded:
            self._guarded[engine] = self._run_guarded(engine)
        return self._guarded[engine][name]

    def _run_guarded(self, name: str) -> dict[str, str]:
        engine = self._engine(name)
        wide = [each for each in ATTACKS if ATTACKS[each].arena == "wide"]
        later = [each for each in wide if each.startswith("traces.")]
        small = [each for each in ATTACKS if each not in wide]
        with folders(self.bait) as granted, contextlib.ExitStack() as stack:
            bait = {**self.bait, **granted, "plain": False}
            walled = Walled(engine, bait)
            other = stack.enter_context(walled.kernel())
            bait["planted"] = arenas.plant_in(other, [each for each in wide if ATTACKS[each].plant], bait)
            told = walled.attack([each for each in wide if each not in later])
            other.close()
            return told | walled.attack([*later, *small], **arenas.SMALL)

    def _engine(self, name: str) -> Engine:
        try:
            engine: Engine = make(self._request, name)
            engine.check(Policy(workspace="ro"))
        except pytest.skip.Exception as missing:
            self._missing[name] = str(missing)
            raise
        except SandboxError as error:
            self._missing[name] = f"engine {name}: {error}"
            pytest.skip(self._missing[name])
        return engine


class Walled:
    """An engine, and bait around it."""

    def __init__(self, engine: Engine, bait: dict[str, Any]) -> None:
        self._engine = engine
        self._bait = bait

    @contextlib.contextmanager
    def kernel(self, **policy: Any) -> Iterator[Kernel]:
        """Have a kernel with one folder to read and one to write to."""
        granted = Policy(workspace="ro", mounts=(f"{self._bait['rw']}:rw",), **policy)
        kernel = Kernel(self._engine, granted, Path(self._bait["ro"]))
        try:
            yield kernel
        finally:
            kernel.close()

    def attack(self, names: list[str], **policy: Any) -> dict[str, str]:
        """Run attacks; where one ends the sandbox, the next ones get a new one."""
        told: dict[str, str] = {}
        while left := [name for name in names if name not in told]:
            with self.kernel(**policy) as kernel:
                outcomes, end = arenas.run_in(kernel, left, self._bait)
            told |= outcomes
            if end:
                told[next(name for name in left if name not in outcomes)] = end
        return told
