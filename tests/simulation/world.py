"""The simulated world: time, processes, their source, users, workers, and one real Redis."""

import heapq
import itertools
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.listener import SchedulerListener
from financehub_shared.monitor.record_scripts import RECORD
from financehub_shared.monitor.run_events import attempt_finished
from financehub_shared.monitor.run_state import RunState
from financehub_shared.redis import keys, queue_keys
from financehub_shared.redis.schedule_record import new_backfill
from financehub_shared.schedules.pauses import Pause, add_pauses, remove_pauses
from financehub_shared.spec.scheduled_task import BACKFILL
from simulation.model import QUEUE, Run, ViolationError
from simulation.network import PROFILES, Command, Network
from simulation.oracle import Oracle
from simulation.process import Process
from simulation.specs import compiled, uid_of
from simulation.wire import Wire
from support.run_events import start_event

#: The time at which each simulation starts, which is a full minute, in Unix microseconds.
START = 1_800_000_000_000_000
_SECOND = 1_000_000
_WORK_TICK = 300_000
#: Larger differences of clocks, in milliseconds, are faults.
_CLOCKS_AGREE = 500
_TASK = "demo_task"


@dataclass(slots=True)
class SourceEntry:
    """One schedule in the source.

    Args:
        generation: Number of the change that has written it.
        spec: Its spec as JSON; None if it is invalid.
        schedule: The schedule; None if its spec is invalid.
        since: Time of its creation or last change in Unix seconds.
    """

    generation: int
    spec: str | None
    schedule: Schedule | None
    since: float


class _UserClient:
    """The part of a client for which the functions of users ask."""

    def __init__(self, execute: Callable[[Sequence[Any]], Any]) -> None:
        self._execute = execute

    def eval(self, *args: Any) -> Any:
        return self._execute(["EVAL", *args])


class World:
    """Runs processes in simulated time.

    Args:
        wire: Redis, which must be empty.
        is_cluster: Whether the source is a cluster instead of a folder.
    """

    def __init__(self, wire: Wire, *, is_cluster: bool) -> None:
        self.is_cluster = is_cluster
        self._wire, self._now = wire, START
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.redis_skew = 0
        self.network = Network(self.at, self.time, self._execute)
        self.oracle = Oracle(wire)
        self.processes: dict[int, Process] = {}
        #: All processes that ever ran, also those that were killed.
        self._all: list[Process] = []
        self.source: dict[str, SourceEntry] = {}
        self._generation = 0
        #: Number of changes of the source so far.
        self._version = 0
        #: uid → annotations.
        self._annotations: dict[str, dict[str, str]] = {}
        #: Number of a process → microseconds by which its view of the source is late.
        self._lags: dict[int, int] = {}
        #: Data of Redis, and what the model knew then.
        self._snapshot: tuple[Any, Mapping[str, Any]] | None = None
        #: Number → how often the schedule was deleted, if that gives it another uid.
        self._deleted: Counter[int] = Counter()
        self._rng = random.Random(0)
        #: Probabilities of the worker: to fetch a run, and of a failure and a retry; and its longest run in seconds.
        self.worker = (0.0, 0.0, 0.0, 1.0)
        #: Whether runs end as soon as they are enqueued, so that nothing has to wait for them.
        self.is_instant = False
        self.at(self.time() + _WORK_TICK, self._work)

    @property
    def steps(self) -> int:
        """Number of commands that Redis has executed for schedulers."""
        return self.oracle.commands

    # time ---------------------------------------------------------------------------------------------
    def time(self) -> int:
        """Return the time in Unix microseconds."""
        return self._now

    def redis_milliseconds(self) -> int:
        """Return the time of Redis in Unix milliseconds."""
        return (self._now + self.redis_skew) // 1000

    def at(self, time: int, act: Callable[[], None]) -> None:
        """Call a function at a time, in Unix microseconds."""
        heapq.heappush(self._queue, (time, next(self._numbers), act))

    def run(self, microseconds: int, profile: str, seed: int) -> None:
        """Let time pass.

        Args:
            microseconds: For how long.
            profile: How the network behaves.
            seed: Determines the delays and losses.
        """
        self.network.profile, self.network.rng = PROFILES[profile], random.Random(seed)
        self._rng = random.Random(seed + 1)
        end = self._now + microseconds
        while self._queue and self._queue[0][0] <= end:
            time, _, act = heapq.heappop(self._queue)
            # The machine may have slept.
            self._now = max(self._now, time)
            act()
            self._check_processes()
        self._now = max(self._now, end)

    def sleep(self, microseconds: int) -> None:
        """Let time pass while nothing runs, as if all machines slept."""
        self._now += microseconds

    def _check_processes(self) -> None:
        for process in self.processes.values():
            if not process.is_dead and (error := process.error()):
                raise ViolationError(f"scheduler {process.number} has ended: {error!r}") from error

    # Redis --------------------------------------------------------------------------------------------
    def _execute(self, command: Command) -> Any:
        for uid in self.oracle.expire(self.redis_milliseconds()):
            self._wire.execute([[b"DEL", keys.schedule(uid).encode()]])
        self._wire.set_time(self._now + self.redis_skew)
        replies = self._wire.execute(command.requests)
        try:
            self.oracle.observe(command, replies, self.redis_milliseconds())
        except ViolationError as violation:
            number, time = command.process.number, (self._now - START) / _SECOND
            raise ViolationError(f"{violation} (scheduler {number}, {time:.3f} s after the start)") from None
        if self.is_instant:
            self._end_all()
        return replies

    def execute(self, *args: Any) -> Any:
        """Execute a command of a user or a worker."""
        self._wire.set_time(self._now + self.redis_skew)
        request = [arg if isinstance(arg, bytes) else str(arg).encode() for arg in args]
        (reply,) = self._wire.execute([request])
        if isinstance(reply, Exception):
            raise reply
        return reply

    def restart_redis(self, *, keep_data: bool) -> None:
        """Restart Redis. Whatever is under way is lost."""
        self.network.drop()
        self._wire.restart(keep_data=keep_data)
        if not keep_data:
            self.oracle.data_lost(self._remembered())
        self.oracle.compare()

    def replicate(self) -> None:
        """Bring the data of Redis to a replica, which then falls behind."""
        self._snapshot = self._wire.dump(), self.oracle.snapshot()

    def fail_over(self) -> None:
        """Replace Redis by its replica. What was written since the replica fell behind is lost."""
        if self._snapshot is not None:
            dump, known = self._snapshot
            self.network.drop()
            self._wire.load(dump)
            self.oracle.restore(known, self._remembered())
            self.oracle.compare()

    def _remembered(self) -> dict[str, int]:
        """Return the time up to which some scheduler knows that nothing of a schedule is due any more, by uid."""
        remembered: dict[str, int] = {}
        for process in self.living():
            for uid, state in process.engine.states.items():
                time = round(max(state.high_water_mark, state.since) * 1000)
                if not process.engine.all_registered:
                    # It may know of a change that no other scheduler knows.
                    time = max(time, process.clock.microseconds() // 1000)
                remembered[uid] = max(time, remembered.get(uid, 0))
        return remembered

    # processes ----------------------------------------------------------------------------------------
    def listeners(self, number: int) -> list[SchedulerListener]:
        """Return further listeners of a process."""
        del number
        return []

    def living(self) -> list[Process]:
        """Return the processes that are not dead."""
        return [process for process in self.processes.values() if not process.is_dead]

    def start(self, number: int) -> None:
        """Start a process, unless it runs."""
        before = self.processes.get(number)
        if before is None or before.is_dead:
            process = self.processes[number] = Process(self, self.network, number, f"scheduler-{len(self._all)}")
            self._all.append(process)
            # A process measures the time of Redis before it does anything else.
            process.clock.skew = self.redis_skew
            process.wake()
            self._notify_later(process)

    def kill(self, number: int, *, drop: bool) -> None:
        """Kill a process. What it has sent is executed or not."""
        if (process := self.processes.get(number)) and not process.is_dead:
            process.kill()
            if drop:
                self.network.drop(process)

    def dispose(self) -> None:
        """End all processes, after the scenario."""
        for process in self._all:
            process.dispose()

    def stop(self, number: int) -> None:
        """End a process as SIGTERM does: it finishes its batch."""
        if (process := self.processes.get(number)) and not process.is_dead:
            process.engine.stop()
            process.wake()
            self.at(self._now + _SECOND, process.kill)

    def freeze(self, number: int, *, frozen: bool) -> None:
        """Stop a process as SIGSTOP does, or continue it."""
        if (process := self.processes.get(number)) and not process.is_dead:
            process.is_frozen = frozen
            process.wake()

    def cut_off(self, number: int, *, cut: bool) -> None:
        """Cut a process off from Redis, or connect it again."""
        if process := self.processes.get(number):
            process.is_cut_off = cut

    # the source ---------------------------------------------------------------------------------------
    def write(self, number: int, spec: dict[str, Any] | None) -> None:
        """Create or edit a schedule; None makes its spec invalid."""
        uid = self.uid(number)
        if spec is not None or uid in self.source:
            self._write(number, uid, None if spec is None else json.dumps(spec))

    def annotate(self, number: int, annotation: str, value: str) -> None:
        """Set an annotation of a schedule whose spec is valid."""
        uid = self.uid(number)
        if (entry := self.source.get(uid)) and entry.spec:
            self._annotations.setdefault(uid, {})[annotation] = value
            self._write(number, uid, entry.spec)

    def annotate_backfill(self, number: int, seconds: int) -> None:
        """Request all runs of the last seconds with an annotation."""
        end = datetime.fromtimestamp(self.redis_milliseconds() // 1000, UTC)
        times = (each.isoformat().replace("+00:00", "Z") for each in (end - timedelta(seconds=seconds), end))
        self.annotate(number, BACKFILL, "/".join(times))

    def _write(self, number: int, uid: str, spec: str | None) -> None:
        self._generation += 1
        annotations = json.dumps(self._annotations.get(uid, {}))
        schedule = None if spec is None else compiled(number, uid, spec, annotations)
        now = (self._now + self.redis_skew) / _SECOND
        if (before := self.source.get(uid)) and before.schedule == schedule:
            return
        self.source[uid] = SourceEntry(self._generation, spec, schedule, math.floor(now) if self.is_cluster else now)
        self._notify_all()

    def delete(self, number: int) -> None:
        """Delete a schedule."""
        if self.source.pop(self.uid(number), None):
            self._annotations.pop(self.uid(number), None)
            self._deleted[number] += self.is_cluster
            self._notify_all()

    def uid(self, number: int) -> str:
        """Return the uid that a schedule has now."""
        return uid_of(number, self._deleted[number])

    def lag_behind(self, number: int, microseconds: int) -> None:
        """Let a process learn of changes of the source later than the others, also after a restart."""
        self._lags[number] = microseconds

    def list_again(self, number: int) -> None:
        """Let a process read the whole source again. A folder is always compared as a whole."""
        if (process := self.processes.get(number)) and not process.is_dead:
            if self.is_cluster:
                process.known = dict.fromkeys(process.known, 0)
            self._notify_later(process)

    def _notify_all(self) -> None:
        self._version += 1
        for process in self.living():
            self._notify_later(process)

    def _notify_later(self, process: Process) -> None:
        delay = self._rng.choice((1_000, 200_000, 1_500_000, 4_000_000)) + self._lags.get(process.number, 0)
        version, view = self._version, dict(self.source)

        read_at = self._now + delay

        def notify() -> None:
            # A process that is stopped now, or whose machine has slept since, has already read the source.
            seen = process.clock.now() - (self._now - read_at) / _SECOND
            process.deliver(lambda: self._notify(process, version, view, seen))

        self.at(read_at, notify)

    def notify(self, process: Process) -> None:
        """Report everything that has changed in the source since the last report."""
        self._notify(process, self._version, self.source, process.clock.now())

    @staticmethod
    def _notify(process: Process, version: int, view: Mapping[str, SourceEntry], seen: float) -> None:
        """Report a view of the source.

        Args:
            process: The process.
            version: Number of changes of the source that the view has.
            view: The view.
            seen: Time at which the process has read it, by its clock, in Unix seconds.
        """
        if version < process.version:
            # A source may be late, but it never goes back.
            return
        process.version = version
        known, current = process.known, {uid: entry.generation for uid, entry in view.items()}
        changed = {uid: entry for uid, entry in view.items() if known.get(uid) != entry.generation}
        upserts = {uid: (entry.schedule, entry.since) for uid, entry in changed.items() if entry.schedule}
        # A folder keeps the last valid version.
        is_cluster = process.world.is_cluster
        invalid = {uid: "invalid" for uid, entry in changed.items() if entry.schedule is None and is_cluster}
        removed = sorted(known.keys() - current.keys())
        process.deletions.update(dict.fromkeys(removed, version))
        process.apply(current, upserts, removed=removed, deactivated=invalid, looked_at=seen)

    # users --------------------------------------------------------------------------------------------
    def pause(self, number: int) -> None:
        """Pause a schedule, if it is registered."""
        pause = Pause("ann", "a test", self.redis_milliseconds() / 1000)
        _, paused = add_pauses(_UserClient(lambda args: self.execute(*args)), [self.uid(number)], pause)  # type: ignore[arg-type]
        for uid in paused:
            self.oracle.pause(uid)

    def resume(self, number: int) -> None:
        """Resume a schedule."""
        uids = remove_pauses(_UserClient(lambda args: self.execute(*args)), [self.uid(number)])  # type: ignore[arg-type]
        for uid in uids:
            changed_at = self.execute("HGET", keys.schedule(uid), "changed_at")
            if changed_at is None:
                # Redis has lost the record, and a scheduler has restored the pause that it remembers.
                self.oracle.paused.discard(uid)
                continue
            # Redis rounds to milliseconds.
            found = round(float(changed_at) * 1000)
            if abs(found - self.redis_milliseconds()) > 1:
                raise ViolationError(
                    f"a schedule that was resumed at {self.redis_milliseconds()} has the change {found}"
                )
            self.oracle.resumed(uid, found)
            latest = max((process.clock.microseconds() // 1000 for process in self.living()), default=0)
            if latest > found + _CLOCKS_AGREE:
                # The clock of Redis was set back, so the schedulers have already passed over due times since then.
                self.oracle.lost_marks[uid] = max(latest, self.oracle.lost_marks.get(uid, 0))

    def trigger(self, number: int) -> None:
        """Request a run, if the schedule is registered."""
        known = self.oracle.schedules.get(self.uid(number))
        if known is not None and known.fingerprint != "deleted":
            request = f"00000000-0000-4000-8000-{next(self._numbers):012}"
            value = json.dumps({"uid": known.uid, "at": self.redis_milliseconds() / 1000})
            self.execute("HSET", keys.SCHEDULE_TRIGGERS, request, value)
            self.oracle.requests[request] = known.uid, self.redis_milliseconds()

    def backfill(self, number: int, seconds: int) -> None:
        """Request all runs of the last seconds, if the schedule is registered and has a recurrence."""
        known = self.oracle.schedules.get(self.uid(number))
        if known is None or not known.is_live or known.spec.get("after"):
            return
        id, end = f"00000000-0000-4000-9000-{next(self._numbers):012}", self.redis_milliseconds() // 1000
        record = new_backfill(known.uid, known.name, float(end - seconds), float(end))
        self.execute("HSET", keys.backfill(id), *itertools.chain(*record.items()))
        self.execute("SADD", keys.SCHEDULE_BACKFILLS, id)
        self.oracle.backfill_rules.request(id, known.uid, round(float(record["cursor"])), end * 1000)

    # workers ------------------------------------------------------------------------------------------
    def _work(self) -> None:
        self.at(self._now + _WORK_TICK, self._work)
        chance, failing, retrying, longest = self.worker
        if not chance:
            return
        now, rng, acted = self.redis_milliseconds(), self._rng, False
        for run in [run for run in self.oracle.runs.values() if run.state != "ended"]:
            if run.state == "queued" and rng.random() < chance:
                self.execute("LREM", queue_keys.ready(QUEUE), 1, run.id)
                run.state, run.ends_at, acted = "fetched", now + rng.randint(1, round(longest * 1000)), True
            elif run.state != "queued" and run.ends_at <= now:
                share, acted = rng.random(), True
                if share < failing:
                    self._end(run, RunState.DEAD_LETTERED)
                elif share < failing + retrying and run.attempt < 3:
                    self._end(run, RunState.RETRYING)
                else:
                    self._end(run, RunState.SUCCEEDED)
        if acted:
            self.oracle.compare()

    def _end_all(self) -> None:
        """Let all runs succeed that are queued or running."""
        active = [run for run in self.oracle.runs.values() if run.state in {"queued", "fetched"}]
        for run in active:
            if run.state == "queued":
                self.execute("LREM", queue_keys.ready(QUEUE), 1, run.id)
            self._end(run, RunState.SUCCEEDED)
        if active:
            self.oracle.compare()

    def _end(self, run: Run, outcome: RunState) -> None:
        """Record the end of an attempt, then acknowledge its message, as a worker does."""
        # A success that is not on a whole millisecond is due at the next one.
        finished = (self._now + self.redis_skew + 300) / _SECOND
        known = self.oracle.schedules.get(run.uid)
        names = {"task": _TASK, "queue": QUEUE, "uid": run.uid, "schedule": known.name if known else ""}
        times = {"started_at": finished - 0.1, "enqueued_at": run.at / 1000}
        start = start_event(run.id, run.attempt, **names, **times, stats=keys.task_stats(_TASK))
        start |= {"running": keys.task_running(_TASK)}
        error = "" if outcome is RunState.SUCCEEDED else "ValueError: no"
        event = attempt_finished(start, outcome, finished, 0.1, error=error)
        sets, settings = (keys.TASKS, keys.SCHEDULES_CHANGED), (86_400, 1_000)
        count = (1,) if "tonumber(ARGV[3])" in RECORD else ()
        refused = self.execute("EVAL", RECORD, len(sets), *sets, *settings, *count, json.dumps(event))
        if any(refused):
            raise ViolationError(f"Redis refuses to record the end of a run: {refused}")
        self.execute("HDEL", queue_keys.messages(QUEUE), run.id)
        if outcome is RunState.RETRYING:
            run.state, run.attempt = "retrying", run.attempt + 1
            run.ends_at = self.redis_milliseconds() + 2_000
        else:
            self.oracle.ended(run, outcome.value, math.ceil(round(finished * 1000, 3)))
