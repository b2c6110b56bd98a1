"""The rate budgets of one upstream: spent by all pods together in Redis, in a small share while Redis is away."""

import threading
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import QuotaExceededError, StoreUnavailableError
from financehub_shared.providers.budget import core
from financehub_shared.providers.budget.core import SLICES, Limit
from financehub_shared.redis import keys
from financehub_shared.redis.scripts import REDIS_NOW, LuaScript, RedisScripts

#: What one process may use while it cannot see the others: an eighth, since a usual fleet has eight that fetch at most.
LOCAL_SHARE = 1 / 8
#: A unit that is free again so soon is waited for: limits per second are no reason to drop a fetch.
PATIENCE_SECONDS = 2.0


class Budget:
    """What may still be sent to one upstream; what is spent is never given back.

    Args:
        upstream: its name, the same in all processes.
        limits: (window in seconds, units) of each; all must have room.
        scripts: the way to Redis, where the fleet's spending is; None: this process is alone and has it all.
        clock: for the local share and for waiting.
        patience: longest wait for room, seconds.
        local_share: part of each limit that this process uses while Redis is away.
    """

    def __init__(
        self,
        upstream: str,
        limits: Sequence[tuple[float, int]],
        scripts: RedisScripts | None,
        clock: Clock,
        *,
        patience: float = PATIENCE_SECONDS,
        local_share: float = LOCAL_SHARE,
    ) -> None:
        self.upstream = upstream
        self._limits = tuple(Limit(*limit) for limit in limits)
        self._scripts = scripts
        self._clock = clock
        self._patience = patience
        share = 1.0 if scripts is None else local_share
        self._local = _LocalSpending(tuple(core.share_of(limit, share) for limit in self._limits))
        self._keys = [keys.budget(upstream, f"{limit.seconds}s") for limit in self._limits]
        self._known_used = [0] * len(self._limits)

    async def spend(self, weight: int = 1) -> None:
        """Take `weight` units from every window, or from none; waits up to `patience` for room.

        Raises:
            QuotaExceededError: a window is used up; nothing was taken. `retry_after` says when there is room again.
            ValueError: more than a window ever holds.
        """
        if any(weight > limit.units for limit in self._limits):
            raise ValueError(f"{self.upstream}: a call of weight {weight} never fits its limits {self._limits}")
        give_up = self._clock.monotonic() + self._patience
        while True:
            wait, full = await self._try(weight)
            if wait == 0:
                return
            if self._clock.monotonic() + wait > give_up:
                detail = f"{full.units} per {full.seconds} s are used up; nothing was sent"
                raise QuotaExceededError(self.upstream, f"{detail}; room in {wait:.1f} s", wait)
            await self._clock.sleep(wait)

    async def correct(self, used: int, window_seconds: float = 60.0) -> None:
        """Take over what the upstream itself has counted, where that is more than ours (others share our address).

        Args:
            used: units in the window, as a header of the upstream says (`X-MBX-USED-WEIGHT-1M`).
            window_seconds: which of the windows.
        """
        which = [limit.window_seconds for limit in self._limits].index(window_seconds)
        limit = self._limits[which]
        if self._scripts is None or used <= self._known_used[which]:
            return
        try:
            answer = await self._scripts.arun(
                script(), [self._keys[which]], ["correct", used, SLICES, limit.slice_ms, limit.units]
            )
        except StoreUnavailableError:  # logged where it was found; the next answer carries the header again
            return
        self._known_used[which] = int(answer[2])

    @property
    def windows(self) -> Sequence[tuple[str, Limit]]:
        """Key of each window in Redis, and its limit."""
        return tuple(zip(self._keys, self._limits, strict=True))

    async def _try(self, weight: int) -> tuple[float, Limit]:
        """Seconds until there is room, 0 when the units were taken, and the limit that makes wait."""
        now = int(self._clock.monotonic() * 1000)
        if self._scripts is not None:
            sizes = [number for limit in self._limits for number in (limit.slice_ms, limit.units)]
            try:
                answer = await self._scripts.arun(script(), self._keys, ["spend", weight, SLICES, *sizes])
            except StoreUnavailableError:  # logged where it was found
                return self._local.take(now, weight)
            wait_ms, which, *self._known_used = (int(number) for number in answer)
            if wait_ms == 0:
                self._local.note(now, weight)
            return wait_ms / 1000, self._limits[which - 1]
        return self._local.take(now, weight)


class _LocalSpending:
    """What this process alone has spent; knows of calls under the fleet's budget too, so that an outage adds little."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._limits = limits
        self._spent: list[dict[int, int]] = [{} for _ in limits]
        self._lock = threading.Lock()

    def take(self, now: int, weight: int) -> tuple[float, Limit]:
        with self._lock:
            waits = [
                # a call heavier than the share may go when nothing else has
                (core.wait(spent, now, limit, min(weight, limit.units)) / 1000, limit)
                for spent, limit in zip(self._spent, self._limits, strict=True)
            ]
            longest = max(waits)
            if longest[0] == 0:
                self._add(now, weight)
            return longest

    def note(self, now: int, weight: int) -> None:
        with self._lock:
            self._add(now, weight)

    def _add(self, now: int, weight: int) -> None:
        self._spent = [
            core.spend(spent, now, limit, min(weight, limit.units))
            for spent, limit in zip(self._spent, self._limits, strict=True)
        ]


@cache
def script(now: str = REDIS_NOW) -> LuaScript:
    """budget.lua with the line that defines `now`."""
    return LuaScript(now + files(__package__).joinpath("budget.lua").read_text(encoding="utf-8"))
