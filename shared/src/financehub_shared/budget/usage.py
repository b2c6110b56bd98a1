"""Reads the usage of the fleet's budgets, without delaying any upstream call."""

import re
from collections.abc import Collection, Iterable, Sequence

import redis

from financehub_shared.budget import sliding_window
from financehub_shared.budget.budget import window_key
from financehub_shared.core.figures import BudgetFigures
from financehub_shared.core.provider_specs import PROVIDERS, Limit
from financehub_shared.redis.replies import raise_other_errors

#: Entry of one slice of a window: `slice:units`.
_ENTRY = re.compile(rb"(\d{1,18}):(\d{1,18})")


def fleet_windows(used_upstreams: Collection[str]) -> list[tuple[str, Limit]]:
    """Return the upstream and the limit of each window of all providers.

    Args:
        used_upstreams: Names of the upstreams that have been called, such as those that have a breaker. A provider
            whose parts have their own budgets has one for each part among them.
    """
    return [
        (upstream, limit)
        for name, spec in PROVIDERS.items()
        for upstream in (
            sorted(used for used in used_upstreams if used.startswith(f"{name}:")) if spec.has_parts else [name]
        )
        for limit in spec.limits
    ]


def read_budgets(client: "redis.Redis", windows: Iterable[tuple[str, Limit]]) -> list[BudgetFigures]:
    """Read the usage of several windows in one round trip. A budget that was never used counts as unused.

    Args:
        client: Client of the budgets' Redis. Upstream calls use another client, so that a slow scrape does not
            delay them.
        windows: The upstream and the limit of each window (`Budget.windows` or `fleet_windows`).

    Raises:
        redis.RedisError: Redis does not answer.
    """
    wanted = list(windows)
    pipeline = client.pipeline(transaction=False)
    pipeline.time()
    for upstream, limit in wanted:
        pipeline.hvals(window_key(upstream, limit))
    replies = pipeline.execute(raise_on_error=False)
    raise_other_errors(replies)
    (seconds, microseconds), *rings = replies
    now = int(seconds) * 1_000 + int(microseconds) // 1_000
    return [
        BudgetFigures(upstream, f"{limit.seconds}s", sliding_window.used(_spent(ring), now, limit), limit.units)
        for (upstream, limit), ring in zip(wanted, rings, strict=True)
    ]


def _spent(ring: Sequence[bytes] | redis.ResponseError) -> dict[int, int]:
    """Return slice → units from the entries of the ring that budget.lua keeps. Damaged entries are left out."""
    if isinstance(ring, redis.ResponseError):
        return {}
    found = filter(None, map(_ENTRY.fullmatch, ring))
    return {int(entry[1]): int(entry[2]) for entry in found}
