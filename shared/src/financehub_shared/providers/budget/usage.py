"""Reads the usage of the fleet's budgets for a metrics scrape, without delaying any upstream call."""

from collections.abc import Sequence
from typing import cast

import redis

from financehub_shared.metrics.families import BudgetFigures
from financehub_shared.providers.budget import sliding_window
from financehub_shared.providers.budget.budget import Budget


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
    (seconds, microseconds), *rings = cast("list[list[bytes]]", pipeline.execute())
    now = int(seconds) * 1_000 + int(microseconds) // 1_000
    return [
        BudgetFigures(upstream, f"{limit.seconds}s", sliding_window.used(_spent(ring), now, limit), limit.units)
        for (upstream, _, limit), ring in zip(windows, rings, strict=True)
    ]


def _spent(ring: Sequence[bytes]) -> dict[int, int]:
    """Return slice → units from the `slice:units` entries of the ring that budget.lua keeps."""
    pairs = (entry.split(b":") for entry in ring)
    return {int(index): int(units) for index, units in pairs}
