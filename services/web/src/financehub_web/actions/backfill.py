"""The action that runs the due times of a past range of a schedule. It shows first which ones these are."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from pydantic import Field as Value

from financehub_shared.core.errors import ConfigError, InvalidArgumentsError
from financehub_shared.core.moments import format_moment, parse_moment
from financehub_shared.recurrence.build import recurrence_of_spec
from financehub_shared.redis.server_clock import server_time
from financehub_shared.schedules import ScheduleInfo, request_backfill, show_schedule
from financehub_shared.schedules.backfill_plan import BackfillPlan, plan_backfill
from financehub_shared.schedules.due_times import zone_of
from financehub_shared.schedules.requests import MAX_BACKFILL_RUNS
from financehub_web.actions.base import Action, ActionRefusedError, Field, Listing, Outcome, Preview
from financehub_web.actions.schedules import ScheduleForm, liveness_warning, page_of

#: The user types the number of runs of a backfill that has more than these.
TYPED_FROM = 100
#: How far back the newest due time is searched if yesterday and today have none.
_LONGEST_SEARCH = 366 * 86_400
_HINT = "a day or time in {}, such as 2026-01-05 12:00"


class BackfillForm(ScheduleForm):
    """Names one schedule and a range of due times.

    Args:
        start: First moment in ISO 8601, in the zone of the schedule unless it has an offset.
        end: Last moment, in the same form. If it is empty, it is the current time. A long text is refused later, so
            that the user can correct it.
        count: Number of runs that the user has confirmed.
    """

    start: str = Value("", max_length=5_000)
    end: str = Value("", max_length=5_000)
    count: int | None = None


@dataclass(frozen=True, slots=True)
class _Range:
    """The range that a user has entered, in Unix seconds.

    Args:
        start: Its start.
        end: Its end.
        problems: Name of a field → what is wrong with it.
    """

    start: float
    end: float
    problems: dict[str, str]


class BackfillAction(Action):
    """Runs the due times of a past time range in order."""

    name, title, section, form = "backfill", "Backfill a schedule", "schedules", BackfillForm

    def preview(self, form: BackfillForm) -> Preview:
        info, now = self._read(form)
        page, parameters = page_of(info)
        zone_name, zone = zone_of(info)
        start = form.start or format_moment(_first_start(info, zone, now), zone)
        chosen = _read_range(form.model_copy(update={"start": start}), zone, now)
        plan, problem = None, ""
        if not chosen.problems:
            try:
                plan = plan_backfill(info, chosen.start, chosen.end, now)
                problem = plan.problem
            except InvalidArgumentsError as error:
                chosen.problems[error.field] = error.problem
            except ConfigError as error:
                problem = f"{error}."
        hint = _HINT.format(zone_name)
        fields = [
            Field("start", "From", start, hint=hint, is_required=True, problem=chosen.problems.get("start", "")),
            Field("end", "To", form.end, hint=f"{hint}; empty means now", problem=chosen.problems.get("end", "")),
        ]
        facts = [("Task", info.task), ("Recurrence", info.recurrence_text), ("Time zone", zone_name)]
        heading = f"Which past due times of {info.name} should run?"
        if plan is None or problem:
            question = problem or "Correct the range to see what it runs."
            hidden = {"schedule": info.name}
            return Preview(
                question,
                "",
                facts=facts,
                heading=heading,
                asked=fields,
                hidden=hidden,
                page=page,
                parameters=parameters,
            )
        is_typed = plan.total > TYPED_FROM
        sent = {"start": _exact(chosen.start, zone), "end": _exact(chosen.end, zone)}
        policy, limit = ("Concurrency policy", plan.policy), ("Limit", f"{MAX_BACKFILL_RUNS:,} runs")
        return Preview(
            f"{plan.sentence}.",
            f"Run {plan.total:,} due time{'' if plan.total == 1 else 's'}",
            facts=[*facts, policy, limit],
            heading=heading,
            asked=fields,
            listing=_listing(plan, zone),
            hidden={"schedule": info.name, **sent} | ({} if is_typed else {"count": str(plan.total)}),
            typed=str(plan.total) if is_typed else "",
            warning=" ".join(filter(None, [*plan.notes, liveness_warning(info, self._controls)])),
            page=page,
            parameters=parameters,
        )

    def execute(self, form: BackfillForm) -> Outcome:
        info, now = self._read(form)
        zone_name, zone = zone_of(info)
        chosen = _read_range(form, zone, now)
        for field, problem in chosen.problems.items():
            raise ConfigError(f"{'From' if field == 'start' else 'To'}: {problem}")
        plan = plan_backfill(info, chosen.start, chosen.end, now)
        if plan.problem:
            raise ActionRefusedError(plan.problem)
        if plan.total != form.count and (form.count is not None or plan.total > TYPED_FROM):
            confirmed = "no number" if form.count is None else f"{form.count:,}"
            raise ActionRefusedError(
                f"The range has {plan.total:,} due times, but you confirmed {confirmed}. Nothing was requested."
            )
        id = request_backfill(self._controls.queues, info.name, chosen.start, chosen.end)
        ends = f"from {format_moment(chosen.start, zone)} to {format_moment(chosen.end, zone)} {zone_name}"
        return Outcome(f"Requested the backfill {id} of {info.name} {ends}: {_runs(plan.total)}.", *page_of(info))

    def _read(self, form: BackfillForm) -> tuple[ScheduleInfo, float]:
        """Return the schedule and the time of Redis. The clock of the process is an estimate, and no end is later."""
        client = self._controls.queues
        return show_schedule(client, form.schedule), server_time(client)


def _first_start(info: ScheduleInfo, zone: tzinfo, now: float) -> float:
    """Return the start of a range that has a due time: yesterday's midnight, or the newest due time before it."""
    today = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    start = (today - timedelta(days=1)).timestamp()
    try:
        recurrence = recurrence_of_spec(info.uid, info.spec)
        newest = recurrence.newest(1, max(0.0, now - _LONGEST_SEARCH), now)
    except ConfigError:
        return start
    return min([start, *map(float, newest)])


def _read_range(form: BackfillForm, zone: tzinfo, now: float) -> _Range:
    ends = {"start": now, "end": now}
    problems: dict[str, str] = {}
    for name, text in (("start", form.start), ("end", form.end)):
        if name == "end" and not text.strip():
            continue
        try:
            ends[name] = parse_moment(text, zone)
        except ValueError as error:
            problems[name] = f"{error}"
    return _Range(ends["start"], ends["end"], problems)


def _exact(at: float, zone: tzinfo) -> str:
    """Return a moment so that the range that is executed is the one that was shown."""
    return datetime.fromtimestamp(at, zone).isoformat()


def _listing(plan: BackfillPlan, zone: tzinfo) -> Listing:
    rows = [(format_moment(at, zone),) for at in (*plan.first, *plan.last)]
    caption = f"All {_runs(plan.total)}"
    if len(rows) < plan.total:
        caption = f"The first and the last {len(plan.last)} of {_runs(plan.total)}"
        rows.insert(len(plan.first), (f"… {plan.total - len(rows):,} more …",))
    return Listing((f"Due time ({plan.zone})",), rows, plan.total, caption)


def _runs(count: int) -> str:
    return f"{count:,} run{'' if count == 1 else 's'}"
