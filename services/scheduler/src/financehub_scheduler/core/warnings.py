"""What is legal and suspicious about a schedule: pure."""

from datetime import UTC, datetime

from financehub_scheduler.api.policies import ConcurrencyPolicy
from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.recurrence.calendar import WARN_DAYS
from financehub_scheduler.recurrence.catch_up import CatchUp


def doubts(schedule: Schedule, now: float) -> list[str]:
    """Sentences for whoever wrote the schedule; none if nothing is odd.

    Args:
        schedule: the schedule.
        now: Unix seconds.
    """
    found = []
    if schedule.catch_up is CatchUp.ALL and schedule.policy is not ConcurrencyPolicy.ALLOW:
        found.append(
            f"catchUp All under concurrencyPolicy {schedule.policy}: most of the runs that are made up for overlap, "
            "and are skipped or replaced; Allow runs them all"
        )
    calendar = schedule.timing.calendar
    if calendar is not None and calendar.end - now < WARN_DAYS * 86_400:
        end = datetime.fromtimestamp(calendar.end, UTC).date()
        found.append(
            f"calendar {calendar.name} ends on {end}, and the schedule stops there; "
            "install a newer scheduler or run `make calendars`"
        )
    return found
