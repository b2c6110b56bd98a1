"""The fleet's breakers from outside: listed, opened, closed and reset, for the CLI and the health check."""

from dataclasses import dataclass
from typing import Any

import redis

from financehub_shared.breaker.backends import arguments, reply_of, script
from financehub_shared.breaker.states import Close, Event, ForceOpen, Policy, Reply, Reset, state_from_fields
from financehub_shared.core.errors import CorruptDataError, StoreUnavailableError
from financehub_shared.redis import keys


@dataclass(frozen=True, slots=True)
class BreakerInfo:
    """One breaker of the fleet. Times are Unix seconds by Redis' clock.

    Args:
        upstream: its name.
        state: `closed`, `open` or `half-open`.
        forced: opened by hand, until it is closed by hand.
        reason: why it is in that state.
        since: when it entered the state; None for one that never changed.
        open_until: when a probe may go, or the running probe's lease ends; None when closed or forced.
        calls: calls that count now (of the last window).
        failures: how many of them failed.
        trips: openings in a row.
        last_error: the last failure; empty when there was none.
        last_error_at: when that was; None when there was none.
    """

    upstream: str
    state: str
    forced: bool
    reason: str
    since: float | None
    open_until: float | None
    calls: int
    failures: int
    trips: int
    last_error: str
    last_error_at: float | None


def list_breakers(client: "redis.Redis") -> list[BreakerInfo]:
    """All breakers that were ever used, by name, in two round trips.

    Args:
        client: of the data's Redis.

    Raises:
        StoreUnavailableError: Redis did not answer.
        CorruptDataError: a breaker's hash is not one.
    """
    connection: Any = client  # redis-py types every reply as "sync or awaitable"
    try:
        upstreams = sorted(_text(name) for name in connection.smembers(keys.BREAKERS))
        pipeline = connection.pipeline(transaction=False)
        for upstream in upstreams:
            pipeline.hgetall(keys.breaker(upstream))
        hashes = pipeline.execute() if upstreams else []
    except (redis.RedisError, OSError) as error:
        raise StoreUnavailableError(f"breakers cannot be listed: {type(error).__name__}: {error}") from error
    return [_info(upstream, fields) for upstream, fields in zip(upstreams, hashes, strict=True) if fields]


def force_open(client: "redis.Redis", upstream: str) -> Reply:
    """Let nothing pass to `upstream` until it is closed or reset.

    Raises:
        StoreUnavailableError: Redis did not answer; nothing is changed.
    """
    return _apply(client, upstream, ForceOpen())


def close(client: "redis.Redis", upstream: str) -> Reply:
    """Let calls pass to `upstream` and count anew; the growth of its open time is kept. Raises as `force_open`."""
    return _apply(client, upstream, Close())


def reset(client: "redis.Redis", upstream: str) -> Reply:
    """Make the breaker of `upstream` as new. Raises as `force_open`."""
    return _apply(client, upstream, Reset())


def _apply(client: "redis.Redis", upstream: str, event: Event) -> Reply:
    lua = script()
    args = arguments(upstream, event, Policy(), 0.0)  # by hand: no threshold and no chance takes part
    try:
        return reply_of(client.eval(lua.source, 2, keys.breaker(upstream), keys.BREAKERS, *args))
    except (redis.RedisError, OSError) as error:
        problem = f"breaker {upstream} is unchanged: {type(error).__name__}: {error}"
        raise StoreUnavailableError(problem) from error


def _info(upstream: str, fields: dict[Any, Any]) -> BreakerInfo:
    try:
        state = state_from_fields({_text(name): _text(value) for name, value in fields.items()})
    except ValueError as error:
        raise CorruptDataError(keys.breaker(upstream), str(error)) from error
    return BreakerInfo(
        upstream=upstream,
        state=state.phase.value,
        forced=state.forced,
        reason=state.reason.value,
        since=_seconds(state.since),
        open_until=_seconds(state.until),
        calls=len(state.window),
        failures=sum(call.failed for call in state.window),
        trips=state.trips,
        last_error=state.error,
        last_error_at=_seconds(state.error_at),
    )


def _seconds(milliseconds: int) -> float | None:
    return milliseconds / 1000 if milliseconds else None


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
