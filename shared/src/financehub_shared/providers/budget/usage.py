"""Reads the usage of the fleet's budgets for a metrics scrape, without delaying any upstream call."""

import re
from collections.abc import Sequence

import redis

from financehub_shared.metrics.families import BudgetFigures
from financehub_shared.providers.budget import sliding_window
from financehub_shared.providers.budget.budget import Budget
from financehub_shared.redis.replies import raise_other_errors

#: Entry of one slice of a window: `slice:units`.
_ENTRY = re.compile(rb"(\d{1,18}):(\d{1,18})")


def read_budgets(client: "redis.Redis", budgets: Sequence[Budget]) -> list[BudgetFigures]:
    """Read the usage of every window of every budget in one round trip.

    Args:
        client: Client of the budgets' Redis. Upstream calls use another client, so that a slow scrape does not
            delay them.
        budgets: The budgets to read.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    windows = [(budget.upstream, key, limit) for budget in budgets for key, limit in budget.windows]
    pipeline = client.pipeline(transaction=False)
    pipeline.time()
    for _, key, _ in windows:
        pipeline.hvals(key)
    replies = pipeline.execute(raise_on_error=False)
    raise_other_errors(replies)
    (seconds, microseconds), *rings = replies
    now = int(seconds) * 1_000 + int(microseconds) // 1_000
    return [
        BudgetFigures(upstream, f"{limit.seconds}s", sliding_window.used(_spent(ring), now, limit), limit.units)
        for (upstream, _, limit), ring in zip(windows, rings, strict=True)
    ]


def _spent(ring: Sequence[bytes] | redis.ResponseError) -> dict[int, int]:
    """Return slice → units from the entries of the ring that budget.lua keeps. Damaged entries are left out."""
    if isinstance(ring, redis.ResponseError):
        return {}
    found = filter(None, map(_ENTRY.fullmatch, ring))
    return {int(entry[1]): int(entry[2]) for entry in found}
