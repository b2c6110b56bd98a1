"""Tests of the functions with which the CLI and the health check read and change the fleet's breakers."""

from collections.abc import Callable

import pytest
import redis

from financehub_shared.breaker import BreakerPolicy, BreakerRegistry, close, force_open, list_breakers, reset
from financehub_shared.breaker.model import BreakerState
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.errors import BreakerOpenError, StoreUnavailableError, UpstreamError
from financehub_shared.redis import keys
from financehub_shared.redis.scripts import RedisScripts
from support.redis_server import PATIENT_SECONDS, RedisServer


@pytest.fixture
def registry(redis_url: str) -> BreakerRegistry:
    clock = SystemClock()
    return BreakerRegistry(
        BreakerPolicy(), RedisScripts.of_url(redis_url, clock, timeout_seconds=PATIENT_SECONDS), clock, ()
    )


def fail() -> None:
    raise UpstreamError("kraken", "HTTP 520")


@pytest.mark.parametrize("decode", [False, True])
def test_list_breakers_returns_state_counts_and_last_error(redis_url: str, registry: BreakerRegistry, decode: bool):
    """Each breaker is listed with its state, timestamps, counts and reason, whether clients return bytes or strings."""
    client = redis.Redis.from_url(redis_url, decode_responses=decode)
    assert list_breakers(client) == []
    for _ in range(2):
        registry.get("binance").call(lambda: None)
    for _ in range(5):
        with pytest.raises(UpstreamError):
            registry.get("kraken").call(fail)
    binance, kraken = list_breakers(client)
    assert (binance.upstream, binance.state, binance.calls, binance.failures) == ("binance", "closed", 1, 0)
    assert (binance.since, binance.open_until, binance.last_error) == (None, None, "")
    assert (kraken.upstream, kraken.state, kraken.calls, kraken.failures) == ("kraken", "open", 5, 5)
    assert (kraken.reason, kraken.trips, kraken.last_error) == ("failures", 1, "kraken: upstream: HTTP 520")
    assert kraken.since is not None
    assert kraken.since == kraken.last_error_at
    assert 24 <= (kraken.open_until or 0) - kraken.since <= 30
    registry.get("binance").call(lambda: None)
    assert list_breakers(client)[0].calls == 2
    client.close()


def test_force_open_rejects_calls_until_close(redis_client: "redis.Redis", registry: BreakerRegistry):
    """An operator can block an upstream, even one that was never called, and allow it again."""
    assert force_open(redis_client, "yahoo").previous is BreakerState.CLOSED
    with pytest.raises(BreakerOpenError, match="by hand"):
        registry.get("yahoo").call(fail)
    (yahoo,) = list_breakers(redis_client)
    assert (yahoo.state, yahoo.forced, yahoo.open_until) == ("open", True, None)
    assert redis_client.ttl(keys.breaker("yahoo")) == -1, "a breaker opened by hand must not expire"
    assert close(redis_client, "yahoo").state is BreakerState.CLOSED
    assert redis_client.ttl(keys.breaker("yahoo")) > 86_400


def test_reset_forgets_error_and_growth(redis_client: "redis.Redis", registry: BreakerRegistry):
    """After a reset calls pass, and neither the error nor the growth of the open time remains."""
    with pytest.raises(UpstreamError):
        registry.get("kraken").call(lambda: fail_with_retry_after(3_600))
    reset(redis_client, "kraken")
    (kraken,) = list_breakers(redis_client)
    assert (kraken.state, kraken.trips, kraken.last_error, kraken.calls) == ("closed", 0, "", 0)


def fail_with_retry_after(seconds: float) -> None:
    raise UpstreamError("kraken", "HTTP 429", seconds)


@pytest.mark.parametrize(
    "field", ["phase", "epoch", "since", "until", "trips", "reason", "error_at", "window", "error"]
)
@pytest.mark.parametrize("damage", ["ajar", "", "-1", "1e999", "9" * 400, "nan", b"\xff\xfe", "[]"])
def test_breaker_with_a_damaged_field_is_named_and_continues(
    redis_client: "redis.Redis", registry: BreakerRegistry, field: str, damage: str | bytes
):
    """A damaged field is read as in a new breaker. It does not affect other breakers, and a reset repairs it (S8)."""
    force_open(redis_client, "yahoo")
    force_open(redis_client, "kraken")
    before = list_breakers(redis_client)
    redis_client.hset(keys.breaker("yahoo"), field, damage)
    kraken, yahoo = list_breakers(redis_client)
    assert kraken == before[0]
    assert bool(yahoo.problem) == (field != "error" and not (field == "window" and damage == ""))
    if yahoo.problem:
        assert f"financehub:breaker:yahoo: cannot be read ({field})" in yahoo.problem
    if field in {"phase", "reason"}:
        assert registry.get("yahoo").call(lambda: 1) == 1
    else:
        with pytest.raises(BreakerOpenError):
            registry.get("yahoo").call(lambda: 1)
    reset(redis_client, "yahoo")
    assert list_breakers(redis_client)[1].problem == ""


def test_breaker_of_another_type_is_named_and_replaced(redis_client: "redis.Redis", registry: BreakerRegistry):
    """A breaker whose key is not a hash starts again, and the other upstreams are not affected (D13)."""
    for upstream in ("kraken", "yahoo"):
        force_open(redis_client, upstream)
    redis_client.delete(keys.breaker("yahoo"))
    redis_client.rpush(keys.breaker("yahoo"), "x")
    assert "all fields" in list_breakers(redis_client)[1].problem
    assert registry.get("yahoo").call(lambda: 1) == 1
    with pytest.raises(BreakerOpenError):
        registry.get("kraken").call(lambda: 1)
    assert [info.upstream for info in list_breakers(redis_client)] == ["kraken"]


def test_admin_functions_without_redis_raise(redis_server: Callable[..., RedisServer]):
    """Listing and changing breakers raises while Redis is unavailable."""
    server = redis_server()
    client = server.client()
    server.kill()
    for act in (list_breakers, lambda client: force_open(client, "yahoo")):
        with pytest.raises(StoreUnavailableError):
            act(client)


def test_change_by_hand_survives_calls_and_a_damaged_one_is_not_shown(
    redis_client: "redis.Redis", registry: BreakerRegistry
):
    """Who changed a breaker, when and why stays until the next change, and a foreign value costs only itself."""
    force_open(redis_client, "yahoo", "alice", "maintenance")
    close(redis_client, "yahoo", "bob", "it\nanswers \ud800again")
    for _ in range(5):
        with pytest.raises(UpstreamError):
            registry.get("yahoo").call(fail)
    (yahoo,) = list_breakers(redis_client)
    assert yahoo.state == "open"
    assert yahoo.change is not None
    assert (yahoo.change.action, yahoo.change.by) == ("close", "bob")
    assert yahoo.change.reason == "it answers \\ud800again"
    for field, value in (("hand_at", "9" * 20), ("hand_at", "-5"), ("hand_action", "drop")):
        redis_client.hset(keys.breaker("yahoo"), field, value)
        assert list_breakers(redis_client)[0].change is None
        force_open(redis_client, "yahoo")
        assert list_breakers(redis_client)[0].change is not None
