"""The views of circuit breakers."""

from typing import Annotated

from typing_extensions import TypedDict

from financehub_shared.breaker import BreakerInfo, ChangeByHand
from financehub_shared.views.fields import Field
from financehub_shared.views.formats import Time, iso_time


class BreakerStateView(TypedDict):
    """The state of one circuit breaker."""

    upstream: Annotated[str, Field(description="The name of the upstream.", examples=["binance"])]
    state: Annotated[str, Field(description="The state: `closed`, `open` or `half-open`.")]
    reason: Annotated[str, Field(description="The reason for the state.", examples=["failures"])]


class ChangeByHandView(TypedDict):
    """The last change of a circuit breaker by an operator."""

    action: Annotated[str, Field(description="What was done: `open`, `close` or `reset`.")]
    by: Annotated[str, Field(description="The name of the user, or `command line`.", examples=["alice"])]
    reason: Annotated[str, Field(description="The reason that was given. Empty if there is none.")]
    at: Annotated[Time | None, Field(description="The time of the change.")]


class BreakerView(TypedDict):
    """One circuit breaker."""

    upstream: Annotated[str, Field(description="The name of the upstream.", examples=["binance"])]
    state: Annotated[str, Field(description="The state: `closed`, `open` or `half-open`.")]
    forced: Annotated[bool, Field(description="Whether an operator opened it, so that only an operator can close it.")]
    reason: Annotated[str, Field(description="The reason for the state.", examples=["failures"])]
    since: Annotated[
        Time | None, Field(description="The time at which it entered the state. Null if the state never changed.")
    ]
    open_until: Annotated[
        Time | None,
        Field(
            description="The time at which the next probe is allowed, or at which the current probe must end. Null if "
            "the breaker is closed or forced open."
        ),
    ]
    calls: Annotated[int, Field(description="The number of calls in the window.")]
    failures: Annotated[int, Field(description="The number of those calls that failed.")]
    trips: Annotated[int, Field(description="The number of openings in a row.")]
    last_error: Annotated[str, Field(description="The last failure in one line. Empty if there was none.")]
    last_error_at: Annotated[Time | None, Field(description="The time of the last failure. Null if there was none.")]
    problem: Annotated[str, Field(description="Why the record of the breaker cannot be read. Usually empty.")]
    change: Annotated[
        ChangeByHandView | None, Field(description="The last change by an operator. Null if there was none.")
    ]


def breaker_state_view(info: BreakerInfo) -> BreakerStateView:
    """Return the view of the state of a circuit breaker."""
    return {"upstream": info.upstream, "state": info.state, "reason": info.reason}


def breaker_view(info: BreakerInfo) -> BreakerView:
    """Return the view of a circuit breaker."""
    return {
        "upstream": info.upstream,
        "state": info.state,
        "forced": info.forced,
        "reason": info.reason,
        "since": iso_time(info.since),
        "open_until": iso_time(info.open_until),
        "calls": info.calls,
        "failures": info.failures,
        "trips": info.trips,
        "last_error": info.last_error,
        "last_error_at": iso_time(info.last_error_at),
        "problem": info.problem,
        "change": None if info.change is None else _change_view(info.change),
    }


def _change_view(change: ChangeByHand) -> ChangeByHandView:
    return {"action": change.action, "by": change.by, "reason": change.reason, "at": iso_time(change.at)}
