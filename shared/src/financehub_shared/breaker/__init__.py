"""Circuit breakers: one per upstream, shared by the fleet in Redis, local while Redis is away."""

from financehub_shared.breaker.admin import BreakerInfo, close, force_open, list_breakers, reset
from financehub_shared.breaker.circuit_breaker import CircuitBreaker
from financehub_shared.breaker.listeners import Listener, Transition, count_transitions, log_transition
from financehub_shared.breaker.registry import BreakerRegistry
from financehub_shared.breaker.states import Phase, Policy

__all__ = [
    "BreakerInfo",
    "BreakerRegistry",
    "CircuitBreaker",
    "Listener",
    "Phase",
    "Policy",
    "Transition",
    "close",
    "count_transitions",
    "force_open",
    "list_breakers",
    "log_transition",
    "reset",
]
