"""Tests that the budget Lua script computes the same results as its Python functions."""

import random

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.budget import Limit, budget, sliding_window

NOW = 1_800_000_000_000
#: Takes the time from the last argument instead of from the Redis clock.
GIVEN_NOW = "local now = tonumber(table.remove(ARGV))\n"


@pytest.fixture(scope="module")
def client(_shared_redis_url: str) -> "redis.Redis":
    return redis.Redis.from_url(_shared_redis_url, decode_responses=True)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    limits=st.lists(
        st.builds(Limit, st.sampled_from([0.5, 1.0, 5.0, 60.0, 2_592_000.0]), st.integers(5, 50)),
        min_size=1,
        max_size=3,
    ),
)
def test_budget_script_equals_the_python_function(client: "redis.Redis", seed: int, limits: list[Limit]):
    """For any calls at any time, Redis requires the same wait as the Python function and counts the same units."""
    dice = random.Random(seed)
    lua = budget.script(GIVEN_NOW)
    names = [f"financehub:budget:test:{number}" for number, _ in enumerate(limits)]
    client.delete(*names)
    spent: list[dict[int, int]] = [{} for _ in limits]
    sizes = [number for limit in limits for number in (sliding_window.slice_ms(limit), limit.units)]
    now = NOW
    for _ in range(40):
        now += int(dice.choice([0, 0.01, 0.3, 1.1]) * dice.choice(limits).window_seconds * 1000)
        if dice.random() < 0.1:
            count = dice.randrange(60)
            more = count - sliding_window.used(spent[0], now, limits[0])
            if more > 0:
                spent[0] = sliding_window.spend(spent[0], now, limits[0], more)
            arguments = ["correct", count, sliding_window.SLICES, *sizes[:2], now]
            reply = client.eval(lua.source, 1, names[0], *arguments)
            assert reply == [0, 0, sliding_window.used(spent[0], now, limits[0])]
            continue
        weight = dice.randint(1, min(limit.units for limit in limits))
        wait = max(sliding_window.wait(used, now, limit, weight) for used, limit in zip(spent, limits, strict=True))
        if wait == 0:
            spent = [sliding_window.spend(used, now, limit, weight) for used, limit in zip(spent, limits, strict=True)]
        reply = client.eval(lua.source, len(names), *names, "spend", weight, sliding_window.SLICES, *sizes, now)
        assert reply[0] == wait
        assert reply[2:] == [sliding_window.used(used, now, limit) for used, limit in zip(spent, limits, strict=True)]
