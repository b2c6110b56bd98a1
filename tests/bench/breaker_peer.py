"""pybreaker with its Redis storage, as a process of `support.breaker_fleet` calls it."""

from collections.abc import Callable

import pybreaker
import redis

from support.breaker_fleet import Call, DeadUpstreamError, RejectedError


def shared(url: str, threshold: int, open_seconds: float) -> Call:
    """One breaker whose state is in Redis, as its README sets it up."""
    storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, redis.Redis.from_url(url), namespace="upstream")
    breaker = pybreaker.CircuitBreaker(fail_max=threshold, reset_timeout=open_seconds, state_storage=storage)

    def call(send: Callable[[], None]) -> None:
        try:
            breaker.call(send)
        except pybreaker.CircuitBreakerError as error:
            # raised for a rejection, and in place of the error of the call that opened it
            raise (DeadUpstreamError if isinstance(error.__context__, DeadUpstreamError) else RejectedError) from error

    return call
