"""Who is told when a breaker changes: logs and metrics."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from financehub_shared.breaker.states import Phase, Reason

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of phase.

    Args:
        upstream: the breaker's name.
        old: phase before.
        new: phase after.
        reason: why it is in the new phase.
        error: the last failure.
        wait: seconds until a probe may go; 0 when closed.
        own: this process made the change; False: another one did, and this one just saw it. Counting own changes
            alone counts each change of the fleet once.
        shared: the fleet's breaker; False: this process's own, while Redis is away.
    """

    upstream: str
    old: Phase
    new: Phase
    reason: Reason
    error: str
    wait: float
    own: bool
    shared: bool


Listener = Callable[[Transition], None]


def log_transition(transition: Transition) -> None:
    """One log line a change: a warning when it opens."""
    emit = log.warning if transition.new is Phase.OPEN else log.info
    emit(
        "breaker_changed",
        upstream=transition.upstream,
        old=transition.old.value,
        new=transition.new.value,
        reason=transition.reason.value,
        error=transition.error,
        wait_seconds=round(transition.wait, 3),
        own=transition.own,
        shared=transition.shared,
    )


class BreakerMetrics(Protocol):
    """What is used of the metric catalogue."""

    def breaker_changed(self, upstream: str, state: str) -> None:
        """Count a change into `state` and show it."""
        ...

    def breaker_is(self, upstream: str, state: str) -> None:
        """Show `state` without counting."""
        ...


def count_transitions(metrics: BreakerMetrics) -> Listener:
    """A listener that keeps `circuit_breaker_state` and `circuit_breaker_transitions_total`."""

    def listener(transition: Transition) -> None:
        tell = metrics.breaker_changed if transition.own else metrics.breaker_is
        tell(transition.upstream, transition.new.value)

    return listener
