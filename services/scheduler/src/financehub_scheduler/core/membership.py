"""Keeps this scheduler among the members while it can enqueue due runs, and reads the other members."""

import asyncio

import structlog
from redis.exceptions import RedisError

from financehub_scheduler.core.health_probe import Watched
from financehub_scheduler.core.shares import Shares
from financehub_scheduler.redis.members import Members
from financehub_shared.core.clock import Clock

log = structlog.get_logger(__name__)

#: The loop of a member is at most this old. It may wait for Redis for a few seconds.
_STALL_SECONDS = 10.0
#: Maximum seconds for leaving at shutdown. A membership ends by itself a few seconds later.
_LEAVE_SECONDS = 1.0


class Membership:
    """The membership of this scheduler.

    Args:
        members: Refreshes it in Redis.
        engine: The engine. This scheduler is a member while its engine can enqueue the runs of all schedules.
        shares: Adopts the members that Redis has.
        clock: The clock.
    """

    def __init__(self, members: Members, engine: Watched, shares: Shares, clock: Clock) -> None:
        self._members = members
        self._engine = engine
        self._shares = shares
        self._clock = clock
        self._has_registered = False

    async def step(self) -> None:
        """Refresh or end the membership, and read the members.

        Raises:
            redis.RedisError: Redis is unavailable. The last known members stay, which costs time but no run.
        """
        members = await self._members.refresh(is_member=self._can_fire())
        if self._shares.set_members(members):
            log.info("schedulers_changed", schedulers=len(members))

    def _can_fire(self) -> bool:
        # Only once: a few new schedules that are not registered yet must not end the membership.
        self._has_registered = self._has_registered or self._engine.all_registered
        now, health = self._clock.monotonic(), self._engine.health
        return self._has_registered and now - health.last_step < _STALL_SECONDS and not health.is_ahead(now)

    async def leave(self) -> None:
        """End the membership at shutdown, so that the others know within a second."""
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._members.refresh(is_member=False)
        except (RedisError, TimeoutError) as error:
            log.info("membership_end_failed", error=str(error) or type(error).__name__)
