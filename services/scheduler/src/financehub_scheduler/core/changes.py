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
        keep_known_state: Whether everything that Redis knows about the schedules still holds, however old it is. It
            does at the first read of a folder, and for every change of a watch, because Kubernetes never reuses a uid.
            If it does not, a schedule that no scheduler has claimed lately was deleted and created again, and it starts
            without its previous state.
        complete: Whether the source has now reported everything it has.
    """

    upserts: Sequence[Schedule] = ()
    removed: Sequence[str] = ()
    deactivated: Mapping[str, str] = field(default_factory=dict)
    since: Mapping[str, float] = field(default_factory=dict)
    keep_known_state: bool = False
    complete: bool = True
