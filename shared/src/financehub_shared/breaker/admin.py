"""Lists, opens, closes and resets the fleet's breakers, for the CLI and the health check."""

import shlex
from dataclasses import dataclass
from typing import Any

import redis

from financehub_shared.breaker.backends import arguments, parse_reply, script
from financehub_shared.breaker.changes_by_hand import RECORD_CHANGE, ChangeByHand
from financehub_shared.breaker.model import (
    BreakerEvent,
    BreakerRecord,
    BreakerReply,
    Close,
    ForceOpen,
    Reset,
    find_damaged_fields,
)
from financehub_shared.breaker.policy import BreakerPolicy
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import readable
from financehub_shared.redis.replies import raise_other_errors
from financehub_shared.redis.text import decode, decode_hash


@dataclass(frozen=True, slots=True)
class BreakerInfo:
    """One of the fleet's breakers. Times are Unix seconds by the Redis clock.

    Args:
        upstream: Name of the upstream.
        state: `closed`, `open` or `half-open`.
        forced: Whether an operator opened the breaker, so that only an operator can close it.
        reason: Reason for the state.
        since: Time at which the breaker entered the state; None if the state never changed.
        open_until: Time at which a probe is allowed or the current probe's lease ends; None if the breaker is closed or
            forced.
        calls: Number of calls in the window.
        failures: Number of those calls that failed.
        trips: Number of consecutive openings.
        last_error: Last failure; empty if there was none.
        last_error_at: Time of the last failure; None if there was none.
        problem: Which fields of the record cannot be read, and how they are repaired. These fields have the values of a
            new breaker. Usually empty.
        change: The last change by an operator; None if there was none.
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
    problem: str = ""
    change: ChangeByHand | None = None


def list_breakers(client: "redis.Redis") -> list[BreakerInfo]:
    """Return all breakers that have been used, sorted by name. This takes two round trips.

    Args:
        client: Client for the data Redis.

    Raises:
        StoreUnavailableError: Redis did not answer.
    """
    connection: Any = client  # redis-py types every reply as "sync or awaitable"
    try:
        pipeline = connection.pipeline(transaction=False)
        pipeline.smembers(keys.BREAKERS)
        (names,) = readable([keys.BREAKERS], pipeline.execute(raise_on_error=False), ())
        upstreams = sorted(map(decode, names))
        pipeline = connection.pipeline(transaction=False)
        for upstream in upstreams:
            pipeline.hgetall(keys.breaker(upstream))
        hashes = pipeline.execute(raise_on_error=False) if upstreams else []
        raise_other_errors(hashes)
    except (redis.RedisError, OSError) as error:
        raise StoreUnavailableError(f"breakers cannot be listed: {type(error).__name__}: {error}") from error
    return [_info(upstream, reply) for upstream, reply in zip(upstreams, hashes, strict=True) if reply]


def force_open(client: "redis.Redis", upstream: str, by: str = "", reason: str = "") -> BreakerReply:
    """Reject all calls to `upstream` until the breaker is closed or reset.

    Args:
        client: Client for the data Redis.
        upstream: Name of the upstream.
        by: Who does it.
        reason: Why.

    Raises:
        StoreUnavailableError: Redis did not answer; nothing changed.
    """
    return _apply(client, upstream, ForceOpen(), ChangeByHand("open", by, reason))


def close(client: "redis.Redis", upstream: str, by: str = "", reason: str = "") -> BreakerReply:
    """Allow calls to `upstream` and reset the counts but not the open time. See `force_open` for the arguments."""
    return _apply(client, upstream, Close(), ChangeByHand("close", by, reason))


def reset(client: "redis.Redis", upstream: str, by: str = "", reason: str = "") -> BreakerReply:
    """Replace the breaker for `upstream` with a new one. See `force_open` for the arguments."""
    return _apply(client, upstream, Reset(), ChangeByHand("reset", by, reason))


def _apply(client: "redis.Redis", upstream: str, event: BreakerEvent, change: ChangeByHand) -> BreakerReply:
    lua = script()
    # Operator events use neither the policy's thresholds nor jitter.
    args = arguments(upstream, event, BreakerPolicy(), 0.0)
    try:
        pipeline = client.pipeline(transaction=True)
        pipeline.eval(lua.source, 2, keys.breaker(upstream), keys.BREAKERS, *args)
        pipeline.eval(RECORD_CHANGE, 1, keys.breaker(upstream), *change.arguments())
        return parse_reply(pipeline.execute()[0])
    except (redis.RedisError, OSError) as error:
        problem = f"breaker {upstream} is unchanged: {type(error).__name__}: {error}"
        raise StoreUnavailableError(problem) from error


def _info(upstream: str, reply: dict[Any, Any] | redis.ResponseError) -> BreakerInfo:
    fields = {} if isinstance(reply, redis.ResponseError) else decode_hash(reply)
    damaged = ", ".join(find_damaged_fields(fields)) if fields else "all fields"
    repair = f"`financehub breakers reset {shlex.quote(upstream)}` replaces it"
    problem = f"{keys.breaker(upstream)}: cannot be read ({damaged}), and counts as new in this respect; {repair}"
    record = BreakerRecord.from_fields(fields)
    return BreakerInfo(
        upstream=upstream,
        state=record.state.value,
        forced=record.forced,
        reason=record.reason.value,
        since=_seconds(record.since),
        open_until=_seconds(record.until),
        calls=len(record.window),
        failures=sum(call.failed for call in record.window),
        trips=record.trips,
        last_error=record.error,
        last_error_at=_seconds(record.error_at),
        problem=problem if damaged else "",
        change=ChangeByHand.from_fields(fields),
    )


def _seconds(milliseconds: int) -> float | None:
    return milliseconds / 1000 if milliseconds else None
