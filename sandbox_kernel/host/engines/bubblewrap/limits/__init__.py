"""Keeps a sandbox's memory, processor and process limits, as well as this machine allows.

For each limit the best keeper at hand is chosen, in this order: control groups version 2, version 1,
for processes a resource limit, for memory and processor time a watchdog outside the wall. A limit
that nothing can keep is an error before anything starts.

Use:

    plan = plan_limits(policy)          # raises LimitUnenforceableError; starts nothing
    applied = plan.apply(pid, name)     # pid: the sandbox's first process, still waiting to go on
    applied.usage(); applied.kill(); applied.release()
"""

from sandbox_kernel.host.engines.bubblewrap.limits.orphans import orphans
from sandbox_kernel.host.engines.bubblewrap.limits.plan import AppliedLimits, LimitPlan, plan_limits

__all__ = ["AppliedLimits", "LimitPlan", "orphans", "plan_limits"]
