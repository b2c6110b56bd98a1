"""Enqueues runs that do not wait for a due time: triggers, backfills and buffered runs.

Every scheduler sees them. The owner of a schedule carries them out, and the others only what it has left (`Turns`).
"""

import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import structlog
from redis.asyncio import Redis

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.annotations import Annotations
from financehub_scheduler.core.backfills import Backfills
from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.on_demand_submitter import OnDemandSubmitter
from financehub_scheduler.core.shares import Shares
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.core.turns import Turns
from financehub_scheduler.redis.enqueuer import Enqueuer, RunSubmission
from financehub_shared.core.clock import Clock
from financehub_shared.core.damage import DAMAGED
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import arepaired, report_wrong_key
from financehub_shared.redis.schedule_keys import schedule_types
from financehub_shared.redis.text import decode, read_time

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0
#: Seconds between two releases of buffered runs of one schedule, so that a schedule that is due each second and whose
#: runs are short catches up.
RELEASE_SECONDS = 0.2
#: Seconds after which a trigger that no scheduler could carry out is deleted, because its requester no longer waits.
_REQUEST_TTL_SECONDS = 3_600
#: A buffered due time is at most this far ahead. The clock may have been set back since it was stored.
_LATEST_SECONDS = 366 * DAY_SECONDS


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
        self._states = states
        shares = shares or Shares(clock)
        self._turns = Turns(clock, shares)
        self._submitter = OnDemandSubmitter(clock, enqueuer, listener, shares)
        self._annotations = Annotations(clock, client, states, self._submitter)
        self._backfills = Backfills(clock, client, states, listener, shares, self._turns, self._submitter)

    def schedule_registered(self, schedule: Schedule) -> None:
        self._annotations.add(schedule)

    def schedule_removed(self, schedule: Schedule) -> None:
        self._annotations.remove(schedule.uid)

    async def step(self) -> None:
        """Carry out all requests as far as possible.

        Raises:
            redis.RedisError: Redis is unavailable; a later step carries out the remaining requests.
        """
        await self._annotations.carry_out()
        buffered, triggers, backfills = await arepaired(self._client, schedule_types, self._read_requests)
        self._submitter.forget_released()
        self._turns.begin_step()
        ours = {uid: due for uid, due in buffered.items() if self._turns.is_ours(decode(uid), ("buffered", uid, due))}
        await self._submitter.submit([*self._buffered_runs(ours), *await self._requested_runs(triggers)])
        await self._backfills.continue_all(backfills)

    def has_released(self) -> bool:
        """Whether a buffered run was released since the last step, so that `release_more` may release the next one."""
        return bool(self._submitter.released)

    async def release_more(self) -> None:
        """Release the next buffered runs of the schedules from which one was released since the last step.

        Other schedules wait for the next step, so that many schedules with a long run cost little.

        Raises:
            redis.RedisError: Redis is unavailable; the next step releases them.
        """
        uids = sorted(self._submitter.released)
        if not uids:
            return
        read = partial(self._client.hmget, keys.SCHEDULES_BUFFERED, uids)
        values: Any = await arepaired(self._client, schedule_types, read)
        due = {uid.encode(): value for uid, value in zip(uids, values, strict=True) if value is not None}
        await self._submitter.submit(list(self._buffered_runs(due)))

    async def _read_requests(self) -> list[Any]:
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(keys.SCHEDULES_BUFFERED)
            pipeline.hgetall(keys.SCHEDULE_TRIGGERS)
            pipeline.smembers(keys.SCHEDULE_BACKFILLS)
            return list(await pipeline.execute())

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
