"""Finds legal but suspicious specs."""

from datetime import UTC, datetime

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.recurrence.calendar import WARN_DAYS
from financehub_shared.recurrence.diagnosis import problems
from financehub_shared.recurrence.recurrence import Recurrence
from financehub_shared.spec.fields import CatchUp, ConcurrencyPolicy


def find_warnings(policy: ConcurrencyPolicy, catch_up: CatchUp, recurrence: Recurrence, now: float) -> list[str]:
    """Return one sentence for each suspicious combination in a spec.

    Args:
        policy: `spec.concurrencyPolicy`.
        catch_up: `spec.catchUp`.
        recurrence: The recurrence of the schedule.
        now: Unix seconds.
    """
    found = []
    in_order = {ConcurrencyPolicy.ALLOW, ConcurrencyPolicy.BUFFER_ALL}
    if catch_up is CatchUp.ALL and policy not in in_order:
        found.append(
            f"catchUp All under concurrencyPolicy {policy}: most of the runs that catch up overlap and are skipped or "
            "replaced; set concurrencyPolicy Allow or BufferAll to run all of them"
        )
    calendar = recurrence.calendar
    if calendar is not None and calendar.end - now < WARN_DAYS * DAY_SECONDS:
        end = datetime.fromtimestamp(calendar.end, UTC).date()
        found.append(
            f"calendar {calendar.name} is known until {end}, and nothing is due after that; install a release of "
            "FinanceHub with newer calendars, or run `make calendars`"
        )
    if calendar is not None or recurrence.exclusions:
        found.extend(problems(recurrence))
    return found
