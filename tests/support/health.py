"""Circuit breakers for tests of health."""

from financehub_shared.breaker import BreakerInfo


def breaker(upstream: str, state: str, error: str = "", open_until: float | None = None) -> BreakerInfo:
    """Build a breaker in a state.

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
