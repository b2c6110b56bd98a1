"""Finds legal but suspicious specs of schedules, and logs them when a schedule is registered."""

import json

import structlog

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.listener import SchedulerListener
from financehub_shared.core.clock import Clock
from financehub_shared.spec.warnings import find_warnings

log = structlog.get_logger(__name__)


def spec_warnings(schedule: Schedule, now: float) -> list[str]:
    """Return one sentence for each suspicious combination in a spec.

    Args:
        schedule: The schedule.
        now: Unix seconds.
    """
    return find_warnings(json.loads(schedule.spec_json), schedule.recurrence, now)


class SpecWarnings(SchedulerListener):
    """Logs the suspicious combinations in the spec of each schedule that is registered.

    Args:
        clock: The clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def schedule_registered(self, schedule: Schedule) -> None:
        for warning in spec_warnings(schedule, self._clock.now()):
            log.warning("spec_warning_found", schedule=schedule.name, warning=warning)
