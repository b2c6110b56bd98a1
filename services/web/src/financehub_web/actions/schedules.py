"""The action that runs a schedule now, and what all actions for schedules share."""

from pydantic import Field as Value

from financehub_shared.operations.runs import refuse_unknown_task
from financehub_shared.operations.schedules import missing_for
from financehub_shared.schedules import ScheduleInfo, request_trigger, show_schedule
from financehub_web.actions.base import Action, Form, Outcome, Preview
from financehub_web.actions.controls import Controls


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
            warning=liveness_warning(info, self._controls),
            page=page,
            parameters=parameters,
        )

    def execute(self, form: ScheduleForm) -> Outcome:
        info = show_schedule(self._controls.queues, form.schedule)
        refuse_unknown_task(self._controls.processes(), info.queue, info.task)
        id = request_trigger(self._controls.queues, info.name)
        # The run has no record until a scheduler has carried out the request, which takes about a second.
        return Outcome(f"Requested the run {id} of {info.name}.", *page_of(info))


def page_of(info: ScheduleInfo) -> tuple[str, dict[str, str]]:
    """Return the name and the parameters of the page of a schedule."""
    namespace, _, name = info.name.partition("/")
    return "schedule", {"namespace": namespace, "name": name}


def liveness_warning(info: ScheduleInfo, controls: Controls) -> str:
    """Return the sentences that say which processes are missing to run a schedule, or an empty string."""
    absences = missing_for(info, controls.processes(), controls.clock.now())
    sentences = (absence.sentence("the request") for absence in absences)
    return " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences)
