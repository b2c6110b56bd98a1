"""Computes the due times of registered schedules, for the command line and the console.

It is not imported by the package, because the health report of the workers reads schedules without their due times, and
their images hold no time zones.
"""

from dataclasses import dataclass
from datetime import UTC, tzinfo

from financehub_shared.core.errors import ConfigError
from financehub_shared.recurrence.build import recurrence_of_spec
from financehub_shared.recurrence.rules import parse_zone
from financehub_shared.schedules.listing import ScheduleInfo


@dataclass(frozen=True, slots=True)
class DueTimes:
    """The next due times of a schedule.

    Args:
        times: Due times in Unix seconds, ascending.
        problem: Why they are not known, or why there are no more of them; empty if there are enough.
        delay: Seconds by which each run starts later than it is due (`jitterSeconds`).
    """

    times: tuple[float, ...] = ()
    problem: str = ""
    delay: float = 0.0


def zone_of(info: ScheduleInfo) -> tuple[str, tzinfo]:
    """Return the name of a schedule's time zone, and the zone. An unreadable one counts as UTC."""
    name = str(info.spec.get("timeZone", "UTC"))
    try:
        return name, parse_zone(name)
    except ValueError:
        return "UTC", UTC


def next_due_times(info: ScheduleInfo, now: float, count: int) -> DueTimes:
    """Return the next due times of a schedule, without its jitter.

    Args:
        info: The schedule.
        now: The current time in Unix seconds.
        count: Largest number of due times.
    """
    times: list[float] = []
    delay = 0.0
    try:
        most = int(info.spec.get("maxRuns", info.runs + count)) - info.runs
        recurrence = recurrence_of_spec(info.uid, info.spec)
        delay = recurrence.offset
        if after := info.spec.get("after"):
            problem = f"It runs after each success of {after}, so its due times are not known in advance."
            # A success may wait for the jitter.
            return DueTimes(tuple(at - delay for at in info.next_times), problem, delay)
        due = recurrence.next_after(now - delay)
        while due is not None and len(times) < min(count, most):
            times.append(due)
            due = recurrence.next_after(due)
    except (ConfigError, ValueError, TypeError, OverflowError) as error:
        # the due times before the end of an exchange's calendar are known
        return DueTimes(tuple(times), str(error), delay)
    return DueTimes(tuple(times), "" if len(times) == count else "No further due time is left.", delay)
