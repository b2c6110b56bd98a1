"""Listeners for breaker transitions: logs and metrics."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from financehub_shared.breaker.model import BreakerReason, BreakerState
from financehub_shared.core.log import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BreakerTransition:
    """A change of a breaker's state.

    Args:
        upstream: Name of the upstream.
        old: State before.
        new: State after.
        reason: Reason for the new state.
        error: Last failure.
        wait: Seconds until a probe is allowed; 0 if the breaker is closed.
        own: Whether this process made the change, rather than only noticing it. If each process counts only the changes
            that it made, the fleet counts each change once.
        shared: Whether this is the fleet's breaker, rather than the local one that this process uses while Redis is
            unavailable.
    """

    upstream: str
    old: BreakerState
    new: BreakerState
    reason: BreakerReason
    error: str
    wait: float
    own: bool
    shared: bool


BreakerListener = Callable[[BreakerTransition], None]


def log_transition(transition: BreakerTransition) -> None:
    """Log a transition in one line, as a warning if the breaker opens.

    A transition that another process made and logged, and the start of a probe, are details.
    """
    if not transition.own or transition.new is BreakerState.HALF_OPEN:
        emit = log.debug
    else:
        emit = log.warning if transition.new is BreakerState.OPEN else log.info
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
    """The metrics that breakers update."""

    def count_breaker_transition(self, upstream: str, state: str) -> None:
        """Count a transition to `state`, and expose it as the current state."""
        ...

    def set_breaker_state(self, upstream: str, state: str) -> None:
        """Expose `state` as the current state without counting a transition."""
        ...


def count_transitions(metrics: BreakerMetrics) -> BreakerListener:
    """Return a listener that updates `circuit_breaker_state` and `circuit_breaker_transitions_total`."""

    def listener(transition: BreakerTransition) -> None:
        update = metrics.count_breaker_transition if transition.own else metrics.set_breaker_state
        update(transition.upstream, transition.new.value)

    return listener
