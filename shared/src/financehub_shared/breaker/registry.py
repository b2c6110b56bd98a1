"""All circuit breakers of a process."""

import threading
from collections.abc import Sequence

from financehub_shared.breaker.backends import LUCK, LocalBackend, Luck, RedisBackend
from financehub_shared.breaker.circuit_breaker import CircuitBreaker
from financehub_shared.breaker.listeners import Listener, log_transition
from financehub_shared.breaker.states import Policy
from financehub_shared.core.clock import Clock
from financehub_shared.redis.scripts import RedisScripts


class BreakerRegistry:
    """Gives each upstream its breaker; one per process.

    Args:
        policy: of every breaker (`Policy.from_settings`).
        scripts: the way to Redis, where the fleet's breakers are (`RedisScripts.of_url`); None: this process alone.
        clock: measures calls and waits.
        listeners: told of each change of phase (`count_transitions(metrics)`, `log_transition`).
        luck: random numbers in [0, 1), for jitter.
    """

    def __init__(
        self,
        policy: Policy,
        scripts: RedisScripts | None,
        clock: Clock,
        listeners: Sequence[Listener] = (log_transition,),
        luck: Luck = LUCK,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._listeners = tuple(listeners)
        self._shared = None if scripts is None else RedisBackend(policy, scripts, luck)
        self._local = LocalBackend(policy, clock, luck)
        self._lock = threading.Lock()
        self._breakers: dict[str, CircuitBreaker] = {}

    def get(self, upstream: str) -> CircuitBreaker:
        """The breaker of `upstream`, made at first use; nothing is reset by that."""
        with self._lock:
            if upstream not in self._breakers:
                self._breakers[upstream] = CircuitBreaker(
                    upstream, self._policy, self._shared, self._local, self._clock, self._listeners
                )
            return self._breakers[upstream]
