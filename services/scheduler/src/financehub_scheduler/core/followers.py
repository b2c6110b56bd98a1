"""Looks for successes of predecessors, and tells the engine: a follower is due at each success of its predecessor.

A follower is a schedule with `spec.after`. Redis has the newest success of every schedule, so any number of schedulers
may look for it, and a scheduler that starts later finds it. From there on, a success is a due time like any other: the
high-water mark makes sure that it is settled once.

The owner of a follower looks once a second, and the other schedulers more rarely, because each look costs Redis a
command for each predecessor.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.missing_names import MissingNames
from financehub_scheduler.core.shares import Shares
from financehub_scheduler.core.state import ScheduleState, in_slices
from financehub_scheduler.redis.enqueuer import AHEAD_LIMIT_SECONDS
from financehub_scheduler.redis.predecessors import PredecessorReader, PredecessorRecord
from financehub_scheduler.successes import due_time_of_success
from financehub_shared.core.clock import Clock
from financehub_shared.core.damage import DAMAGED
from financehub_shared.recurrence.calendar import CalendarHorizonError
from financehub_shared.redis.key_types import report_wrong_key
from financehub_shared.redis.schedule_record import ScheduleField
from financehub_shared.schedules import UNCLAIMED_SECONDS
from financehub_shared.spec.predecessors import Predecessor, circular

log = structlog.get_logger(__name__)

#: Successes of one schedule that lie within one reading give its followers one run.
INTERVAL_SECONDS = 1.0
#: Seconds between two looks at the predecessors of all followers. A success that only such a look finds is in time,
#: whatever `catchUp` is.
_ALL_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one step has read.

    Args:
        records: `namespace/name` → record of each registered predecessor.
        cycles: `namespace/name` of each schedule in a circle → what to say about its predecessor.
        local: `namespace/name` of each active schedule of this scheduler → its predecessor; empty if it has none.
    """

    records: Mapping[str, PredecessorRecord]
    cycles: Mapping[str, Predecessor]
    local: Mapping[str, str]


class Followers:
    """Reads the newest success of each predecessor once a second.

    Args:
        reader: Reads predecessors from Redis.
        engine: Plans the schedules.
        clock: The clock.
        shares: Decides for which followers this scheduler looks each second; None for all.
    """

    def __init__(self, reader: PredecessorReader, engine: Engine, clock: Clock, shares: Shares | None = None) -> None:
        self._reader = reader
        self._engine = engine
        self._clock = clock
        self._shares = shares or Shares(clock)
        self._next_look_at_all = 0.0
        #: `namespace/name` → predecessor of each schedule that another scheduler runs, as they were last read.
        self._foreign: Mapping[str, str] = {}
        #: The links that were last searched for cycles, and what was found, because they rarely change.
        self._links: Mapping[str, str] = {}
        self._cycles: Mapping[str, Predecessor] = {}
        self._missing = MissingNames()

    async def step(self) -> None:
        """Read what followers wait for, and tell the engine.

        Raises:
            redis.RedisError: Redis is unavailable; a later step finds the same successes.
        """
        followers: list[ScheduleState] = []
        async for part in in_slices(self._engine.states):
            followers += [state for state in part if state.schedule.after and state.superseded_at is None]
        if not followers:
            self._foreign = {}
            return
        states = list(self._engine.states.values())
        local = {state.schedule.name: state.schedule.after for state in states}
        uids = {state.schedule.name: state.schedule.uid for state in states}
        # The specs of our own schedules are known.
        own = [state for state in followers if self._is_urgent(state)]
        is_of_all = len(own) == len(followers) or self._next_look_at_all <= self._clock.monotonic()
        looked_for = followers if is_of_all else own
        names = {state.schedule.after for state in looked_for}
        if is_of_all:
            names |= set(filter(None, self._foreign.values()))
        records = await self._reader.read({name: uids.get(name, "") for name in sorted(names)})
        if is_of_all:
            self._next_look_at_all = self._clock.monotonic() + _ALL_SECONDS
            self._foreign = {name: _after(name, record) for name, record in records.items() if name not in local}
        self._missing.begin_step(local.keys(), {(state.schedule.name, state.schedule.after) for state in followers})
        reading = _Reading(records, self._find_cycles({**self._foreign, **local}), local)
        for state in looked_for:
            # It may have been replaced, removed or paused while Redis was read.
            if self._engine.states.get(state.schedule.uid) is state:
                self._tell(state, reading)

    def _is_urgent(self, state: ScheduleState) -> bool:
        # Redis has only the newest success. One that waits for its jitter must not be known to its owner alone.
        has_jitter = state.schedule.recurrence.offset > 0
        return has_jitter or state.predecessor is None or self._shares.owns(state.schedule.uid)

    def _find_cycles(self, after: Mapping[str, str]) -> Mapping[str, Predecessor]:
        links = {name: predecessor for name, predecessor in after.items() if predecessor}
        if links != self._links:
            self._links, self._cycles = links, circular(links)
        return self._cycles

    def _tell(self, state: ScheduleState, reading: _Reading) -> None:
        """Tell the engine what a follower has to know about its predecessor, and its newest success if it counts."""
        schedule = state.schedule
        record = reading.records.get(schedule.after)
        if record and schedule.after not in reading.local and self._is_abandoned(record):
            record = None
        predecessor, due = Predecessor(), None
        if in_circle := reading.cycles.get(schedule.name):
            predecessor = in_circle
        elif record is None and schedule.after not in reading.local:
            # Until the source has reported all schedules, the predecessor may be among those that are still to come.
            if not self._engine.all_registered:
                return
            predecessor = self._missing.describe(schedule.name, schedule.after)
        elif record is not None:
            predecessor = Predecessor(note=_note(record))
            due = self._due_time(schedule.after, record)
        end = schedule.recurrence.end
        if not predecessor.problem and end is not None and self._clock.now() > end:
            problem = "no due time is left, because spec.endTime has passed; change it, or delete the ScheduledTask"
            predecessor = Predecessor("NoDueTime", problem)
        try:
            counts = due is not None and schedule.recurrence.allows(due)
        except CalendarHorizonError as error:
            predecessor, counts = Predecessor("CalendarEnded", str(error)), False
        if predecessor != state.predecessor:
            _log_change(state, predecessor)
        self._engine.follow(schedule.uid, predecessor, due if counts else None)

    def _is_abandoned(self, record: PredecessorRecord) -> bool:
        """Whether no scheduler has the schedule any more, because its file was deleted while none was running."""
        return not record.is_refused and self._clock.now() - record.claimed_at > UNCLAIMED_SECONDS

    def _due_time(self, name: str, record: PredecessorRecord) -> float | None:
        """Return the due time that the newest success of a predecessor gives; None if there is none."""
        damage = record.damage
        if record.last_success_at is not None:
            if record.last_success_at <= self._clock.now() + AHEAD_LIMIT_SECONDS:
                return due_time_of_success(record.last_success_at)
            damage = str(record.last_success_at)
        if damage:
            reason = f"{damage[:60]!r} is not a time in Unix seconds up to now; the next success replaces it"
            remedy = "wait for the next success, or trigger the schedule"
            report_wrong_key(f"the record of {name} {ScheduleField.LAST_SUCCESS_AT}", reason, remedy=remedy)
        return None


def _after(name: str, record: PredecessorRecord) -> str:
    """Return the predecessor of a schedule that another scheduler runs; empty if it has none."""
    if record.is_refused:
        return ""
    try:
        after = json.loads(record.spec or "{}").get("after")
    except DAMAGED:
        # Its scheduler reports the damage and writes the spec again.
        return ""
    return f"{name.partition('/')[0]}/{after}" if isinstance(after, str) else ""


def _note(record: PredecessorRecord) -> str:
    if record.is_refused:
        return "its spec is invalid, so it does not run"
    if record.suspended:
        return "it is suspended, so only its triggers and backfills succeed"
    return "it is paused, so only its triggers and backfills succeed" if record.paused else ""


def _log_change(state: ScheduleState, predecessor: Predecessor) -> None:
    name, after = state.schedule.name, state.schedule.after
    before = state.predecessor.problem if state.predecessor else ""
    if predecessor.problem and predecessor.problem != before:
        log.error("schedule_stopped", schedule=name, problem=predecessor.problem)
    elif before and not predecessor.problem:
        log.info("predecessor_found", schedule=name, after=after)
