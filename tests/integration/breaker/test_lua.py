"""Tests that the breaker Lua script computes the same result as its Python function."""

import random

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from financehub_shared.breaker import backends
from financehub_shared.breaker.model import (
    Admit,
    BreakerEvent,
    BreakerRecord,
    CallOutcome,
    Close,
    ForceOpen,
    RecordOutcome,
    Reset,
)
from financehub_shared.breaker.policy import BreakerPolicy
from financehub_shared.breaker.transitions import step
from financehub_shared.redis import keys

NOW = 1_800_000_000_000
#: Takes the time from the last argument instead of from the Redis clock.
GIVEN_NOW = "local now = tonumber(table.remove(ARGV))\n"


@pytest.fixture(scope="module")
def client(_shared_redis_url: str) -> "redis.Redis":
    return redis.Redis.from_url(_shared_redis_url, decode_responses=True)


def any_event(dice: random.Random, record: BreakerRecord) -> BreakerEvent:
    """Return a random event. Most outcomes carry the record's epoch."""
    epoch = record.epoch if dice.random() < 0.8 else dice.choice([0, record.epoch - 1, record.epoch + 1])
    successes = tuple((epoch, dice.randrange(20_000)) for _ in range(dice.randrange(4)))
    failure = RecordOutcome(
        epoch, CallOutcome.FAILURE, dice.choice([0, 0, 0, 1, 90_000]), f"broken № {dice.randrange(9)}: 'x y'"
    )
    ends = [
        failure,
        failure,
        failure,
        RecordOutcome(epoch, CallOutcome.SUCCESS),
        RecordOutcome(epoch, CallOutcome.IGNORED),
    ]
    rare = [ForceOpen(), Close(), Reset()]
    return dice.choice(
        [Admit(successes), Admit(successes), *ends, dice.choice(rare) if dice.random() < 0.3 else Admit()]
    )


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    policy=st.builds(
        BreakerPolicy,
        window_ms=st.integers(1_000, 100_000),
        minimum_calls=st.integers(1, 6),
        failure_ratio=st.sampled_from([0.1, 0.3, 0.5, 0.75, 1.0]),
        open_ms=st.integers(100, 20_000),
        open_max_ms=st.integers(20_000, 100_000),
        probe_ms=st.integers(100, 20_000),
    ),
)
def test_breaker_script_equals_the_python_function(client: "redis.Redis", seed: int, policy: BreakerPolicy):
    """For any events, times (even if set back) and jitter, the record and reply in Redis equal those of `step`."""
    dice = random.Random(seed)
    lua = backends.script(GIVEN_NOW)
    client.delete(keys.breaker("test"), keys.BREAKERS)
    record, now = BreakerRecord(), NOW
    for _ in range(30):
        now += dice.choice([0, 1, 700, 9_000, 60_000, -5_000])
        event, jitter = any_event(dice, record), dice.random()
        record, expected = step(record, event, now, policy, jitter)
        arguments = [*backends.arguments("test", event, policy, jitter), now]
        answer = client.eval(lua.source, 2, keys.breaker("test"), keys.BREAKERS, *arguments)
        assert backends.parse_reply(answer) == expected
        assert BreakerRecord.from_fields(client.hgetall(keys.breaker("test"))) == record
