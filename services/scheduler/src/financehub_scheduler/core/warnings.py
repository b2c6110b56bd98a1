"""Finds legal but suspicious specs of schedules."""

import json

from financehub_scheduler.api.schedule import Schedule
from financehub_shared.spec.warnings import find_warnings


def spec_warnings(schedule: Schedule, now: float) -> list[str]:
    """Return one sentence for each suspicious combination in a spec.

    Args:
        schedule: The schedule.
        now: Unix seconds.
    """
    return find_warnings(json.loads(schedule.spec_json), schedule.recurrence, now)
