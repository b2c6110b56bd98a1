"""Rate budgets: what may be sent to each upstream, by all pods together."""

from financehub_shared.clock import Clock
from financehub_shared.providers.budget.budget import Budget
from financehub_shared.providers.budget.core import Limit
from financehub_shared.providers.budget.limits import LIMITS
from financehub_shared.redis_scripts import RedisScripts

__all__ = ["LIMITS", "Budget", "Limit", "budget_of"]


def budget_of(upstream: str, scripts: RedisScripts | None, clock: Clock) -> Budget:
    """The budget of one of our upstreams.

    Args:
        upstream: a key of `LIMITS`.
        scripts: the way to Redis; None: this process alone.
        clock: for waiting.
    """
    return Budget(upstream, LIMITS[upstream], scripts, clock)
