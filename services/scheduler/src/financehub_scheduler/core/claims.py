"""Renews the claims on this scheduler's schedules, and restores those that Redis has lost.

The owner of a schedule renews its claim. The others only look whether it is current, which one command shows for
hundreds of schedules, and do the same as the owner if it is not. In addition, they compare a few schedules with their
records at each renewal, because the owner may have another spec.
"""

import math
from collections.abc import Mapping
from functools import partial

import structlog

from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.next_runs import NextRunPublisher
from financehub_scheduler.core.shares import Shares
from financehub_scheduler.core.state import ScheduleState, in_slices
from financehub_scheduler.redis.edits import fingerprint_hash
from financehub_scheduler.redis.registry import CLAIM_INTERVAL_SECONDS, Registry
from financehub_shared.core.clock import Clock
from financehub_shared.redis.text import decode, read_time

log = structlog.get_logger(__name__)

#: A claim that is older was not renewed by the owner. It does not end before the next look.
_LATE_SECONDS = 1.5 * CLAIM_INTERVAL_SECONDS
#: The clocks of two schedulers that have changed a schedule differ by less than this.
_SKEW_SECONDS = 10.0
#: A change that is older than ours by more than this was made before it, also if clocks were set back in between.
_OLDER_SECONDS = 60.0
#: Number of renewals, 10 minutes, in which each schedule of other schedulers' shares is compared once.
ROUNDS = 20


class Claims:
    """The claims on all active schedules.

    Args:
        registry: The registry of schedules in Redis.
        engine: Registers lost schedules again.
        publisher: Publishes their next runs again.
        states: uid → state of each active schedule.
        clock: The clock.
        shares: Decides whose claims this scheduler renews; None for all.
    """

    def __init__(
        self,
        registry: Registry,
        engine: Engine,
        publisher: NextRunPublisher,
        states: Mapping[str, ScheduleState],
        clock: Clock,
        shares: Shares | None = None,
    ) -> None:
        self._registry = registry
        self._engine = engine
        self._publisher = publisher
        self._states = states
        self._clock = clock
        self._shares = shares or Shares(clock)
        self._round = 0
        #: Number of schedules in Redis when the last claim found no loss.
        self._intact_count: float = math.inf

    async def renew(self) -> None:
        """Renew the claims, restore the schedules that Redis has lost, and find those that were edited elsewhere.

        Raises:
            RedisError: Redis did not reply.
        """
        now, turn = self._clock.now(), self._round % ROUNDS
        self._round += 1
        own, others = list[str](), list[str]()
        # After a change of the members, the owners of all schedules are computed again.
        async for states in in_slices(self._states):
            for uid in [state.schedule.uid for state in states]:
                (own if self._shares.owns(uid) else others).append(uid)
        compared = others[turn::ROUNDS]
        del others[turn::ROUNDS]
        late = await self._registry.claimed_before(others, now - _LATE_SECONDS)
        undone: list[str] = []
        lost = await self._registry.claim([*own, *compared, *late], now, partial(self._compare, undone))
        # Redis may have fewer schedules than we run, because another scheduler has deleted some. These are not lost.
        self._intact_count = math.inf if lost else await self._registry.count()
        if lost:
            log.warning("schedules_lost", count=len(lost), total=len(self._states))
            self._engine.restore(lost)
            self._publisher.publish_again()
        if undone:
            log.warning("edits_lost", count=len(undone))
            self._engine.restore(undone)

    def _compare(self, undone: list[str], uid: str, fingerprint: bytes, changed_at: bytes | None) -> None:
        """Note whether Redis has another spec than this scheduler, which its next due run then shows for certain.

        Add the uid to a list if Redis has gone back to an earlier state. The next due time must not be the first to
        notice it. If the change is newer than ours, a user may have gone back to an earlier spec, which only the source
        can tell.
        """
        if state := self._states.get(uid):
            state.is_outdated = fingerprint != state.schedule.fingerprint.encode()
            changed = read_time(decode(changed_at or b"")) if state.is_outdated else None
            if changed is None:
                return
            # A schedule that was created again may have replaced a record that nobody has claimed for long.
            is_replaced = fingerprint_hash(fingerprint) in state.replaced
            if changed < state.since + (_SKEW_SECONDS if is_replaced else -_OLDER_SECONDS):
                undone.append(uid)

    async def find_loss(self) -> None:
        """Renew all claims if Redis has fewer schedules than before, such as a server that came back empty.

        A partial loss may be found only when the claims are renewed.

        Raises:
            RedisError: Redis did not reply.
        """
        if await self._registry.count() < min(len(self._states), self._intact_count):
            await self.renew()
