"""Carries out backfills: starts each one, enqueues its runs step by step, and ends it."""

import asyncio
from collections.abc import Collection, Mapping
from functools import partial
from itertools import islice
from typing import Any

import structlog
from redis.asyncio import Redis

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.on_demand_submitter import OnDemandSubmitter
from financehub_scheduler.core.shares import Shares
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.core.turns import Turns
from financehub_scheduler.redis.enqueuer import AHEAD_LIMIT_SECONDS, RunSubmission
from financehub_shared.core.clock import Clock
from financehub_shared.recurrence.calendar import CalendarHorizonError
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import arepaired
from financehub_shared.redis.schedule_keys import schedule_types
from financehub_shared.redis.schedule_record import DELETED, BackfillField, ScheduleField
from financehub_shared.redis.text import decode, decode_hash, read_time
from financehub_shared.schedules import BACKFILL_TTL_SECONDS
from financehub_shared.schedules.requests import MAX_BACKFILL_RUNS, follower_problem

log = structlog.get_logger(__name__)

#: Maximum number of runs of one backfill per step. It limits the rate of a backfill, and the delay that it causes for
#: due runs.
_BATCH = 50


class Backfills:
    """Continues backfills. Redis has their cursors, so that any scheduler can go on with them.

    Args:
        clock: The clock.
        client: The queue Redis.
        states: uid → state of each active schedule.
        listener: Is notified of starts and ends.
        shares: Decides which backfills belong to this scheduler.
        turns: Decides when this scheduler looks at each backfill. The caller begins its steps.
        submitter: Submits the runs.
    """

    def __init__(
        self,
        clock: Clock,
        client: "Redis",
        states: Mapping[str, ScheduleState],
        listener: SchedulerListener,
        shares: Shares,
        turns: Turns,
        submitter: OnDemandSubmitter,
    ) -> None:
        self._clock = clock
        self._client = client
        self._states = states
        self._listener = listener
        self._shares = shares
        self._turns = turns
        self._submitter = submitter
        #: Backfill id → uid of its schedule and cursor, as they were last read.
        self._looked: dict[bytes, tuple[str, str]] = {}

    async def continue_all(self, backfills: Collection[bytes]) -> None:
        """Enqueue the next runs of the backfills whose turn it is. Call it once in each step.

        Args:
            backfills: Ids of all backfills that have not ended.

        Raises:
            redis.RedisError: Redis is unavailable; a later call continues the remaining backfills.
        """
        self._looked = {id: looked for id, looked in self._looked.items() if id in backfills}
        for id in backfills:
            looked = self._looked.get(id)
            if looked is None or self._turns.is_ours(looked[0], ("backfill", id)):
                await self._continue(id)

    async def _continue(self, member: bytes) -> None:
        id = decode(member)
        types = {keys.backfill(id): "hash"}
        answer: Any = await arepaired(self._client, lambda: types, partial(self._client.hgetall, keys.backfill(id)))
        record = decode_hash(answer)
        if not record:
            await self._client.srem(keys.SCHEDULE_BACKFILLS, member)
            return
        uid = record.get(BackfillField.UID, "")
        is_left = self._is_left(member, uid, record.get(BackfillField.CURSOR, ""))
        if not is_left:
            return
        if not (state := self._states.get(uid)):
            if await self._fingerprint(uid) == DELETED:
                # Nothing would ever end it, and it would count for the limit of backfills forever.
                await self._end(uid, id, "refused", "its schedule was deleted")
            return
        cursor = read_time(record.get(BackfillField.CURSOR), unit=1000)
        end = read_time(record.get(BackfillField.END))
        if cursor is None or end is None:
            await self._end(uid, id, "refused", "its record is damaged; request the backfill again")
            return
        now = self._clock.now()
        if not now < end <= now + AHEAD_LIMIT_SECONDS:
            await self._run(state, id, cursor, min(end, now), is_started=BackfillField.TOTAL in record)
        # Otherwise, the clock of this scheduler is behind the one with which the end was compared.

    async def _run(self, state: ScheduleState, id: str, cursor: float, until: float, *, is_started: bool) -> None:
        schedule, recurrence = state.schedule, state.schedule.recurrence
        after = schedule.after.partition("/")[2]
        if refused := state.refused or (after and follower_problem(after)):
            await self._end_by_spec(schedule, id, "refused", refused)
            return
        try:
            if not is_started:
                # In a thread, because counting ten thousand due times takes longer than a due run may wait.
                total = await asyncio.to_thread(recurrence.count, cursor, until, MAX_BACKFILL_RUNS + 1)
                if total > MAX_BACKFILL_RUNS:
                    problem = f"the range has more than {MAX_BACKFILL_RUNS} due times; request a shorter range"
                    await self._end_by_spec(schedule, id, "refused", problem)
                    return
                await self._start(schedule.uid, id, total)
            due_times = list(islice(recurrence.due_times(cursor, until), _BATCH))
        except CalendarHorizonError as error:
            # Also after the start, because an edit may have added a calendar. It must not hold up other backfills.
            await self._end_by_spec(schedule, id, "refused", str(error))
            return
        runs = [RunSubmission(schedule, "backfill", due, fence=id) for due in due_times]
        if runs:
            await self._submitter.submit(runs)
        else:
            await self._end_by_spec(schedule, id, "finished", "")

    async def _end_by_spec(self, schedule: Schedule, id: str, state: str, message: str) -> None:
        """End a backfill, unless Redis has another spec: another scheduler knows an edit and goes on with it."""
        if await self._fingerprint(schedule.uid) == schedule.fingerprint:
            await self._end(schedule.uid, id, state, message)

    async def _fingerprint(self, uid: str) -> str:
        """Return the fingerprint of the registered spec of a schedule; empty if Redis does not know the schedule."""
        read = partial(self._client.hget, keys.schedule(uid), ScheduleField.FINGERPRINT)
        return decode(await arepaired(self._client, lambda: schedule_types([uid]), read) or b"")

    def _is_left(self, member: bytes, uid: str, cursor: str) -> bool:
        """Whether a backfill belongs to this scheduler, or has not moved since the last look."""
        before, self._looked[member] = self._looked.get(member), (uid, cursor)
        return self._shares.owns(uid) or before == (uid, cursor)

    async def _start(self, uid: str, id: str, total: int) -> None:
        async with self._client.pipeline(transaction=True) as pipeline:
            pipeline.hset(keys.backfill(id), BackfillField.TOTAL, str(total))
            pipeline.sadd(keys.SCHEDULES_CHANGED, uid)
            created, _ = await pipeline.execute()
        # If several schedulers start it at the same time, only the first reports it.
        if created:
            self._listener.backfill_changed(uid, "started", f"due times of its range to be enqueued: {total}")

    async def _end(self, uid: str, id: str, state: str, message: str) -> None:
        async with self._client.pipeline(transaction=True) as pipeline:
            end: dict[Any, Any] = {BackfillField.STATE: state, BackfillField.MESSAGE: message}
            pipeline.hset(keys.backfill(id), mapping=end)
            pipeline.expire(keys.backfill(id), BACKFILL_TTL_SECONDS)
            pipeline.srem(keys.SCHEDULE_BACKFILLS, id)
            pipeline.sadd(keys.SCHEDULES_CHANGED, uid)
            _, _, removed, _ = await pipeline.execute()
        log.info("backfill_ended", backfill=id, state=state, message=message)
        # If several schedulers end it at the same time, only the first reports it.
        if removed:
            self._listener.backfill_changed(uid, state, message)
