"""What must be done when all faults are over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from simulation.model import Schedule, ViolationError
from simulation.oracle import Oracle
from simulation.world import World

#: Everything that was to be done this long ago is done, in milliseconds.
_SETTLED_AFTER = 3_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits at some moment.

    Args:
        buffered: uid → due times of buffered runs.
        cursors: Id of each backfill that has not ended → its cursor.
    """

    buffered: Mapping[str, Sequence[int]]
    cursors: Mapping[str, int]

    @classmethod
    def of(cls, oracle: Oracle) -> Self:
        """Return what waits now."""
        buffered = {uid: tuple(known.buffered) for uid, known in oracle.schedules.items() if known.buffered}
        return cls(buffered, {id: known.cursor for id, known in oracle.backfills.items() if not known.is_ended})


def check_everything_done(world: World, before: Waiting) -> None:
    """Check that nothing was forgotten.

    Args:
        world: The world.
        before: What waited some seconds ago, when all faults were over. Since then, runs end as soon as they are
            enqueued, so that nothing has a reason to wait.

    Raises:
        ViolationError: A due time is neither settled nor excused, or a request was not carried out.
    """
    oracle = world.oracle
    oracle.compare()
    current = set(world.source)
    # A schedule that was deleted while no scheduler ran stays registered, but nobody claims it any more.
    registered = {uid for uid in oracle.claimed if oracle.schedules[uid].fingerprint != "deleted"}
    if not current >= registered:
        raise ViolationError(f"{sorted(registered - current)} were deleted and are registered")
    for uid, entry in world.source.items():
        known = oracle.schedules.get(uid)
        if entry.schedule is None:
            # Redis may have gone back to a state in which it was valid. Nobody runs it then.
            if world.is_cluster and known is not None and known.is_live and uid in oracle.claimed:
                raise ViolationError(f"{known.name} is invalid and runs")
            continue
        if known is None or known.fingerprint != entry.schedule.fingerprint:
            raise ViolationError(f"{entry.schedule.name} is not registered as its source has it: {known}")
        _check_due_times(world, known)
        _check_buffered(world, known, before.buffered.get(uid, ()))
        if (trigger := entry.schedule.trigger) and known.trigger != trigger and uid not in oracle.lost_triggers:
            raise ViolationError(f"the trigger annotation {trigger} of {known.name} was not carried out")
    if waiting := [uid for uid, _ in oracle.requests.values() if uid in current and _accepts(world, uid)]:
        raise ViolationError(f"triggers of {waiting} were not carried out")
    _check_backfills(world, before.cursors)


def _accepts(world: World, uid: str) -> bool:
    entry = world.source[uid]
    return entry.schedule is not None


def _check_buffered(world: World, known: Schedule, before: Sequence[int]) -> None:
    """A schedule that runs has released what was buffered."""
    if known.uid in world.oracle.paused or known.spec.get("suspend"):
        return
    if left := [due for due in before if due in known.buffered]:
        raise ViolationError(f"{known.name} has not released the buffered runs {left}: {known}")


def _check_backfills(world: World, before: Mapping[str, int]) -> None:
    """A backfill of a valid schedule goes on, also while the schedule is paused, suspended or exhausted, and ends.

    That of a deleted one ends as soon as Redis knows the deletion.
    """
    oracle, now = world.oracle, world.redis_milliseconds()
    for id, cursor in before.items():
        backfill = oracle.backfills[id]
        known = oracle.schedules.get(backfill.uid)
        if backfill.is_ended or known is None or backfill.cursor > cursor:
            continue
        if known.fingerprint == "deleted":
            raise ViolationError(f"the backfill {id} of {known.name} has not ended, although this was deleted")
        if (entry := world.source.get(backfill.uid)) is None or entry.schedule is None:
            # Nobody claims the record of a schedule that was deleted while no scheduler ran.
            continue
        if backfill.end > now:
            # The clock of Redis was set back since the request.
            continue
        left = oracle.backfill_rules.left(backfill)
        raise ViolationError(
            f"the backfill {id} of {entry.schedule.name} has not moved from {cursor}, and has {len(left)} due times "
            f"left: {list(left[:3])}"
        )


def _check_due_times(world: World, known: Schedule) -> None:
    now = world.redis_milliseconds()
    if known.uid in world.oracle.paused or known.spec.get("suspend") or known.is_exhausted:
        return
    until = now - _SETTLED_AFTER
    pending = [due for due in known.pending if due > known.mark and known.enqueue_time(due) <= until]
    after, times = max(known.mark, known.since), known.due_times
    if times is not None:
        forgotten = [*pending, *times.between(after, until - known.offset)]
    elif _has_predecessor(world, known):
        namespace = known.name.partition("/")[0]
        newest = world.oracle.newest_successes.get(f"{namespace}/{known.spec['after']}", 0)
        forgotten = [*pending, *(due for due in [newest] if after < due <= until - known.offset)]
    else:
        forgotten = pending
    # A scheduler does not settle again what it has settled before Redis went back to an earlier state.
    forgotten = [due for due in forgotten if due > world.oracle.lost_marks.get(known.uid, 0)]
    if forgotten:
        raise ViolationError(
            f"{known.name} has forgotten {forgotten[:5]}, at {now}, with the mark {known.mark}: {known}"
        )


def _has_predecessor(world: World, known: Schedule) -> bool:
    namespace = known.name.partition("/")[0]
    name = f"{namespace}/{known.spec['after']}"
    return any(each.is_live and each.name == name for each in world.oracle.schedules.values())
