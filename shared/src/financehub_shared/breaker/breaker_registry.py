"""The registry of a process's circuit breakers."""

import threading
from collections.abc import Sequence

from financehub_shared.breaker.backends import LocalBackend, RandomSource, RedisBackend, default_random
from financehub_shared.breaker.circuit_breaker import CircuitBreaker
from financehub_shared.breaker.listeners import BreakerListener, log_transition
from financehub_shared.breaker.policy import BreakerPolicy
from financehub_shared.core.clock import Clock
from financehub_shared.redis.scripts import RedisScripts


class BreakerRegistry:
    """Provides each upstream's breaker. There is one registry per process.

    Args:
        policy: Policy of every breaker (`BreakerPolicy.from_settings`).
        scripts: Runs scripts on the Redis that holds the fleet's breakers (`RedisScripts.of_url`). None means that the
            breakers are local to this process.
        clock: Measures calls and waits.
        listeners: Notified of each transition (`count_transitions(metrics)`, `log_transition`).
        random_source: Returns random numbers in [0, 1), for jitter.
    """

    def __init__(
        self,
        policy: BreakerPolicy,
        scripts: RedisScripts | None,
        clock: Clock,
        listeners: Sequence[BreakerListener] = (log_transition,),
        random_source: RandomSource = default_random,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._listeners = tuple(listeners)
        self._shared = None if scripts is None else RedisBackend(policy, scripts, random_source)
        self._local = LocalBackend(policy, clock, random_source)
        self._lock = threading.Lock()
        self._breakers: dict[str, CircuitBreaker] = {}

    def get(self, upstream: str) -> CircuitBreaker:
        """Return the breaker of `upstream`. The first call creates the object but does not change its state."""
        with self._lock:
            if upstream not in self._breakers:
                self._breakers[upstream] = CircuitBreaker(
                    upstream, self._policy, self._shared, self._local, self._clock, self._listeners
                )
            return self._breakers[upstream]
