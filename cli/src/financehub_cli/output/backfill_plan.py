"""The text of what a backfill will run."""

from financehub_shared.core.moments import format_moment
from financehub_shared.core.text import printable
from financehub_shared.recurrence.rules import parse_zone
from financehub_shared.schedules.backfill_plan import BackfillPlan


def describe_plan(plan: BackfillPlan) -> str:
    """Return the lines that say what a backfill will run, with its times in the zone of the schedule."""
    zone = parse_zone(plan.zone)
    times = [format_moment(at, zone) for at in (*plan.first, *plan.last)]
    hidden = plan.total - len(times)
    if hidden > 0 and plan.last:
        times.insert(len(plan.first), f"… {hidden:,} more …")
    start, end = format_moment(plan.start, zone), format_moment(plan.end, zone)
    heading = f"{plan.name} from {start} to {end}, times in {plan.zone}"
    lines = [heading, plan.problem or plan.sentence, *(f"  {time}" for time in times)]
    return "\n".join(map(printable, [*lines, *plan.notes]))
