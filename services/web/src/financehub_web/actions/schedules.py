"""Actions for schedules: run one now, and run the due times of a past range."""

from datetime import UTC, datetime

from pydantic import Field as Value

from financehub_shared.core.errors import ConfigError
from financehub_shared.redis.server_clock import server_time
from financehub_shared.schedules import (
    UNCLAIMED_SECONDS,
    ScheduleInfo,
    request_backfill,
    request_trigger,
    show_schedule,
)
from financehub_shared.views.formats import iso_time
from financehub_web.actions.base import Action, Field, Form, Outcome, Preview

_DAY = 86_400


class ScheduleForm(Form):
    """Names one schedule.

    Args:
        schedule: `namespace/name`.
    """

    schedule: str = Value(min_length=1, max_length=400)


class BackfillForm(ScheduleForm):
    """Names one schedule and a range of due times.

    Args:
        start, end: First and last moment in ISO 8601, in UTC unless they have an offset. An empty end is the current
            time.
    """

    start: str = Value("", max_length=40)
    end: str = Value("", max_length=40)


class Trigger(Action):
    """Runs a schedule now, regardless of its due times."""

    name, title, section, form = "trigger", "Run a schedule now", "schedules", ScheduleForm

    def preview(self, form: ScheduleForm) -> Preview:
        info = show_schedule(self._controls.queues, form.schedule)
        return Preview(
            f"Run {info.name} now?",
            "Run it now",
            facts=[("Task", info.task), ("Queue", info.queue), ("Schedule", info.recurrence_text)],
            hidden={"schedule": info.name},
            warning=_liveness_warning(info, self._controls.clock.now()),
        )

    def execute(self, form: ScheduleForm) -> Outcome:
        info = show_schedule(self._controls.queues, form.schedule)
        id = request_trigger(self._controls.queues, info.name)
        # The run has no record until a scheduler has carried out the request, which takes about a second.
        return Outcome(f"Requested the run {id} of {info.name}.", *_page_of(info))


class BackfillAction(Action):
    """Runs the due times of a past time range in order."""

    name, title, section, form = "backfill", "Backfill a schedule", "schedules", BackfillForm

    def preview(self, form: BackfillForm) -> Preview:
        info = show_schedule(self._controls.queues, form.schedule)
        now = self._controls.clock.now()
        policy = str(info.spec.get("concurrencyPolicy", "Forbid"))
        return Preview(
            f"Run the due times of {info.name} in this range?",
            "Run them",
            facts=[("Task", info.task), ("Schedule", info.recurrence_text), ("Concurrency policy", policy)],
            fields=[
                Field("start", "From", form.start or _minute(now - _DAY), hint="ISO 8601, in UTC", is_required=True),
                Field("end", "To", form.end or _minute(now), hint="ISO 8601, in UTC; empty means now"),
            ],
            hidden={"schedule": info.name},
            warning=_liveness_warning(info, now),
        )

    def execute(self, form: BackfillForm) -> Outcome:
        client = self._controls.queues
        info = show_schedule(client, form.schedule)
        start = _parse_time("From", form.start)
        # The clock of the process is an estimate, and the end must not be in the future.
        end = _parse_time("To", form.end) if form.end.strip() else server_time(client)
        id = request_backfill(client, info.name, start, end)
        text = f"Requested the backfill {id} of {info.name} from {iso_time(start)} to {iso_time(end)}."
        return Outcome(text, *_page_of(info))


def _page_of(info: ScheduleInfo) -> tuple[str, dict[str, str]]:
    """Return the name and the parameters of the page of a schedule."""
    namespace, _, name = info.name.partition("/")
    return "schedule", {"namespace": namespace, "name": name}


def _liveness_warning(info: ScheduleInfo, now: float) -> str:
    is_alive = now - info.claimed_at < UNCLAIMED_SECONDS
    return "" if is_alive else "No live scheduler runs this schedule, so the request waits until one starts."


def _minute(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _parse_time(label: str, text: str) -> float:
    """Return the Unix seconds of a day or time in ISO 8601, which is in UTC unless it has an offset."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ConfigError(f"{label}: {text!r} is not a day or time such as 2026-01-05 or 2026-01-05T12:00Z") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
