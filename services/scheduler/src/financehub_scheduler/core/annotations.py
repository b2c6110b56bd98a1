"""Carries out annotations of schedules, which request a run or a backfill."""

from collections.abc import Mapping
from functools import partial

from redis.asyncio import Redis

from financehub_scheduler.api.schedule import Backfill, Schedule
from financehub_scheduler.core.on_demand_submitter import OnDemandSubmitter
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.redis.enqueuer import RunSubmission
from financehub_shared.core.clock import Clock
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import arepaired
from financehub_shared.redis.schedule_keys import schedule_types
from financehub_shared.redis.schedule_record import ScheduleField, new_backfill
from financehub_shared.redis.text import decode
from financehub_shared.schedules.backfill_list import remember_backfill

#: Seconds for which an ended backfill is kept after the schedule's annotation has requested another one.
_REPLACED_TTL_SECONDS = 3_600


class Annotations:
    """Submits the runs that annotations request, and creates the backfills that they request.

    Args:
        clock: The clock.
        client: The queue Redis.
        states: uid → state of each active schedule.
        submitter: Submits the runs.
    """

    def __init__(
        self, clock: Clock, client: "Redis", states: Mapping[str, ScheduleState], submitter: OnDemandSubmitter
    ) -> None:
        self._clock = clock
        self._client = client
        self._states = states
        self._submitter = submitter
        #: uid → schedule whose annotations Redis may not know yet.
        self._annotated: dict[str, Schedule] = {}

    def add(self, schedule: Schedule) -> None:
        """Add a schedule that was registered. Its annotations, if any, replace earlier ones that still wait."""
        if schedule.trigger or schedule.backfill:
            self._annotated[schedule.uid] = schedule

    def remove(self, uid: str) -> None:
        """Forget the annotations of a schedule that was deleted, or whose document is not valid any more."""
        self._annotated.pop(uid, None)

    async def carry_out(self) -> None:
        """Carry out the annotations of all added schedules as far as possible.

        Raises:
            redis.RedisError: Redis is unavailable; a later call carries out the remaining annotations.
        """
        # While a schedule's arguments are refused, its annotations wait until the arguments are valid.
        schedules = [
            schedule
            for uid, schedule in self._annotated.items()
            if not ((state := self._states.get(uid)) and state.refused)
        ]
        now = self._clock.now()
        await self._submitter.submit(
            [
                RunSubmission(schedule, "annotation", now, fence=schedule.trigger)
                for schedule in schedules
                if schedule.trigger
            ]
        )
        for schedule in schedules:
            if self._annotated.get(schedule.uid) is not schedule:
                continue  # The schedule was deleted or edited in the meantime.
            if schedule.backfill and not await self._request_backfill(schedule, schedule.backfill):
                continue
            if self._annotated.get(schedule.uid) is schedule:
                del self._annotated[schedule.uid]

    async def _request_backfill(self, schedule: Schedule, backfill: Backfill) -> bool:
        """Create the backfill that a schedule's annotation requests, unless it was created before.

        Returns:
            Whether it exists. While the schedule's previous one has not ended, it is not created, so that somebody who
            keeps changing the annotation does not fill Redis.
        """
        record = keys.schedule(schedule.uid)
        previous = decode(await self._client.hget(record, ScheduleField.ANNOTATED_BACKFILL) or b"")
        if previous == backfill.id:
            return True
        if previous and await self._client.sismember(keys.SCHEDULE_BACKFILLS, previous):
            return False
        # In one transaction, so that a scheduler that dies here leaves nothing half done. Two schedulers write the same
        # data.
        async with self._client.pipeline(transaction=True) as pipeline:
            for name, value in new_backfill(schedule.uid, schedule.name, backfill.start, backfill.end).items():
                pipeline.hsetnx(keys.backfill(backfill.id), name, value)
            pipeline.sadd(keys.SCHEDULE_BACKFILLS, backfill.id)
            pipeline.hset(record, ScheduleField.ANNOTATED_BACKFILL, backfill.id)
            pipeline.sadd(keys.SCHEDULES_CHANGED, schedule.uid)
            if previous:
                pipeline.expire(keys.backfill(previous), _REPLACED_TTL_SECONDS)
            await pipeline.execute()
        await arepaired(
            self._client, lambda: schedule_types([schedule.uid]), partial(self._remember, schedule.uid, backfill.id)
        )
        return True

    async def _remember(self, uid: str, id: str) -> None:
        """Add a backfill to its schedule's list. If the scheduler dies before that, only the list is incomplete."""
        async with self._client.pipeline(transaction=True) as pipeline:
            remember_backfill(pipeline, uid, id)
            await pipeline.execute()
