"""The fleet's breakers as the CLI and the health check see and change them."""

from collections.abc import Callable

import pytest
import redis

from financehub_shared.breaker import BreakerRegistry, Policy, close, force_open, list_breakers, reset
from financehub_shared.breaker.states import Phase
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.errors import BreakerOpenError, CorruptDataError, StoreUnavailableError, UpstreamError
from financehub_shared.redis import keys
from financehub_shared.redis.scripts import RedisScripts
from support.redis_server import RedisServer


@pytest.fixture
def registry(redis_url: str) -> BreakerRegistry:
    clock = SystemClock()
    return BreakerRegistry(Policy(), RedisScripts.of_url(redis_url, clock), clock, ())


def fail() -> None:
    raise UpstreamError("kraken", "HTTP 520")


@pytest.mark.parametrize("decode", [False, True])
def test_listing_shows_state_counts_and_the_last_error(redis_url: str, registry: BreakerRegistry, decode: bool):
    """Each breaker is listed with its state, since when, until when, what counts and why, by bytes or text clients."""
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


def test_opened_by_hand_closed_by_hand(redis_client: "redis.Redis", registry: BreakerRegistry):
    """An upstream is shut off and let in again from outside, also one that was never called."""
    assert force_open(redis_client, "yahoo").previous is Phase.CLOSED
    with pytest.raises(BreakerOpenError, match="by hand"):
        registry.get("yahoo").call(fail)
    (yahoo,) = list_breakers(redis_client)
    assert (yahoo.state, yahoo.forced, yahoo.open_until) == ("open", True, None)
    assert redis_client.ttl(keys.breaker("yahoo")) == -1, "what a hand opened must not expire"
    assert close(redis_client, "yahoo").phase is Phase.CLOSED
    assert redis_client.ttl(keys.breaker("yahoo")) > 86_400


def test_reset_makes_it_as_new(redis_client: "redis.Redis", registry: BreakerRegistry):
    """After a reset calls pass, and no error or growth is remembered."""
    with pytest.raises(UpstreamError):
        registry.get("kraken").call(lambda: fail_with_retry_after(3_600))
    reset(redis_client, "kraken")
    (kraken,) = list_breakers(redis_client)
    assert (kraken.state, kraken.trips, kraken.last_error, kraken.calls) == ("closed", 0, "", 0)


def fail_with_retry_after(seconds: float) -> None:
    raise UpstreamError("kraken", "HTTP 429", seconds)


def test_a_broken_hash_is_named(redis_client: "redis.Redis", registry: BreakerRegistry):
    """A hash that is no breaker is an error that names the key, never a breaker that looks closed."""
    force_open(redis_client, "yahoo")
    redis_client.hset(keys.breaker("yahoo"), "phase", "ajar")
    with pytest.raises(CorruptDataError, match="financehub:breaker:yahoo"):
        list_breakers(redis_client)


def test_without_redis_the_hand_is_told(redis_server: Callable[..., RedisServer]):
    """Listing and changing raise while Redis is away; nothing pretends to have worked."""
    server = redis_server()
    client = server.client()
    server.kill()
    for act in (list_breakers, lambda client: force_open(client, "yahoo")):
        with pytest.raises(StoreUnavailableError):
            act(client)
