"""The changes that a source of schedules reports to the engine."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from financehub_scheduler.api.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Changes:
    """The differences from the source's previous report.

    Args:
        upserts: New or changed schedules.
        removed: Uids of schedules that were deleted.
        deactivated: uid → reason why an existing schedule currently does not run.
        since: uid → time at which this scheduler received the schedule, Unix seconds. It is used if Redis does not know
            the schedule. The default is the time at which the change is applied.
        keep_known_state: Whether to continue with the state of the schedules in Redis, no matter how old it is. This is
            true for the first read of a folder, because all schedulers may have been down, and for every change from a
            watch, because Kubernetes never reuses a uid. It is false for later changes in a folder: a record that no
            scheduler has claimed lately belongs to a deleted schedule with the same name, so the new one starts without
            its state, unless this scheduler runs it.
        looked_at: Time at which the source began to look for these changes, Unix seconds. What it found to be deleted
            had been deleted by then. The default is the time at which the changes are applied.
        complete: Whether the source has now reported all of its schedules.
    """

    upserts: Sequence[Schedule] = ()
    removed: Sequence[str] = ()
    deactivated: Mapping[str, str] = field(default_factory=dict)
    since: Mapping[str, float] = field(default_factory=dict)
    keep_known_state: bool = False
    looked_at: float = math.inf
    complete: bool = True
