"""The view of what a backfill will run."""

from typing import Annotated

from typing_extensions import TypedDict

from financehub_shared.schedules.backfill_plan import BackfillPlan
from financehub_shared.schedules.requests import MAX_BACKFILL_RUNS
from financehub_shared.views.fields import Field
from financehub_shared.views.formats import Time, iso_time


class BackfillPlanView(TypedDict):
    """What a backfill will run, before it is requested."""

    name: Annotated[str, Field(description="The name of the schedule, as `namespace/name`.")]
    start: Annotated[Time | None, Field(description="The start of the range of due times, inclusive.")]
    end: Annotated[Time | None, Field(description="The end of the range of due times, inclusive.")]
    time_zone: Annotated[str, Field(description="The IANA time zone of the schedule.")]
    total: Annotated[int, Field(description="The number of runs, counted up to one more than the limit.")]
    limit: Annotated[int, Field(description="The largest number of runs of a backfill.")]
    first: Annotated[list[Time | None], Field(description="The first due times, at most five.")]
    last: Annotated[list[Time | None], Field(description="The last of the further due times, at most five.")]
    concurrency_policy: Annotated[str, Field(description="The concurrency policy of the schedule.")]
    queue_depth: Annotated[
        int, Field(description="The number of messages in the queue beyond which the backfill waits.")
    ]
    notes: Annotated[list[str], Field(description="Sentences about what will run, and what will not.")]
    problem: Annotated[str, Field(description="Why the backfill would be refused. Empty if it would not.")]


def backfill_plan_view(plan: BackfillPlan) -> BackfillPlanView:
    """Return the view of what a backfill will run."""
    return {
        "name": plan.name,
        "start": iso_time(plan.start),
        "end": iso_time(plan.end),
        "time_zone": plan.zone,
        "total": plan.total,
        "limit": MAX_BACKFILL_RUNS,
        "first": [iso_time(at) for at in plan.first],
        "last": [iso_time(at) for at in plan.last],
        "concurrency_policy": plan.policy,
        "queue_depth": plan.queue_depth,
        "notes": list(plan.notes),
        "problem": plan.problem,
    }
