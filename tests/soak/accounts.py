"""Checks that each due time was enqueued once and ran. Pure: it decides on what was recorded and on the final state.

The id of a run follows from the uid of its schedule and from its due time (ADR 0054), so all expected ids are known.
The tasks themselves record their attempts in a stream, and everything else is read from Redis, once before the faults
and once at the end.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

#: Seconds by which two clocks may differ, and by which a schedule may be behind when the schedulers stop.
CLOCK_SECONDS = 0.25
BEHIND_SECONDS = 10.0
#: Periods before the first due time that counts whose runs may still have been on their way.
_EARLIER = 5


@dataclass(frozen=True, slots=True)
class Attempt:
    """An execution of a run that its task recorded.

    Args:
        run: Id of the run.
        at: Time of the record in Unix seconds.
        pod: Name of the worker's pod.
    """

    run: str
    at: float
    pod: str


@dataclass(frozen=True, slots=True)
class ScheduleCounts:
    """What Redis knows about a schedule at one time.

    Args:
        uid: Its uid.
        mark: Its newest settled due time in Unix seconds.
        runs, missed, skipped: Its counters.
    """

    uid: str
    mark: float
    runs: int
    missed: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A fault, as far as it can excuse something.

    Args:
        name: Its name.
        begin: Its begin in Unix seconds.
        end: Time of the recovery in Unix seconds.
        repeats: Whether it may repeat runs: it kills, stops or cuts off workers or Redis.
        fails: Whether it may make tasks fail.
        pods: The pods that it hit. Empty if it hit all of them, such as a fault of Redis.
    """

    name: str
    begin: float
    end: float
    repeats: bool = False
    fails: bool = False
    pods: frozenset[str] = frozenset()


@dataclass
class Account:
    """The result.

    Args:
        counts: What was counted.
        repeated: Name of a fault → number of runs that it repeated, as documented.
        findings: What the documents do not allow, one line each.
    """

    counts: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)


def run_id(uid: str, due: float) -> str:
    """Return the id of the run of a due time.

    Args:
        uid: Uid of the schedule.
        due: The due time in Unix seconds.
    """
    return str(uuid.uuid5(uuid.UUID(uid), str(round(due * 1000))))


def due_times(since: float, until: float, period: int) -> list[int]:
    """Return the due times of an interval after one time, up to and including another one.

    Args:
        since: The earlier time in Unix seconds.
        until: The later time in Unix seconds.
        period: Seconds between two due times, which are multiples of it.
    """
    first = (int(since) // period + 1) * period
    return list(range(first, int(until) + 1, period))


def balance(
    before: Sequence[ScheduleCounts],
    after: Sequence[ScheduleCounts],
    attempts: Iterable[Attempt],
    disturbances: Sequence[Disturbance],
    *,
    period: int,
    offsets: dict[str, float],
    stopped_at: float | None,
) -> Account:
    """Compare the due times of all schedules with what was enqueued and with what ran.

    Args:
        before: The schedules at some time before the faults.
        after: The same schedules at the end, when nothing is enqueued any more and all queues are empty.
        attempts: All recorded attempts.
        disturbances: The faults.
        period: Seconds between two due times of each schedule.
        offsets: Uid → jitter in seconds.
        stopped_at: Time at which the schedulers were stopped, in Unix seconds. None if they were not: then, no due time
            counts as forgotten, and due times that were settled after the last reading of the counters do not count.
    """
    account = Account()
    account.counts["schedules"] = len(after)
    by_run = _by_run(attempts)
    account.counts["attempts"] = sum(map(len, by_run.values()))
    repeated = [tries for tries in by_run.values() if len(tries) > 1]
    latest = max((tries[-1].at for tries in by_run.values()), default=0.0)
    known = {each.uid: each for each in after}
    for begin in before:
        end = known.get(begin.uid)
        if end is None:
            account.findings.append(f"gone: schedule {begin.uid} is not registered at the end")
            continue
        offset = offsets[begin.uid]
        _check_settled(begin, end, account, period, None if stopped_at is None else stopped_at - offset)
        _check_runs(begin, end, by_run, account, period, offset)
        if stopped_at is None:
            for due in due_times(end.mark, latest, period):
                by_run.pop(run_id(begin.uid, due), None)
    # The checks have taken out the attempts of all due times.
    account.findings += [f"unknown run: {run} belongs to no due time" for run in by_run]
    _check_repeats(repeated, account, disturbances)
    return account


def check_repeats(attempts: Iterable[Attempt], disturbances: Sequence[Disturbance]) -> Account:
    """Check only that each repeated run has a fault that explains it, for a soak whose counters are not known.

    Args:
        attempts: All recorded attempts.
        disturbances: The faults.
    """
    account = Account()
    by_run = _by_run(attempts)
    account.counts["attempts"] = sum(map(len, by_run.values()))
    account.counts["runs"] = len(by_run)
    _check_repeats([tries for tries in by_run.values() if len(tries) > 1], account, disturbances)
    return account


def _by_run(attempts: Iterable[Attempt]) -> dict[str, list[Attempt]]:
    by_run: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_run.setdefault(attempt.run, []).append(attempt)
    return by_run


def _check_settled(
    begin: ScheduleCounts, end: ScheduleCounts, account: Account, period: int, reached_at: float | None
) -> None:
    """Check that each due time was settled once: enqueued, or given up with its reason."""
    dues = len(due_times(begin.mark, end.mark, period))
    reached = 0 if reached_at is None else len(due_times(begin.mark, reached_at - BEHIND_SECONDS, period))
    if reached > dues:
        account.findings.append(f"forgotten: schedule {end.uid} has not settled {reached - dues} due times")
    enqueued = end.runs - begin.runs
    given_up = {name: getattr(end, name) - getattr(begin, name) for name in ("missed", "skipped")}
    settled = enqueued + sum(given_up.values())
    if settled != dues:
        kind = "enqueued twice" if settled > dues else "unaccounted"
        account.findings.append(f"{kind}: schedule {end.uid} had {dues} due times and has settled {settled}")
    account.counts["due times"] += dues
    account.counts["enqueued"] += enqueued
    for name, count in given_up.items():
        account.counts[name] += count
        # With `catchUp: All` and `Allow`, and without a deadline, nothing may be given up.
        if count:
            account.findings.append(f"{name}: schedule {end.uid} has given up {count} due times")


def _check_runs(
    begin: ScheduleCounts,
    end: ScheduleCounts,
    by_run: dict[str, list[Attempt]],
    account: Account,
    period: int,
    offset: float,
) -> None:
    """Check that each due time that was enqueued ran, and not before its time."""
    for due in due_times(begin.mark - _EARLIER * period, begin.mark, period):
        by_run.pop(run_id(begin.uid, due), None)
    ran = 0
    for due in due_times(begin.mark, end.mark, period):
        tries = by_run.pop(run_id(begin.uid, due), [])
        ran += bool(tries)
        if tries and (early := due + offset - tries[0].at) > CLOCK_SECONDS:
            account.findings.append(f"early: schedule {end.uid} ran {early:.3f} s before its time")
    account.counts["runs"] += ran
    if ran < end.runs - begin.runs:
        account.findings.append(f"lost: {end.runs - begin.runs - ran} enqueued runs of schedule {end.uid} did not run")


def _check_repeats(
    repeated: Sequence[Sequence[Attempt]], account: Account, disturbances: Sequence[Disturbance]
) -> None:
    """Check that each repeated run has a fault that explains it."""
    for tries in repeated:
        for first, again in pairwise(sorted(tries, key=lambda each: each.at)):
            account.counts["repeated attempts"] += 1
            causes = [
                each.name
                for each in disturbances
                if each.repeats
                # A worker that was stopped beyond the timeout may itself be the second one.
                and (not each.pods or {first.pod, again.pod} & each.pods)
                # The worker may have recorded the run in the moment before it was hit.
                and each.begin - 1 <= again.at
                and first.at <= each.end
            ]
            if causes:
                account.repeated[causes[-1]] += 1
            else:
                account.findings.append(
                    f"run twice: {first.run} ran on {first.pod} and {again.at - first.at:.1f} s later on {again.pod}, "
                    "and no fault explains it"
                )
