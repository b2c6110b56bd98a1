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
        keep_known_state: True to continue with the state that Redis has of the schedules, however old it is: at the
            first read of a folder, because all schedulers may have been down, and for every change of a watch, because
            Kubernetes never reuses a uid. False for later changes of a folder: a record that no scheduler has claimed
            lately belongs to a deleted schedule of the same name, so the new one starts without its state.
        complete: Whether the source has now reported everything it has.
    """

    upserts: Sequence[Schedule] = ()
    removed: Sequence[str] = ()
    deactivated: Mapping[str, str] = field(default_factory=dict)
    since: Mapping[str, float] = field(default_factory=dict)
    keep_known_state: bool = False
    complete: bool = True
