"""Sets up pybreaker with its Redis storage, for the processes of `support.breaker_fleet`."""

from collections.abc import Callable

import pybreaker
import redis

from support.breaker_fleet import Call, DeadUpstreamError, RejectedError


def redis_pybreaker(url: str, threshold: int, open_seconds: float) -> Call:
    """Return a function that calls through a pybreaker whose state is in Redis, set up as in its README."""
    storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, redis.Redis.from_url(url), namespace="upstream")
    breaker = pybreaker.CircuitBreaker(fail_max=threshold, reset_timeout=open_seconds, state_storage=storage)

    def call(send: Callable[[], None]) -> None:
        try:
            breaker.call(send)
        except pybreaker.CircuitBreakerError as error:
            # pybreaker raises this for a rejected call, and also instead of the error of the call that opened the
            # breaker.
            raise (DeadUpstreamError if isinstance(error.__context__, DeadUpstreamError) else RejectedError) from error

    return call
