"""The engine: one heap of next due times, one loop, and no idea where schedules come from."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import structlog
from redis.exceptions import RedisError

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.due_queue import Timetable
from financehub_scheduler.core.observer import Observer
from financehub_scheduler.core.registration import Intake
from financehub_scheduler.core.state import Changes, Live, Pulse, Refusal, parcels
from financehub_scheduler.core.warnings import doubts
from financehub_scheduler.recurrence.calendar import CalendarHorizonError
from financehub_scheduler.redis.enqueuer import Enqueuer, Parcel, Run, pack
from financehub_scheduler.redis.registry import Registry
from financehub_shared.core.clock import Clock

log = structlog.get_logger(__name__)

#: Schedules per script: 3 ms of Redis; larger batches win little and let the first of a burst wait for the last.
BATCH = 200
#: Batches under way at once: Redis works on one while the next is made.
_IN_FLIGHT = 2
#: The longest sleep: how soon a jump of the wall clock, or the end of the machine's sleep, is noticed.
_TICK_SECONDS = 1.0
_JUMP_SECONDS = 1.0
#: Verdicts handled between two looks at the heap: about 3 ms.
_SETTLE = 64
#: Run records written at once: 2 ms of Redis.
_BOOK = 50
#: How long run records wait for each other, so that each run costs the loop one answer of Redis and not two.
BOOK_SECONDS = 0.25
#: Run records that wait while Redis is away or busy with due runs; beyond, the workers write them.
_UNBOOKED = 20_000
_BACKOFF_SECONDS = (0.1, 2.0)
#: How long due runs rest whose times Redis does not believe.
_AHEAD_SECONDS = 2.0


class Engine:
    """Fires what is due.

    Args:
        clock: time.
        registry: schedules in Redis.
        enqueuer: runs to Redis.
        observer: logs and metrics.
        refusal: what else is asked before a schedule may run.
        book_seconds: how long run records wait for each other.
    """

    def __init__(
        self,
        clock: Clock,
        registry: Registry,
        enqueuer: Enqueuer,
        observer: Observer,
        refusal: Refusal,
        book_seconds: float = BOOK_SECONDS,
    ) -> None:
        self._clock = clock
        self._enqueuer = enqueuer
        self._observer = observer
        self._refusal = refusal
        self._book_seconds = book_seconds
        self._book_at = 0.0
        self._timetable = Timetable()
        self._intake = Intake(registry)
        self._settling: deque[tuple[Live, Sequence[Parcel], Sequence[str], float]] = deque()
        self._unbooked: deque[tuple[Run, float]] = deque(maxlen=_UNBOOKED)
        self._wake = asyncio.Event()
        self._stopping = False
        self._failures = 0
        self._retry_at = 0.0
        self._skew = clock.now() - clock.monotonic()
        #: Told of every schedule that was registered, new or not.
        self.on_registered: Callable[[Schedule], None] = lambda _: None
        #: Told of every schedule (uid) whose next due time or problem changed.
        self.on_moved: Callable[[str], None] = lambda _: None
        self.pulse = Pulse(clock.monotonic(), clock.monotonic())
        #: uid → schedule under care; others read it.
        self.live: dict[str, Live] = {}
        #: uids whose next due time or problem changed since a listing was last written.
        self.dirty: set[str] = set()

    # what others ask of it ----------------------------------------------------------------------------
    def apply(self, changes: Changes) -> None:
        """Take over what a source found; carried out by the loop, in order, whatever the state of Redis."""
        self._intake.apply(changes, self._clock.now())
        self._wake.set()

    @property
    def settled(self) -> bool:
        """Whether all that the source has shown is registered."""
        return self._intake.settled

    def restore(self, uids: Iterable[str]) -> None:
        """Register schedules again that Redis has lost, from where we know them to be."""
        self._intake.again((live.schedule, live.mark) for uid in uids if (live := self.live.get(uid)))
        self._wake.set()

    def reclaim(self, looked: float) -> None:
        """Insist on schedules that another scheduler superseded and our source still holds.

        It has seen a newer state, which ours shows within seconds; or its source differs for good or was late itself,
        and then a schedule of ours must not stay silent should the other one end.

        Args:
            looked: when our source last made sure of what it holds, monotonic seconds.
        """
        now = self._clock.now()
        self._intake.again(
            (live.schedule, now)
            for live in self.live.values()
            if live.superseded is not None and live.superseded <= looked
        )
        self._wake.set()

    def recheck(self) -> None:
        """Ask again which schedules are refused; what is due by then is caught up as after downtime."""
        for live in self.live.values():
            if live.refused != self._refusal(live.schedule):
                self._schedule_next(live)
        self._wake.set()

    def stop(self) -> None:
        """Let the loop end after the batch under way."""
        self._stopping = True
        self._wake.set()

    def heap_lag(self) -> float:
        """How long the earliest due time has been waiting, seconds; 0 when nothing is late."""
        earliest = self._timetable.next_time()
        return max(0.0, self._clock.now() - earliest) if earliest is not None else 0.0

    # the loop -----------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Fire until `stop`."""
        while not self._stopping:
            self._wake.clear()
            wait = await self.step()
            try:
                await asyncio.wait_for(self._wake.wait(), wait)
            except TimeoutError:
                continue
        self._settle(len(self._settling))
        while self._unbooked and not self._failures:
            try:
                await self._book()
            except RedisError as error:
                self.away(error)

    async def step(self) -> float:
        """Do what is to be done now; returns the seconds until something may be to do again."""
        self.pulse.tick = self._clock.monotonic()
        self._watch_clock()
        if (pause := self._retry_at - self._clock.monotonic()) > 0:
            return min(pause, _TICK_SECONDS)
        try:
            if self._intake.pending:
                await self._take_in()
            await self._fire()
            if self._unbooked and not self._settling and self._clock.monotonic() >= self._book_at:
                await self._book()
        except RedisError as error:
            self.away(error)
            return 0.0
        if self._settling:
            self._settle(_SETTLE)
            return 0.0
        if self._intake.pending:
            return 0.0
        waits = [_TICK_SECONDS]
        if self._unbooked:
            waits.append(self._book_at - self._clock.monotonic())
        if (earliest := self._timetable.next_time()) is not None:
            waits.append(earliest - self._clock.now())
        return max(0.0, min(waits))

    def _watch_clock(self) -> None:
        skew = self._clock.now() - self._clock.monotonic()
        jump = skew - self._skew
        if abs(jump) > _JUMP_SECONDS:
            # Forward: due times in between are late and caught up as configured. Back: those that come a second
            # time stay below the high-water marks and do not run again.
            log.warning("clock_jumped", seconds=round(jump, 1))
        self._skew = skew

    def away(self, error: RedisError) -> None:
        """Note that Redis does not answer or refuses, and leave it alone for a moment."""
        first, longest = _BACKOFF_SECONDS
        pause = min(longest, first * 2**self._failures)
        if self._failures == 0:
            log.warning("redis_away", error=f"{type(error).__name__}: {error}")
        self._failures = min(self._failures + 1, 10)
        self._retry_at = self._clock.monotonic() + pause

    def acknowledged(self) -> None:
        """Note that Redis has answered."""
        if self._failures:
            log.info("redis_back")
        self._failures = 0
        self.pulse.ack = self._clock.monotonic()

    # schedules in and out -----------------------------------------------------------------------------
    async def _take_in(self) -> None:
        for uid in await self._intake.unregister():
            if live := self._drop(uid):
                log.info("schedule_removed", schedule=live.schedule.name)
        for uid in await self._intake.withdraw():
            self._drop(uid)
        registered = await self._intake.register(self._clock.now())
        self.acknowledged()
        counts: dict[str, int] = {}
        for entry, standing in registered:
            counts[standing.outcome] = counts.get(standing.outcome, 0) + 1
            offset = entry.schedule.timing.offset
            # An edit never fires retroactively: what was due before it stays undone.
            live = Live(entry.schedule, max(standing.mark, standing.changed_at - offset))
            self.live[entry.schedule.uid] = live
            self._schedule_next(live)
            self.on_registered(entry.schedule)
            for doubt in doubts(entry.schedule, self._clock.now()):
                log.warning("schedule_doubtful", schedule=entry.schedule.name, doubt=doubt)
        if counts:
            log.info("schedules_registered", total=len(self.live), **counts)

    def _drop(self, uid: str) -> Live | None:
        self._timetable.discard(uid)
        self.dirty.discard(uid)
        if live := self.live.pop(uid, None):
            self._observer.forgotten(live.schedule.name)
        return live

    def _moved(self, uid: str) -> None:
        self.dirty.add(uid)
        self.on_moved(uid)

    def _schedule_next(self, live: Live) -> None:
        schedule = live.schedule
        self._moved(schedule.uid)
        refused = self._refusal(schedule)
        if refused and refused != live.refused:
            log.error("schedule_refused", schedule=schedule.name, problem=refused)
        live.next, live.problem, live.refused = None, refused, refused
        due = None
        if not schedule.suspended and not refused:
            try:
                due = schedule.timing.next_after(live.mark)
                live.problem = "" if due is not None else "no due time is left"
            except CalendarHorizonError as error:
                live.problem = str(error)
                # the traceback would say no more than the problem does
                log.error("schedule_stopped", schedule=schedule.name, problem=live.problem)  # noqa: TRY400
        if due is None:
            self._timetable.discard(schedule.uid)
        else:
            fire_at = due + schedule.timing.offset
            # Packed for the time it will be enqueued at: in a burst the last waits for the first, and that is a wait.
            live.next = pack(Run(schedule, "due", due), max(fire_at, self._clock.now()))
            self._timetable.put(schedule.uid, fire_at)

    # firing -------------------------------------------------------------------------------------------
    async def _fire(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        try:
            while popped := self._timetable.pop_due(self._clock.now(), BATCH):
                batch = [
                    (live, parcels(live, at, self._clock.now())) for at, uid in popped if (live := self.live.get(uid))
                ]
                under_way.add(asyncio.create_task(self._submit(batch)))
                if len(under_way) >= _IN_FLIGHT:
                    done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                    # every exception is looked at, else asyncio complains of those that are not
                    for error in [task.exception() for task in done]:
                        if error:
                            raise error
        finally:
            # all of them settle or are put back, also when one has failed
            results = await asyncio.gather(*under_way, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _submit(self, batch: Sequence[tuple[Live, Sequence[Parcel]]]) -> None:
        parcels = [parcel for _, parcels in batch for parcel in parcels]
        try:
            verdicts = await self._enqueuer.submit(parcels, self._clock.now()) if parcels else []
        except RedisError:
            # Whether it was carried out is not known; the same runs again are harmless, and none is lost.
            for live, _ in batch:
                if self.live.get(live.schedule.uid) is live and live.due is not None:
                    self._timetable.put(live.schedule.uid, live.due + live.schedule.timing.offset)
            raise
        now = self._clock.now()
        self.acknowledged()
        answers = iter(verdicts)
        for live, own in batch:
            self._settling.append((live, own, [next(answers) for _ in own], now))

    def _settle(self, limit: int) -> None:
        for _ in range(min(limit, len(self._settling))):
            live, parcels, verdicts, at = self._settling.popleft()
            for parcel, verdict in zip(parcels, verdicts, strict=True):
                self._observer.verdict(parcel.run, verdict, at, known=live.schedule.uid in self.live)
                if verdict == "enqueued":
                    if not self._unbooked:
                        self._book_at = self._clock.monotonic() + self._book_seconds
                    self._unbooked.append((parcel.run, at))
            # replaced or removed while its batch was under way
            if self.live.get(live.schedule.uid) is live:
                self._move_on(live, parcels, verdicts)

    async def _book(self) -> None:
        batch = list(islice(self._unbooked, _BOOK))
        await self._enqueuer.book(batch)
        for _ in batch:
            self._unbooked.popleft()

    def _move_on(self, live: Live, parcels: Sequence[Parcel], verdicts: Sequence[str]) -> None:
        last = verdicts[-1] if verdicts else ""
        match last.partition(":"):
            case ("unknown", _, _):
                log.warning("schedule_lost_by_redis", schedule=live.schedule.name)
                self.restore([live.schedule.uid])
            case ("deleted" | "changed", _, _):
                # Another scheduler has seen a newer state of the source. Ours follows, or else claims it again.
                live.next, live.superseded = None, self._clock.monotonic()
                log.warning("schedule_superseded", schedule=live.schedule.name, reason=last)
            case ("exhausted", _, _):
                live.next, live.problem = None, "maxRuns reached"
                self._moved(live.schedule.uid)
            case ("ahead", _, redis_ms):
                self._rest(live, int(redis_ms) / 1000)
            case ("moved", _, mark):
                live.mark = max(live.mark, int(mark) / 1000)
                self._schedule_next(live)
            case _:
                live.mark = parcels[-1].run.due if parcels else live.mark
                self._schedule_next(live)

    def _rest(self, live: Live, redis_now: float) -> None:
        now = self._clock.monotonic()
        if not self.pulse.is_ahead(now):
            log.error("clock_ahead_of_redis", seconds=round(self._clock.now() - redis_now, 1))
        self.pulse.ahead = now
        self._retry_at = now + _AHEAD_SECONDS
        if live.due is not None:
            self._timetable.put(live.schedule.uid, live.due + live.schedule.timing.offset)
