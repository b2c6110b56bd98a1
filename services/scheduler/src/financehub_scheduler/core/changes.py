"""The changes that a source of schedules reports to the engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from financehub_scheduler.api.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Changes:
    """Differences from what the source reported before.

    Args:
        upserts: Schedules that are new or differ.
        removed: Uids of schedules that were deleted.
        deactivated: uid → why a schedule that still exists does not run at present.
        since: uid → time from which this scheduler has had the schedule, Unix seconds, in case Redis does not know it.
            The default is the time at which the change is applied.
        initial: Whether the source was read for the first time in this process, so that nothing changed while it ran.
        complete: Whether the source has now reported everything it has.
    """

    upserts: Sequence[Schedule] = ()
    removed: Sequence[str] = ()
    deactivated: Mapping[str, str] = field(default_factory=dict)
    since: Mapping[str, float] = field(default_factory=dict)
    initial: bool = False
    complete: bool = True
