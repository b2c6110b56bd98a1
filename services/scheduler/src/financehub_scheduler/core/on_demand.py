"""Enqueues runs that do not wait for a due time: triggers, backfills and buffered runs.

Every scheduler sees them. The owner of a schedule carries them out, and the others only what it has left (`Turns`).
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Any

import structlog
from redis.asyncio import Redis

from financehub_scheduler.api.schedule import Backfill, Schedule
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.shares import Shares
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.core.turns import Turns
from financehub_scheduler.redis.enqueuer import AHEAD_LIMIT_SECONDS, EnqueueOutcome, Enqueuer, RunSubmission, encode
from financehub_shared.core.chunks import chunks
from financehub_shared.core.clock import Clock
from financehub_shared.core.damage import DAMAGED
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.recurrence.calendar import CalendarHorizonError
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import arepaired, report_wrong_key
from financehub_shared.redis.schedule_keys import schedule_types
from financehub_shared.redis.schedule_record import DELETED, BackfillField, ScheduleField, new_backfill
from financehub_shared.redis.text import decode, decode_hash, read_time
from financehub_shared.schedules import BACKFILL_TTL_SECONDS
from financehub_shared.schedules.backfill_list import remember_backfill
from financehub_shared.schedules.requests import MAX_BACKFILL_RUNS, follower_problem

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0
#: Seconds between two releases of buffered runs of one schedule, so that a schedule that is due each second and whose
#: runs are short catches up.
RELEASE_SECONDS = 0.2
#: Maximum number of runs of one backfill per step. It limits the rate of a backfill, and the delay that it causes for
#: due runs.
_BACKFILL_BATCH = 50
#: Seconds for which an ended backfill is kept after the schedule's annotation has requested another one.
_REPLACED_TTL_SECONDS = 3_600
#: Seconds after which a trigger that no scheduler could carry out is deleted, because its requester no longer waits.
_REQUEST_TTL_SECONDS = 3_600
#: A buffered due time is at most this far ahead. The clock may have been set back since it was stored.
_LATEST_SECONDS = 366 * DAY_SECONDS
#: Runs per script. After a restart, thousands of annotations may be submitted. Between two scripts, due runs go first.
_BATCH = 200


def read_due(value: bytes, now: float) -> float | None:
    """Return the due time of a buffered run in Unix seconds; None if it is damaged, as `drop_damaged_runs` decides.

    Args:
        value: The stored milliseconds.
        now: Unix seconds.
    """
    text = decode(value)
    due = read_time(text, unit=1000)
    if due is None or not 0 < due < now + _LATEST_SECONDS or text != str(round(due * 1000)):
        return None
    return due


class OnDemandRuns(SchedulerListener):
    """Carries out requests. Any number of schedulers may do so at the same time.

    Args:
        clock: The clock.
        client: The queue Redis.
        enqueuer: Sends runs to Redis.
        states: uid → state of each active schedule.
        listener: Is notified of enqueue outcomes and of backfills.
        shares: Decides which requests this scheduler carries out first; None for all.
    """

    def __init__(
        self,
        clock: Clock,
        client: "Redis",
        enqueuer: Enqueuer,
        states: Mapping[str, ScheduleState],
        listener: SchedulerListener,
        shares: Shares | None = None,
    ) -> None:
        self._clock = clock
        self._client = client
        self._enqueuer = enqueuer
        self._states = states
        self._listener = listener
        self._shares = shares or Shares(clock)
        self._turns = Turns(clock, self._shares)
        #: Backfill id → uid of its schedule and cursor, as they were last read.
        self._looked: dict[bytes, tuple[str, str]] = {}
        #: uid → schedule whose annotations Redis may not know yet.
        self._annotated: dict[str, Schedule] = {}
        #: Uids of schedules from which a buffered run was released since the last step.
        self._released: set[str] = set()

    def schedule_registered(self, schedule: Schedule) -> None:
        if schedule.trigger or schedule.backfill:
            self._annotated[schedule.uid] = schedule

    async def step(self) -> None:
        """Carry out all requests as far as possible.

        Raises:
            redis.RedisError: Redis is unavailable; a later step carries out the remaining requests.
        """
        await self._carry_out_annotations()
        buffered, triggers, backfills = await arepaired(self._client, schedule_types, self._read_requests)
        self._released.clear()
        self._turns.begin_step()
        ours = {uid: due for uid, due in buffered.items() if self._turns.is_ours(decode(uid), ("buffered", uid, due))}
        await self._submit([*self._buffered_runs(ours), *await self._requested_runs(triggers)])
        self._looked = {id: looked for id, looked in self._looked.items() if id in backfills}
        for id in backfills:
            looked = self._looked.get(id)
            if looked is None or self._turns.is_ours(looked[0], ("backfill", id)):
                await self._continue_backfill(id)

    def has_released(self) -> bool:
        """Whether a buffered run was released since the last step, so that `release_more` may release the next one."""
        return bool(self._released)

    async def release_more(self) -> None:
        """Release the next buffered runs of the schedules from which one was released since the last step.

        Other schedules wait for the next step, so that many schedules with a long run cost little.

        Raises:
            redis.RedisError: Redis is unavailable; the next step releases them.
        """
        uids = sorted(self._released)
        if not uids:
            return
        read = partial(self._client.hmget, keys.SCHEDULES_BUFFERED, uids)
        values: Any = await arepaired(self._client, schedule_types, read)
        due = {uid.encode(): value for uid, value in zip(uids, values, strict=True) if value is not None}
        await self._submit(list(self._buffered_runs(due)))

    async def _read_requests(self) -> list[Any]:
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(keys.SCHEDULES_BUFFERED)
            pipeline.hgetall(keys.SCHEDULE_TRIGGERS)
            pipeline.smembers(keys.SCHEDULE_BACKFILLS)
            return list(await pipeline.execute())

    async def _submit(self, runs: list[RunSubmission]) -> None:
        for batch in chunks(runs, _BATCH):
            now = self._clock.now()
            results = await self._enqueuer.submit([encode(run, now) for run in batch], now)
            enqueued = []
            for run, result in zip(batch, results, strict=True):
                self._listener.run_answered(run, result.outcome, now)
                if result.outcome is EnqueueOutcome.ENQUEUED:
                    enqueued.append((run, now))
                    if run.kind != "annotation" and not self._shares.owns(run.schedule.uid):
                        # Its owner hangs, or does not have it. Further runs must not wait as long.
                        self._shares.took_over(run.schedule)
                    if run.kind == "buffered":
                        self._released.add(run.schedule.uid)
            if enqueued:
                await self._enqueuer.record_enqueued_runs(enqueued)

    # buffered runs and triggers -----------------------------------------------------------------------
    def _buffered_runs(self, buffered: Mapping[bytes, bytes]) -> Iterable[RunSubmission]:
        for uid, due_ms in buffered.items():
            state = self._states.get(decode(uid))
            if state is None or state.schedule.suspended or state.paused or state.refused:
                continue
            due = read_due(due_ms, self._clock.now())
            if due is None:
                entry = f"{keys.SCHEDULES_BUFFERED} {decode(uid)}"
                reason = f"{decode(due_ms)[:60]!r} is not a due time in Unix milliseconds, so this run is given up"
                report_wrong_key(entry, reason, remedy="trigger the schedule if the run is needed")
            # The script drops a damaged entry, so that the next one is released.
            yield RunSubmission(state.schedule, "buffered", due or 0.0, with_message=due is not None)

    async def _requested_runs(self, triggers: Mapping[bytes, bytes]) -> list[RunSubmission]:
        runs = []
        for request, value in triggers.items():
            now = self._clock.now()
            try:
                fence, trigger = request.decode(), json.loads(value)
                requested_at, uid = float(trigger["at"]), str(trigger["uid"])
            except DAMAGED:
                # A user has written the request by hand. It must not block other requests.
                log.warning("trigger_refused", request=request.decode(errors="replace"), reason="unreadable")
                await self._client.hdel(keys.SCHEDULE_TRIGGERS, request)
                continue
            if not now - _REQUEST_TTL_SECONDS <= requested_at <= now + DAY_SECONDS:
                await self._client.hdel(keys.SCHEDULE_TRIGGERS, request)
            elif (state := self._states.get(uid)) and self._turns.is_ours(uid, ("request", request)):
                runs.append(RunSubmission(state.schedule, "request", now, fence=fence, refused=state.refused))
        return runs

    # annotations --------------------------------------------------------------------------------------
    async def _carry_out_annotations(self) -> None:
        # While a schedule's arguments are refused, its annotations wait until the arguments are valid.
        schedules = [
            schedule
            for uid, schedule in self._annotated.items()
            if not ((state := self._states.get(uid)) and state.refused)
        ]
        now = self._clock.now()
        await self._submit(
            [
                RunSubmission(schedule, "annotation", now, fence=schedule.trigger)
                for schedule in schedules
                if schedule.trigger
            ]
        )
        for schedule in schedules:
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

    # backfills ----------------------------------------------------------------------------------------
    async def _continue_backfill(self, member: bytes) -> None:
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
                await self._end_backfill(uid, id, "refused", "its schedule was deleted")
            return
        cursor = read_time(record.get(BackfillField.CURSOR), unit=1000)
        end = read_time(record.get(BackfillField.END))
        if cursor is None or end is None:
            await self._end_backfill(uid, id, "refused", "its record is damaged; request the backfill again")
            return
        now = self._clock.now()
        if not now < end <= now + AHEAD_LIMIT_SECONDS:
            await self._run_backfill(state, id, cursor, min(end, now), is_started=BackfillField.TOTAL in record)
        # Otherwise, the clock of this scheduler is behind the one with which the end was compared.

    async def _run_backfill(
        self, state: ScheduleState, id: str, cursor: float, until: float, *, is_started: bool
    ) -> None:
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
                await self._start_backfill(schedule.uid, id, total)
            due_times = list(islice(recurrence.due_times(cursor, until), _BACKFILL_BATCH))
        except CalendarHorizonError as error:
            # Also after the start, because an edit may have added a calendar. It must not hold up other backfills.
            await self._end_by_spec(schedule, id, "refused", str(error))
            return
        runs = [RunSubmission(schedule, "backfill", due, fence=id) for due in due_times]
        if runs:
            await self._submit(runs)
        else:
            await self._end_by_spec(schedule, id, "finished", "")

    async def _end_by_spec(self, schedule: Schedule, id: str, state: str, message: str) -> None:
        """End a backfill, unless Redis has another spec: another scheduler knows an edit and goes on with it."""
        if await self._fingerprint(schedule.uid) == schedule.fingerprint:
            await self._end_backfill(schedule.uid, id, state, message)

    async def _fingerprint(self, uid: str) -> str:
        """Return the fingerprint of the registered spec of a schedule; empty if Redis does not know the schedule."""
        read = partial(self._client.hget, keys.schedule(uid), ScheduleField.FINGERPRINT)
        return decode(await arepaired(self._client, lambda: schedule_types([uid]), read) or b"")

    def _is_left(self, member: bytes, uid: str, cursor: str) -> bool:
        """Whether a backfill belongs to this scheduler, or has not moved since the last look."""
        before, self._looked[member] = self._looked.get(member), (uid, cursor)
        return self._shares.owns(uid) or before == (uid, cursor)

    async def _start_backfill(self, uid: str, id: str, total: int) -> None:
        async with self._client.pipeline(transaction=True) as pipeline:
            pipeline.hset(keys.backfill(id), BackfillField.TOTAL, str(total))
            pipeline.sadd(keys.SCHEDULES_CHANGED, uid)
            created, _ = await pipeline.execute()
        # If several schedulers start it at the same time, only the first reports it.
        if created:
            self._listener.backfill_changed(uid, "started", f"due times of its range to be enqueued: {total}")

    async def _end_backfill(self, uid: str, id: str, state: str, message: str) -> None:
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
