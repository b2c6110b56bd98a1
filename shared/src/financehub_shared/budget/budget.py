"""Counts an upstream's rate budget in Redis for the whole fleet, and locally while Redis is unavailable."""

import threading
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from financehub_shared.budget import sliding_window
from financehub_shared.budget.sliding_window import SLICES, slice_ms
from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import QuotaExceededError, StoreUnavailableError
from financehub_shared.core.provider_specs import Limit
from financehub_shared.redis import keys
from financehub_shared.redis.scripts import REDIS_NOW, LuaScript, RedisScripts

#: Fraction of each limit that one process may use while it cannot see the calls of the others. A typical fleet has at
#: most eight processes that call upstreams.
LOCAL_SHARE = 1 / 8
#: Longest wait in seconds for free units. Per-second limits recover so soon that waiting is better than dropping a
#: fetch.
MAX_WAIT_SECONDS = 2.0


def window_key(upstream: str, limit: Limit) -> str:
    """Return the Redis key of the fleet's count for one limit of an upstream."""
    return keys.budget(upstream, f"{limit.seconds}s")


class Budget:
    """The units that may still be spent on one upstream. Spent units are never returned.

    Args:
        upstream: Name of the upstream, the same in all processes.
        limits: (window in seconds, units) of each limit. A call needs free units in all of them.
        scripts: Scripts on the Redis that holds the fleet's counts. None if this process alone uses the budget.
        clock: Clock for the local count and for waiting.
        max_wait_seconds: Longest wait for free units.
        local_share: Fraction of each limit that this process may use while Redis is unavailable.
    """

    def __init__(
        self,
        upstream: str,
        limits: Sequence[tuple[float, int]],
        scripts: RedisScripts | None,
        clock: Clock,
        *,
        max_wait_seconds: float = MAX_WAIT_SECONDS,
        local_share: float = LOCAL_SHARE,
    ) -> None:
        self.upstream = upstream
        self._limits = tuple(Limit(*limit) for limit in limits)
        self._scripts = scripts
        self._clock = clock
        self._max_wait_seconds = max_wait_seconds
        share = 1.0 if scripts is None else local_share
        self._local = _LocalCount(tuple(sliding_window.share_of(limit, share) for limit in self._limits))
        self._keys = [window_key(upstream, limit) for limit in self._limits]
        self._known_used = [0] * len(self._limits)

    async def spend(self, weight: int = 1) -> None:
        """Take `weight` units from every window or from none. Wait up to `max_wait_seconds` for free units.

        Raises:
            QuotaExceededError: A window is used up and nothing was taken. `retry_after` is the time until units are
                free again.
            ValueError: The weight exceeds a limit.
        """
        if any(weight > limit.units for limit in self._limits):
            raise ValueError(f"{self.upstream}: a call of weight {weight} never fits its limits {self._limits}")
        give_up_at = self._clock.monotonic() + self._max_wait_seconds
        while True:
            wait, full = await self._try_to_spend(weight)
            if wait == 0:
                return
            if self._clock.monotonic() + wait > give_up_at:
                detail = f"the budget of {full.units} per {full.seconds} s is used up"
                raise QuotaExceededError(self.upstream, f"{detail}; nothing was sent; room in {wait:.1f} s", wait)
            await self._clock.sleep(wait)

    async def correct(self, used: int, window_seconds: float = 60.0) -> None:
        """Raise our count to the upstream's if that is higher, because other clients may share our IP address.

        Args:
            used: Units in the window, from a response header of the upstream (`X-MBX-USED-WEIGHT-1M`).
            window_seconds: Length of that window.
        """
        index = [limit.window_seconds for limit in self._limits].index(window_seconds)
        limit = self._limits[index]
        if self._scripts is None or used <= self._known_used[index]:
            return
        try:
            answer = await self._scripts.arun(
                script(), [self._keys[index]], ["correct", used, SLICES, slice_ms(limit), limit.units]
            )
        except StoreUnavailableError:  # already logged; the next response has the header again
            return
        self._known_used[index] = int(answer[2])

    @property
    def windows(self) -> Sequence[tuple[str, Limit]]:
        """The name of the upstream and the limit of each window."""
        return tuple((self.upstream, limit) for limit in self._limits)

    async def _try_to_spend(self, weight: int) -> tuple[float, Limit]:
        """Return the seconds until units are free (0 if they were taken), and the limit that requires the wait."""
        now = int(self._clock.monotonic() * 1000)
        if self._scripts is not None:
            sizes = [number for limit in self._limits for number in (slice_ms(limit), limit.units)]
            try:
                answer = await self._scripts.arun(script(), self._keys, ["spend", weight, SLICES, *sizes])
            except StoreUnavailableError:  # already logged
                return self._local.try_to_spend(now, weight)
            wait_ms, window, *self._known_used = (int(number) for number in answer)
            if wait_ms == 0:
                self._local.record(now, weight)
            return wait_ms / 1000, self._limits[window - 1]
        return self._local.try_to_spend(now, weight)


class _LocalCount:
    """The units that this process alone has spent.

    It also counts calls that the fleet's budget allowed, so that a Redis outage allows few additional calls.
    """

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._limits = limits
        self._spent: list[dict[int, int]] = [{} for _ in limits]
        self._lock = threading.Lock()

    def try_to_spend(self, now: int, weight: int) -> tuple[float, Limit]:
        with self._lock:
            waits = [
                # a call that exceeds the share is allowed if nothing else was sent
                (sliding_window.wait(spent, now, limit, min(weight, limit.units)) / 1000, limit)
                for spent, limit in zip(self._spent, self._limits, strict=True)
            ]
            longest = max(waits)
            if longest[0] == 0:
                self._add(now, weight)
            return longest

    def record(self, now: int, weight: int) -> None:
        with self._lock:
            self._add(now, weight)

    def _add(self, now: int, weight: int) -> None:
        self._spent = [
            sliding_window.spend(spent, now, limit, min(weight, limit.units))
            for spent, limit in zip(self._spent, self._limits, strict=True)
        ]


@cache
def script(now: str = REDIS_NOW) -> LuaScript:
    """Load budget.lua and prepend the line that defines `now`."""
    return LuaScript(now + files(__package__).joinpath("budget.lua").read_text(encoding="utf-8"))
