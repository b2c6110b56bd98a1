"""Builders of circuit breakers and queue statistics for health tests."""

from financehub_shared.breaker import BreakerInfo
from financehub_shared.broker.queues import QueueStats


def breaker(upstream: str, state: str, error: str = "", open_until: float | None = None) -> BreakerInfo:
    """Build a breaker in the given state.

    Args:
        upstream: Name of the upstream.
        state: `closed`, `open` or `half-open`.
        error: The last failure.
        open_until: Time of the next probe in Unix seconds.
    """
    return BreakerInfo(
        upstream=upstream,
        state=state,
        forced=False,
        reason="new",
        since=None,
        open_until=open_until,
        calls=0,
        failures=0,
        trips=0,
        last_error=error,
        last_error_at=None,
    )


def queue(
    name: str = "high",
    *,
    ready: int = 3,
    in_flight: int = 0,
    delayed: int = 0,
    dead: int = 0,
    oldest_age_seconds: float = 1.0,
    orphaned: int = 0,
) -> QueueStats:
    """Build a queue's statistics, by default with three waiting messages.

    Args:
        name: Name of the queue.
        ready: Number of messages that wait for a worker.
        in_flight: Number of fetched messages.
        delayed: Number of delayed messages.
        dead: Number of dead letters.
        oldest_age_seconds: Age of the oldest waiting message in seconds.
        orphaned: Number of dead workers' messages.
    """
    return QueueStats(name, ready, in_flight, delayed, dead, oldest_age_seconds, orphaned)
