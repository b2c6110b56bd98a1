"""The action that runs a schedule now, and what all actions for schedules share."""

from pydantic import Field as Value

from financehub_shared.schedules import (
    UNCLAIMED_SECONDS,
    ScheduleInfo,
    request_trigger,
    show_schedule,
)
from financehub_web.actions.base import Action, Form, Outcome, Preview


class ScheduleForm(Form):
    """Names one schedule.

    Args:
        schedule: `namespace/name`.
    """

    schedule: str = Value(min_length=1, max_length=400)


class Trigger(Action):
    """Runs a schedule now, regardless of its due times."""

    name, title, section, form = "trigger", "Run a schedule now", "schedules", ScheduleForm

    def preview(self, form: ScheduleForm) -> Preview:
        info = show_schedule(self._controls.queues, form.schedule)
        page, parameters = page_of(info)
        return Preview(
            f"Run {info.name} now?",
            "Run it now",
            facts=[("Task", info.task), ("Queue", info.queue), ("Recurrence", info.recurrence_text)],
            hidden={"schedule": info.name},
            warning=liveness_warning(info, self._controls.clock.now()),
            page=page,
            parameters=parameters,
        )

    def execute(self, form: ScheduleForm) -> Outcome:
        info = show_schedule(self._controls.queues, form.schedule)
        id = request_trigger(self._controls.queues, info.name)
        # The run has no record until a scheduler has carried out the request, which takes about a second.
        return Outcome(f"Requested the run {id} of {info.name}.", *page_of(info))


def page_of(info: ScheduleInfo) -> tuple[str, dict[str, str]]:
    """Return the name and the parameters of the page of a schedule."""
    namespace, _, name = info.name.partition("/")
    return "schedule", {"namespace": namespace, "name": name}


def liveness_warning(info: ScheduleInfo, now: float) -> str:
    """Return the warning that no scheduler runs a schedule, or an empty string."""
    is_alive = now - info.claimed_at < UNCLAIMED_SECONDS
    return "" if is_alive else "No live scheduler runs this schedule, so the request waits until one starts."
