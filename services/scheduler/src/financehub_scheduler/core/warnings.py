"""Finds legal but suspicious specs."""

from datetime import UTC, datetime

from financehub_scheduler.api.schedule import Schedule
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.recurrence.calendar import WARN_DAYS
from financehub_shared.spec.scheduled_task import CatchUp, ConcurrencyPolicy


def spec_warnings(schedule: Schedule, now: float) -> list[str]:
    """Return one sentence for each suspicious combination in a spec.

    Args:
        schedule: The schedule.
        now: Unix seconds.
    """
    found = []
    if schedule.catch_up is CatchUp.ALL and schedule.policy is not ConcurrencyPolicy.ALLOW:
        found.append(
            f"catchUp All under concurrencyPolicy {schedule.policy}: most of the runs that catch up overlap and are "
            "skipped or replaced; set concurrencyPolicy Allow to run all of them"
        )
    calendar = schedule.recurrence.calendar
    if calendar is not None and calendar.end - now < WARN_DAYS * DAY_SECONDS:
        end = datetime.fromtimestamp(calendar.end, UTC).date()
        found.append(
            f"calendar {calendar.name} ends on {end}, and the schedule stops there; "
            "install a newer scheduler or run `make calendars`"
        )
    return found
