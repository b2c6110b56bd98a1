"""Warns of lines of a registered schedule that are not due, or will not be due any more."""

from financehub_shared.core.errors import ConfigError
from financehub_shared.recurrence.build import recurrence_of_spec
from financehub_shared.schedules.listing import ScheduleInfo
from financehub_shared.spec.due_warnings import due_warnings


def schedule_warnings(info: ScheduleInfo, now: float) -> list[str]:
    """Return one sentence for each reason for which a part of a schedule is not due.

    Args:
        info: The schedule.
        now: The current time in Unix seconds.
    """
    if info.after:
        return []
    try:
        return list(due_warnings(recurrence_of_spec(info.uid, info.spec), now))
    except ConfigError as error:
        return [str(error)]
