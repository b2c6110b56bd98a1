"""Runs beside the timetable: triggers, buffered runs and backfills, looked for every second."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from redis.asyncio import Redis

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.observer import Observer
from financehub_scheduler.core.state import Live
from financehub_scheduler.recurrence.calendar import CalendarHorizonError
from financehub_scheduler.redis.enqueuer import Enqueuer, Run, pack
from financehub_shared.core.clock import Clock
from financehub_shared.redis import keys
from financehub_shared.schedules import BACKFILL_TTL_SECONDS, backfill_record

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0
#: Runs of one backfill per look: the pace, and how long it can keep the timetable waiting.
_BACKFILL_STEP = 50
#: A larger range is refused: it is more likely a slip than a wish.
MAX_BACKFILL_RUNS = 10_000
#: A trigger nobody could carry out is forgotten: whoever asked has long given up.
_REQUEST_TTL_SECONDS = 3_600
#: Field of a schedule's hash with the backfill that its annotation last asked for.
_ANNOTATED = "annotated_backfill"


class Errands:
    """Carries out what was asked for; any number of schedulers may do so at once.

    Args:
        clock: time.
        client: Redis of the queues.
        enqueuer: runs to Redis.
        observer: logs and metrics.
        live: the schedules under the engine's care.
    """

    def __init__(
        self, clock: Clock, client: "Redis", enqueuer: Enqueuer, observer: Observer, live: Mapping[str, Live]
    ) -> None:
        self._clock = clock
        self._client = client
        self._enqueuer = enqueuer
        self._observer = observer
        self._live = live
        #: Told of each backfill that started or ended: uid of its schedule, state, how many runs or why it was refused.
        self.on_backfill: Callable[[str, str, str], None] = lambda *_: None
        #: Schedules with annotations that may be news to Redis.
        self._annotated: dict[str, Schedule] = {}

    def registered(self, schedule: Schedule) -> None:
        """Look at the annotations of a schedule that was registered."""
        if schedule.trigger or schedule.backfill:
            self._annotated[schedule.uid] = schedule

    async def step(self) -> None:
        """Look once.

        Raises:
            redis.RedisError: Redis is away; what was not carried out is found again.
        """
        await self._annotations()
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(keys.SCHEDULES_BUFFERED)
            pipeline.hgetall(keys.SCHEDULE_TRIGGERS)
            pipeline.smembers(keys.SCHEDULE_BACKFILLS)
            buffered, triggers, backfills = await pipeline.execute()
        runs = [
            Run(live.schedule, "buffered", int(due) / 1000)
            for uid, due in buffered.items()
            if (live := self._live.get(uid.decode())) and not live.schedule.suspended and not live.refused
        ]
        for request, value in triggers.items():
            try:
                wish = json.loads(value)
                asked_at, uid = float(wish["at"]), str(wish["uid"])
            except (ValueError, TypeError, KeyError):
                # written by hand: it must not stop what everybody else asked for
                log.warning("trigger_unreadable", request=request.decode(errors="replace"))
                await self._client.hdel(keys.SCHEDULE_TRIGGERS, request)
                continue
            if asked_at < self._clock.now() - _REQUEST_TTL_SECONDS:
                await self._client.hdel(keys.SCHEDULE_TRIGGERS, request)
            elif live := self._live.get(uid):
                now = self._clock.now()
                runs.append(Run(live.schedule, "request", now, fence=request.decode(), refused=live.refused))
        await self._submit(runs)
        for id in backfills:
            await self._backfill(id.decode())

    async def _submit(self, runs: list[Run]) -> None:
        now = self._clock.now()
        verdicts = await self._enqueuer.submit([pack(run, now) for run in runs], now) if runs else []
        for run, verdict in zip(runs, verdicts, strict=True):
            self._observer.verdict(run, verdict, now)
        if enqueued := [(run, now) for run, verdict in zip(runs, verdicts, strict=True) if verdict == "enqueued"]:
            await self._enqueuer.book(enqueued)

    async def _annotations(self) -> None:
        # what is refused waits until it no longer is
        todo = [each for uid, each in self._annotated.items() if not ((live := self._live.get(uid)) and live.refused)]
        now = self._clock.now()
        await self._submit(
            [Run(schedule, "annotation", now, fence=schedule.trigger) for schedule in todo if schedule.trigger]
        )
        for schedule in todo:
            wish = schedule.backfill
            if wish and await self._client.hget(keys.schedule(schedule.uid), _ANNOTATED) != wish.id.encode():
                async with self._client.pipeline(transaction=True) as pipeline:
                    # at once: a scheduler that dies here has done nothing, and two that come at once do the same
                    for name, value in backfill_record(schedule.uid, schedule.name, wish.start, wish.end).items():
                        pipeline.hsetnx(keys.backfill(wish.id), name, value)
                    pipeline.sadd(keys.SCHEDULE_BACKFILLS, wish.id)
                    pipeline.hset(keys.schedule(schedule.uid), _ANNOTATED, wish.id)
                    pipeline.sadd(keys.SCHEDULES_TOUCHED, schedule.uid)
                    await pipeline.execute()
            if self._annotated.get(schedule.uid) is schedule:
                del self._annotated[schedule.uid]

    async def _backfill(self, id: str) -> None:
        answer: Any = await self._client.hgetall(keys.backfill(id))
        record = {key.decode(): value.decode() for key, value in answer.items()}
        if not record:
            await self._client.srem(keys.SCHEDULE_BACKFILLS, id)
            return
        if not (live := self._live.get(record["uid"])):
            return
        if live.refused:
            await self._end(record, id, "refused", live.refused)
            return
        timing, cursor, end = live.schedule.timing, int(record["cursor"]) / 1000, float(record["end"])
        if "total" not in record:
            try:
                # in a thread: ten thousand cron times take longer than a due run may wait
                total = await asyncio.to_thread(
                    timing.count, cursor, min(end, self._clock.now()), MAX_BACKFILL_RUNS + 1
                )
            except CalendarHorizonError as error:
                await self._end(record, id, "refused", str(error))
                return
            if total > MAX_BACKFILL_RUNS:
                problem = f"more than {MAX_BACKFILL_RUNS} due times; ask for a shorter range"
                await self._end(record, id, "refused", problem)
                return
            await self._begin(record, id, total)
        runs = []
        for due in timing.due_times(cursor, min(end, self._clock.now())):
            runs.append(Run(live.schedule, "backfill", due, fence=id))
            if len(runs) == _BACKFILL_STEP:
                break
        await self._submit(runs)
        if not runs:
            await self._end(record, id, "finished", "")

    async def _begin(self, record: Mapping[str, str], id: str, total: int) -> None:
        async with self._client.pipeline(transaction=True) as pipeline:
            pipeline.hset(keys.backfill(id), "total", str(total))
            pipeline.sadd(keys.SCHEDULES_TOUCHED, record["uid"])
            first, _ = await pipeline.execute()
        # of several schedulers that begin it at once, one tells
        if first:
            self.on_backfill(record["uid"], "started", f"due times of its range to be enqueued: {total}")

    async def _end(self, record: Mapping[str, str], id: str, state: str, message: str) -> None:
        async with self._client.pipeline(transaction=True) as pipeline:
            pipeline.hset(keys.backfill(id), mapping={"state": state, "message": message})
            pipeline.expire(keys.backfill(id), BACKFILL_TTL_SECONDS)
            pipeline.srem(keys.SCHEDULE_BACKFILLS, id)
            pipeline.sadd(keys.SCHEDULES_TOUCHED, record["uid"])
            _, _, first, _ = await pipeline.execute()
        log.info("backfill_ended", backfill=id, state=state, message=message)
        # of several schedulers that come to its end at once, one tells
        if first:
            self.on_backfill(record["uid"], state, message)
