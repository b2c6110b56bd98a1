"""What a submission of runs may do. All times are milliseconds.

The rules are those of docs/schedules.md. The outcome of each run is predicted from the model, which then follows it.
A due time is never passed over in silence: those between the mark and a submitted due time must be missed by their
catch-up rule, and must be counted.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simulation.catch_up_rules import MOST_COUNTED, runs
from simulation.model import Run, Schedule, ViolationError
from simulation.process import MAX_BACKLOG

if TYPE_CHECKING:
    from simulation.oracle import Oracle

_AHEAD, _ROUNDING = 60_000, 2
#: The first due time that is not later than this runs, however many wait.
_ON_TIME = 1_000
_MOST_WITH_DEPTH, _BACKFILL_DEPTH = 1_000, 100

Entry = Mapping[str, Any]


class EnqueueRules:
    """Checks the replies of enqueue.lua, and follows them.

    Args:
        oracle: The model.
    """

    def __init__(self, oracle: "Oracle") -> None:
        self._oracle = oracle
        self._now = self._redis_now = self._latest = 0
        self._settled: Mapping[str, int] = {}
        #: Schedules whose plan was found to be void in this batch.
        self._void: set[str] = set()

    def check(
        self,
        context: Mapping[str, Any],
        entries: Sequence[Entry],
        messages: Sequence[Any],
        outcomes: Sequence[str],
        latest: int,
        redis_now: int,
        settled: Mapping[str, int],
    ) -> None:
        """Check a batch.

        Args:
            context: The context of the script.
            entries: Its entries.
            messages: The message of each run; None for one that only moves the mark.
            outcomes: Its replies.
            latest: The latest time that the clock of the scheduler had shown.
            redis_now: Time of Redis.
            settled: Incarnation → newest due time that the scheduler knows to be settled.
        """
        if context["now"] > latest + _ROUNDING:
            raise ViolationError(f"runs were submitted at {latest} at the latest and say that it is {context['now']}")
        self._now, self._redis_now, self._latest = context["now"], redis_now, latest
        self._void, self._settled = set(), settled
        # The script decides about all marks before it enqueues the first run.
        passed = [self._passes(entry, message) for entry, message in zip(entries, messages, strict=True)]
        for entry, message, refused, outcome in zip(entries, messages, passed, outcomes, strict=True):
            expected = refused or self._settle(entry, message)
            found = outcome.partition(":")[0]
            self._oracle.count(f"{entry['kind']} {found}")
            if found != expected:
                name = (
                    self._oracle.schedules[entry["uid"]].name
                    if entry["uid"] in self._oracle.schedules
                    else entry["uid"]
                )
                raise ViolationError(f"the {entry['kind']} run {name} {entry['due']} was {found}, not {expected}")

    # the fence ----------------------------------------------------------------------------------------
    def _passes(self, entry: Entry, message: Any) -> str:
        """Return the outcome of a run that must not be enqueued; empty for the others. Move the mark."""
        known = self._oracle.schedules.get(entry["uid"])
        if known is None:
            return "unknown"
        if known.fingerprint != entry["fingerprint"]:
            return "deleted" if known.fingerprint == "deleted" else "changed"
        if known.uid in self._oracle.paused and entry["kind"] in {"due", "buffered"}:
            return "paused"
        return self._passes_mark(known, entry, message) if entry["kind"] == "due" else ""

    def _passes_mark(self, known: Schedule, entry: Entry, message: Any) -> str:
        due = entry["due"]
        mark = known.mark if entry.get("since") == known.since else max(known.mark, known.since)
        if due <= mark:
            return "already"
        if due > self._redis_now + _AHEAD:
            return "ahead"
        if known.uid in self._void or (entry.get("expected") is not None and mark > entry["expected"]):
            # The plan is void, and so are its other runs.
            self._void.add(known.uid)
            return "moved"
        if known.is_exhausted:
            return "exhausted"
        if due <= self._settled.get(self._oracle.incarnation(known.uid), 0):
            raise ViolationError(f"{known.name} is submitted for {due} by a scheduler that knows it to be settled")
        missed = entry.get("missed", 0)
        self._check_due(known, mark, due, missed, has_message=message is not None)
        known.mark = due
        known.counters.missed += missed
        return ""

    def _check_due(self, known: Schedule, mark: int, due: int, missed: int, *, has_message: bool) -> None:
        name, now = known.name, self._now
        if known.enqueue_time(due) > now + _ROUNDING:
            # A scheduler whose clock is set back still submits what it has decided before.
            now = max(now, self._latest)
        early = known.enqueue_time(due) - now
        if early > _ROUNDING:
            raise ViolationError(f"{name} is due at {due} and was submitted {early} ms before its time, at {now}")
        waiting = self._waiting(known, mark, now)
        if due not in waiting:
            raise ViolationError(f"{due} is not due for {name}; due times that wait: {waiting[:5]}…")
        if known.spec.get("suspend"):
            raise ViolationError(f"{name} is suspended, and {due} was submitted")
        late = [now - known.enqueue_time(each) for each in waiting]
        catch_up = known.spec.get("catchUp", "Latest")
        allowed = []
        for margin in (-_ROUNDING, 0, _ROUNDING):
            # The newest one may have come only after the scheduler had decided.
            passed = {at: each + margin for at, each in zip(waiting, late, strict=True) if each + margin >= 0}
            allowed.append(runs([*passed], [*passed.values()], catch_up, known.window))
        may, must = set.union(*allowed), set.intersection(*allowed)
        if late[0] < _ON_TIME and (known.window is None or late[0] < known.window):
            # Nothing has to be caught up. After an edit, more due times than one catch-up starts may have this time.
            may.add(waiting[0])
        if has_message and due not in may:
            raise ViolationError(f"{name} runs the due time {due} at {now}, which is missed; {sorted(may)} run")
        passed_over = [each for each in waiting if each < due or (each == due and not has_message)]
        # A scheduler knows only those successes that it has read.
        if known.due_times is not None and (lost := must.intersection(passed_over) - self._excused(known, passed_over)):
            raise ViolationError(f"{name} gives up {sorted(lost)} at {now}, which still run")
        self._check_missed(known, passed_over, waiting, missed, has_message=has_message)

    def _check_missed(
        self, known: Schedule, passed_over: Sequence[int], waiting: Sequence[int], missed: int, *, has_message: bool
    ) -> None:
        if known.due_times is None:
            if missed > len(passed_over):
                raise ViolationError(f"{known.name} counts {missed} successes as missed, of {len(passed_over)}")
        elif len(waiting) < MOST_COUNTED and missed + len(self._excused(known, passed_over)) < len(passed_over):
            raise ViolationError(f"{known.name} passes over {passed_over} and counts {missed} as missed")
        elif missed > len(passed_over):
            raise ViolationError(f"{known.name} counts {missed} as missed, of {len(passed_over)}")

    def _excused(self, known: Schedule, passed_over: Sequence[int]) -> set[int]:
        """Return the due times that were settled before Redis lost its data, which the scheduler may know."""
        mark = self._oracle.lost_marks.get(known.uid, 0)
        return {due for due in passed_over if due <= mark}

    def _waiting(self, known: Schedule, mark: int, now: int) -> list[int]:
        """Return the due times after the mark whose enqueue time has come."""
        until = now + _ROUNDING
        pending = [due for due in known.pending if due > mark and known.enqueue_time(due) <= until]
        after, times = max(mark, known.since), known.due_times
        if times is not None:
            return [*pending, *times.between(after, until - known.offset)]
        found = [due for due in self._oracle.successes_before(known) if after < due <= until - known.offset]
        return [*pending, *found]

    # overlap, backlog, maxRuns ------------------------------------------------------------------------
    def _settle(self, entry: Entry, message: Any) -> str:
        """Return the outcome of a run that has passed its fence, and follow it."""
        known = self._oracle.schedules[entry["uid"]]
        match entry["kind"]:
            case "due":
                return self._settle_due(known, entry, message)
            case "buffered":
                return self._settle_buffered(known, entry, message)
            case "request":
                return self._settle_request(known, entry, message)
            case "annotation":
                return self._settle_annotation(known, entry, message)
            case "backfill":
                return self._settle_backfill(known, entry, message)
            case kind:
                raise AssertionError(kind)

    def _settle_due(self, known: Schedule, entry: Entry, message: Any) -> str:
        if message is None:
            return "missed"
        if known.is_exhausted:
            return "exhausted"
        policy, waiting = known.policy, len(known.buffered)
        if policy in {"Forbid", "Replace"} and waiting:
            return self._skip(known, "overlap")
        admission = self._admit(known, entry)
        if policy in {"BufferOne", "BufferAll"}:
            has_to_wait = admission == "overlap" or (waiting > 0 and (admission == "go" or policy == "BufferAll"))
            if has_to_wait:
                return self._buffer(known, entry["due"])
        if admission != "go":
            return self._skip(known, admission)
        self._enqueue_scheduled(known, entry, message)
        return "enqueued"

    def _buffer(self, known: Schedule, due: int) -> str:
        is_all, max_runs = known.policy == "BufferAll", known.spec.get("maxRuns")
        if len(known.buffered) >= (_limit(known.spec.get("maxQueueDepth")) if is_all else 1):
            return self._skip(known, "backlog" if is_all else "overlap")
        if max_runs is not None and known.counters.runs + len(known.buffered) >= max_runs:
            return self._skip(known, "overlap")
        known.buffered.append(due)
        return "buffered"

    def _settle_buffered(self, known: Schedule, entry: Entry, message: Any) -> str:
        if not known.buffered or known.buffered[0] != entry["due"]:
            return "already"
        if known.is_exhausted:
            known.buffered = []
            return "exhausted"
        if self._admit(known, entry) != "go":
            return "wait"
        known.buffered.pop(0)
        self._enqueue_scheduled(known, entry, message)
        return "enqueued"

    def _settle_request(self, known: Schedule, entry: Entry, message: Any) -> str:
        if self._oracle.requests.pop(entry["fence"], None) is None:
            return "already"
        return self._trigger(known, entry, message)

    def _settle_annotation(self, known: Schedule, entry: Entry, message: Any) -> str:
        if known.trigger == entry["fence"]:
            return "already"
        known.trigger = entry["fence"]
        return self._trigger(known, entry, message)

    def _trigger(self, known: Schedule, entry: Entry, message: Any) -> str:
        admission = self._admit(known, entry)
        if admission != "go":
            return self._skip(known, admission)
        known.counters.triggered += 1
        self._enqueue(known, entry, message)
        return "enqueued"

    def _settle_backfill(self, known: Schedule, entry: Entry, message: Any) -> str:
        backfill, due = self._oracle.backfills.get(entry["fence"]), entry["due"]
        if backfill is None:
            return "deleted"
        if backfill.cursor >= due:
            return "already"
        if self._admit(known, entry) != "go":
            return "wait"
        times = known.due_times
        found = list(times.between(backfill.cursor, due)) if times else []
        if found != [due] or due > backfill.end:
            raise ViolationError(
                f"the backfill of {known.name} continues with {due} after {backfill.cursor}, not with {found[:2]}"
            )
        backfill.cursor = due
        known.counters.backfilled += 1
        self._enqueue(known, entry, message)
        return "enqueued"

    def _admit(self, known: Schedule, entry: Entry) -> str:
        policy, all_runs = known.policy, self._oracle.runs
        last = all_runs.get(known.last_id)
        replaced: Run | None = None
        if policy != "Allow" and last is not None and last.state != "ended":
            if policy != "Replace" or entry["kind"] == "backfill":
                return "overlap"
            replaced = last if last.state == "queued" else None
        depth = known.spec.get("maxQueueDepth")
        if entry["kind"] in {"request", "annotation"}:
            depth = None
        elif entry["kind"] == "backfill" and depth is None:
            depth = _BACKFILL_DEPTH
        in_queue = sum(run.state in {"queued", "fetched"} for run in all_runs.values())
        if depth is not None and in_queue - (replaced is not None) > depth:
            return "backlog"
        if policy in {"Allow", "Replace"}:
            mine = [
                run for run in all_runs.values() if run.uid == known.uid and run.is_bounded and run.state != "ended"
            ]
            if len(mine) - (replaced in mine) >= _limit(
                None if entry["kind"] in {"request", "annotation"} else known.spec.get("maxQueueDepth")
            ):
                return "backlog"
        if replaced:
            replaced.state = "ended"
        return "go"

    def _skip(self, known: Schedule, reason: str) -> str:
        name = f"skipped_{reason}"
        setattr(known.counters, name, getattr(known.counters, name) + 1)
        return reason

    def _enqueue_scheduled(self, known: Schedule, entry: Entry, message: Any) -> None:
        key = known.uid, entry["due"]
        if key in self._oracle.enqueued:
            raise ViolationError(f"{known.name} enqueues the due time {entry['due']} a second time")
        self._oracle.enqueued[key] = entry["kind"]
        known.counters.runs += 1
        max_runs = known.spec.get("maxRuns")
        if max_runs is not None and known.counters.runs > max_runs:
            raise ViolationError(f"{known.name} has {known.counters.runs} runs, but maxRuns is {max_runs}")
        self._enqueue(known, entry, message)

    def _enqueue(self, known: Schedule, entry: Entry, message: Any) -> None:
        self._check_message(known, entry, message)
        if (before := self._oracle.runs.get(entry["id"])) is not None:
            raise ViolationError(f"the message {entry['id']} is enqueued a second time, after {before}")
        is_bounded = known.policy in {"Allow", "Replace"}
        run = Run(entry["id"], known.uid, entry["kind"], entry["due"], self._redis_now, is_bounded=is_bounded)
        self._oracle.runs[run.id] = run
        known.last_id = run.id

    def _check_message(self, known: Schedule, entry: Entry, message: Any) -> None:
        """The window of a due run begins at its enqueue time; that of another run when it is enqueued."""
        options, kind = message["options"], entry["kind"]
        ready = options["ready_at"]
        if message["message_id"] != entry["id"] or options["due_at"] != entry["due"]:
            raise ViolationError(f"the message {message} does not belong to the run {entry}")
        # The clock may have been set back since the message was encoded.
        if ready > max(self._now, self._latest) + _ROUNDING:
            raise ViolationError(f"the message of {known.name} is ready at {ready}, which is later than {self._latest}")
        window = known.window
        if window is None:
            if options.get("max_age") is not None:
                raise ViolationError(f"the message of {known.name} has a max_age without a window")
            return
        end = ready + options["max_age"]
        expected = (known.enqueue_time(entry["due"]) if kind == "due" else self._now) + window
        # At least a millisecond is left, and a message may be encoded up to a second before it is submitted.
        slack = _ROUNDING if kind == "due" else 1_000
        if not expected - slack <= end <= max(expected, ready + 1) + _ROUNDING:
            raise ViolationError(
                f"the window of the {kind} run {known.name} {entry['due']} ends at {end}, not at {expected}"
            )


def _limit(depth: int | None) -> int:
    return MAX_BACKLOG if depth is None else max(MAX_BACKLOG, min(depth + 1, _MOST_WITH_DEPTH))
