"""The words of the circuit breaker: phases, what happens to it, what it answers. Times are whole milliseconds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import PREFIX, Settings

#: More calls than this say nothing new about an upstream, and the window must stay small in Redis.
WINDOW_CALLS_MAX = 100


class Phase(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"  # calls pass and are counted
    OPEN = "open"  # calls are rejected until a time, or until somebody closes it (reason `forced`)
    HALF_OPEN = "half-open"  # one call, the probe, is on its way; the others are rejected


class Outcome(StrEnum):
    """What a call says about the upstream."""

    SUCCESS = "success"  # it is well, whatever it answered
    FAILURE = "failure"
    IGNORED = "ignored"  # nothing: the call was cancelled


class Reason(StrEnum):
    """Why a breaker is in its phase."""

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


class Verdict(StrEnum):
    """The answer to an event."""

    ADMITTED = "admitted"
    PROBE = "probe"  # admitted, and alone
    REJECTED = "rejected"
    DONE = "done"
    STALE = "stale"  # the outcome of an earlier epoch; nothing changed


@dataclass(frozen=True, slots=True)
class Policy:
    """When a breaker opens and for how long; durations in milliseconds.

    Args:
        window_ms: age at which a call no longer counts.
        minimum_calls: with fewer calls in the window it stays closed.
        failure_ratio: share of failures in the window at which it opens, 0 to 1.
        open_ms: first open time; doubles with each opening that follows at once.
        open_max_ms: cap of the open time.
        probe_ms: lease of a probe; after that its process counts as dead and another may probe.
        slow_ms: a call that took longer counts as failed. At most `probe_ms`, else an upstream could answer every
            probe too late and never be found well.
    """

    window_ms: int = 600_000
    minimum_calls: int = 5
    failure_ratio: float = 0.5
    open_ms: int = 30_000
    open_max_ms: int = 600_000
    probe_ms: int = 30_000
    slow_ms: int = 20_000

    @property
    def window_calls(self) -> int:
        """How many of the newest calls count: so few that `minimum_calls` failures open it after any healthy past."""
        calls = math.floor(self.minimum_calls / self.failure_ratio)
        if self.minimum_calls / calls < self.failure_ratio:  # the division above was rounded up
            calls -= 1
        return max(self.minimum_calls, min(calls, WINDOW_CALLS_MAX))

    @classmethod
    def from_settings(cls, settings: Settings) -> "Policy":
        """The policy that the `breaker_*` settings describe.

        Raises:
            ConfigError: two of them contradict each other.
        """
        for smaller, larger in (
            ("breaker_slow_seconds", "breaker_probe_seconds"),
            ("breaker_open_seconds", "breaker_open_max_seconds"),
        ):
            least, value = getattr(settings, smaller), getattr(settings, larger)
            if value < least:
                names = f"{PREFIX}{larger.upper()}={value:g}", f"{PREFIX}{smaller.upper()}={least:g}"
                raise ConfigError(f"{names[0]}: must be at least {names[1]}")
        return cls(
            window_ms=round(settings.breaker_window_seconds * 1000),
            minimum_calls=settings.breaker_minimum_calls,
            failure_ratio=settings.breaker_failure_ratio,
            open_ms=round(settings.breaker_open_seconds * 1000),
            open_max_ms=round(settings.breaker_open_max_seconds * 1000),
            probe_ms=round(settings.breaker_probe_seconds * 1000),
            slow_ms=round(settings.breaker_slow_seconds * 1000),
        )


@dataclass(frozen=True, slots=True)
class Call:
    """One counted call: when it was recorded, Unix ms, and whether it failed."""

    at: int
    failed: bool


@dataclass(frozen=True, slots=True)
class State:
    """A breaker at rest.

    Args:
        phase: where it stands.
        epoch: fencing token; grows with every change of phase and every probe. An outcome that carries another one
            changes nothing.
        since: when it entered the phase, Unix ms; 0 for a new breaker.
        until: open: when a probe may go; half-open: when the probe's lease ends; Unix ms, else 0.
        trips: openings in a row; sets the open time.
        reason: why it is in its phase.
        error: the last failure, for people.
        error_at: when that was, Unix ms; 0: never.
        window: the counted calls, oldest first.
    """

    phase: Phase = Phase.CLOSED
    epoch: int = 0
    since: int = 0
    until: int = 0
    trips: int = 0
    reason: Reason = Reason.NEW
    error: str = ""
    error_at: int = 0
    window: tuple[Call, ...] = ()

    @property
    def forced(self) -> bool:
        """Whether it was opened by hand and stays so until it is closed by hand."""
        return self.phase is Phase.OPEN and self.reason is Reason.FORCED


@dataclass(frozen=True, slots=True)
class Admit:
    """A call asks to pass, and brings the successes that its process has not reported yet.

    Args:
        successes: (epoch they were admitted in, ms ago) of each, oldest first.
    """

    successes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """A call ended.

    Args:
        epoch: of its admission.
        outcome: what it says about the upstream.
        retry_after_ms: how long the upstream asks us to stay away; 0: it did not say.
        error: the failure, for people; free of secrets.
    """

    epoch: int
    outcome: Outcome
    retry_after_ms: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class ForceOpen:
    """Somebody opens it by hand; it stays open until `Close` or `Reset`."""


@dataclass(frozen=True, slots=True)
class Close:
    """Somebody closes it by hand: counting starts anew, the growth of its open time is kept."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Somebody makes it forget everything."""


Event = Admit | Record | ForceOpen | Close | Reset


@dataclass(frozen=True, slots=True)
class Reply:
    """What a breaker answers to an event.

    Args:
        verdict: the answer.
        previous: phase before the event.
        phase: phase after it.
        epoch: token that the outcome of an admitted call must carry.
        wait_ms: how long from now until a probe may go; 0 when closed.
        reason: why it is in its phase.
        error: the last failure.
    """

    verdict: Verdict
    previous: Phase
    phase: Phase
    epoch: int
    wait_ms: int
    reason: Reason
    error: str


def state_from_fields(fields: Mapping[str, str]) -> State:
    """A state from the hash that breaker.lua keeps; absent fields are those of a new breaker."""
    calls = (entry for entry in fields.get("window", "").split())
    return State(
        phase=Phase(fields.get("phase", Phase.CLOSED)),
        epoch=int(fields.get("epoch", 0)),
        since=int(fields.get("since", 0)),
        until=int(fields.get("until", 0)),
        trips=int(fields.get("trips", 0)),
        reason=Reason(fields.get("reason", Reason.NEW)),
        error=fields.get("error", ""),
        error_at=int(fields.get("error_at", 0)),
        window=tuple(Call(int(entry[:-1]), entry[-1] == "f") for entry in calls),
    )
