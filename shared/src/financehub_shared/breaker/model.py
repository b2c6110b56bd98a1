"""A circuit breaker's record, the events that change it, and its replies. Times are whole milliseconds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """A breaker's state."""

    CLOSED = "closed"  # calls pass and are counted
    OPEN = "open"  # calls are rejected for a limited time, or until an operator closes the breaker (reason `forced`)
    HALF_OPEN = "half-open"  # one call, the probe, is in progress, and the others are rejected


class CallOutcome(StrEnum):
    """What a call shows about the upstream's health."""

    SUCCESS = "success"  # the upstream works, regardless of its response
    FAILURE = "failure"
    IGNORED = "ignored"  # the call shows nothing, because it was canceled or not sent


class BreakerReason(StrEnum):
    """The reason for a breaker's state."""

    NEW = "new"
    FAILURES = "failures"
    RETRY_AFTER = "retry-after"
    PROBE = "probe"
    PROBE_FAILED = "probe-failed"
    PROBE_ABANDONED = "probe-abandoned"
    RECOVERED = "recovered"
    FORCED = "forced"
    CLOSED_BY_HAND = "closed-by-hand"
    RESET = "reset"


class Decision(StrEnum):
    """A breaker's decision on an event."""

    ADMITTED = "admitted"
    PROBE = "probe"  # admitted as the only call
    REJECTED = "rejected"
    DONE = "done"
    STALE = "stale"  # the outcome belongs to an earlier epoch and changed nothing


@dataclass(frozen=True, slots=True)
class CountedCall:
    """A call in the window.

    Args:
        at: Time in Unix ms at which its outcome was recorded.
        failed: Whether it failed.
    """

    at: int
    failed: bool


@dataclass(frozen=True, slots=True)
class BreakerRecord:
    """Everything that is stored about a breaker.

    Args:
        state: Current state.
        epoch: Fencing token. It grows with every state change and every probe. An outcome with another epoch changes
            nothing.
        since: Time in Unix ms at which the breaker entered the state; 0 for a new breaker.
        until: While the breaker is open, the time at which a probe is allowed. While it is half-open, the end of the
            probe's lease. In Unix ms; 0 in all other cases.
        trips: Number of consecutive openings, which determines the open time.
        reason: Reason for the state.
        error: Last failure, for operators.
        error_at: Time of the last failure in Unix ms; 0 if there was none.
        window: Counted calls, oldest first.
    """

    state: BreakerState = BreakerState.CLOSED
    epoch: int = 0
    since: int = 0
    until: int = 0
    trips: int = 0
    reason: BreakerReason = BreakerReason.NEW
    error: str = ""
    error_at: int = 0
    window: tuple[CountedCall, ...] = ()

    @property
    def forced(self) -> bool:
        """Whether an operator opened the breaker, so that only an operator can close it."""
        return self.state is BreakerState.OPEN and self.reason is BreakerReason.FORCED

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> "BreakerRecord":
        """Parse the hash that breaker.lua writes. A missing or damaged field has the value of a new breaker."""
        damaged = find_damaged_fields(fields)
        fields = {name: text for name, text in fields.items() if name not in damaged}
        calls = fields.get("window", "").split()
        return cls(
            # The field kept the name `phase`, so that breakers survive an upgrade from releases that used it.
            state=BreakerState(fields.get("phase", BreakerState.CLOSED)),
            epoch=int(fields.get("epoch", 0)),
            since=int(fields.get("since", 0)),
            until=int(fields.get("until", 0)),
            trips=int(fields.get("trips", 0)),
            reason=BreakerReason(fields.get("reason", BreakerReason.NEW)),
            error=fields.get("error", ""),
            error_at=int(fields.get("error_at", 0)),
            window=tuple(CountedCall(int(call[:-1]), call[-1] == "f") for call in calls),
        )


def find_damaged_fields(fields: Mapping[str, str]) -> list[str]:
    """Return the names of the fields in a breaker's hash whose values breaker.lua cannot have written."""
    return [name for name, pattern in _FIELDS.items() if name in fields and not re.fullmatch(pattern, fields[name])]


_NUMBER = r"\d{1,15}"
#: Field of a breaker's hash → pattern of its values. The error can be any text.
_FIELDS = {
    "phase": "|".join(BreakerState),
    "epoch": _NUMBER,
    "since": _NUMBER,
    "until": _NUMBER,
    "trips": _NUMBER,
    "reason": "|".join(BreakerReason),
    "error_at": _NUMBER,
    "window": rf"(?:{_NUMBER}[fs](?: {_NUMBER}[fs])*)?",
}


@dataclass(frozen=True, slots=True)
class Admit:
    """A call requests admission and reports the successes that its process has not reported yet.

    Args:
        successes: One pair for each success, oldest first: the epoch of its admission and its age in ms.
    """

    successes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    """A call has ended.

    Args:
        epoch: Epoch of its admission.
        outcome: What the call shows about the upstream's health.
        retry_after_ms: Time for which the upstream asked not to be called; 0 if it did not specify any.
        error: Description of the failure for operators, without secrets.
    """

    epoch: int
    outcome: CallOutcome
    retry_after_ms: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class ForceOpen:
    """An operator opens the breaker, which stays open until `Close` or `Reset`."""


@dataclass(frozen=True, slots=True)
class Close:
    """An operator closes the breaker. The counts start again, but the open time does not shrink."""


@dataclass(frozen=True, slots=True)
class Reset:
    """An operator resets the breaker, which discards all of its state."""


BreakerEvent = Admit | RecordOutcome | ForceOpen | Close | Reset


@dataclass(frozen=True, slots=True)
class BreakerReply:
    """A breaker's reply to an event.

    Args:
        decision: The breaker's decision.
        previous: State before the event.
        state: State after the event.
        epoch: Epoch that an admitted call's outcome must carry.
        wait_ms: Time from now until a probe is allowed; 0 if the breaker is closed.
        reason: Reason for the state.
        error: Last failure.
    """

    decision: Decision
    previous: BreakerState
    state: BreakerState
    epoch: int
    wait_ms: int
    reason: BreakerReason
    error: str
