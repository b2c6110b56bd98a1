"""Circuit breakers, one per upstream, shared by the fleet through Redis, or local while Redis is unavailable."""

from financehub_shared.breaker.admin import BreakerInfo, close, force_open, list_breakers, reset
from financehub_shared.breaker.breaker_registry import BreakerRegistry
from financehub_shared.breaker.changes_by_hand import ChangeByHand
from financehub_shared.breaker.circuit_breaker import CircuitBreaker
from financehub_shared.breaker.listeners import BreakerListener, BreakerTransition, count_transitions, log_transition
from financehub_shared.breaker.model import BreakerState
from financehub_shared.breaker.policy import BreakerPolicy

__all__ = [
    "BreakerInfo",
    "BreakerListener",
    "BreakerPolicy",
    "BreakerRegistry",
    "BreakerState",
    "BreakerTransition",
    "ChangeByHand",
    "CircuitBreaker",
    "close",
    "count_transitions",
    "force_open",
    "list_breakers",
    "log_transition",
    "reset",
]
