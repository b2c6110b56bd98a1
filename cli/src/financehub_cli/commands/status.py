"""`financehub status`: the state of the whole fleet on one page."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from financehub_cli.exit_codes import ExitCode
from financehub_cli.listing import tables
from financehub_cli.options import AsJson, Interval, Watch
from financehub_cli.output.formats import age_cell
from financehub_cli.output.result import CommandResult, print_or_watch
from financehub_cli.output.table import Table, build_table
from financehub_cli.output.terminal import Content
from financehub_cli.output.text import Styled
from financehub_cli.session import Session
from financehub_shared.core.durations import format_duration
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.health.checker import HealthChecker
from financehub_shared.health.readers import health_checker
from financehub_shared.health.report import HealthReport, HealthStatus
from financehub_shared.schedules import list_schedules, refused_schedules
from financehub_shared.schedules.listing import LATE_SECONDS
from financehub_shared.views.freshness import FreshnessView
from financehub_shared.views.status import ScheduleStateView, StatusView, status_view

R = TypeVar("R")

_COLORS = {HealthStatus.OK: "bold green", HealthStatus.DEGRADED: "bold yellow", HealthStatus.DOWN: "bold red"}


@tables
def status(as_json: AsJson = False, watch: Watch = False, interval: Interval = 2.0) -> None:
    """Show the state of the fleet and of its data.

    The page has tiers, queues, schedules, circuit breakers and the freshness of the data.

    Problems come first. With --watch on a terminal, the page fills the screen, and the last line says how many lines
    do not fit.

    The exit code is 0 if everything is healthy, 1 if anything is degraded or down, and 3 if Redis does not answer.

    JSON: {status, at, problems, checks, tiers, queues, schedules, refused_schedules, breakers, freshness}. status is
    ok, degraded or down, problems lists the reasons, and checks holds the checks of /api/health/.

    Examples:
    - `financehub status --watch`
    - `financehub status --json | jq '.problems'`
    """
    session = Session()
    checker = health_checker(session.reader_settings, clock=session.clock, report=session.report)
    print_or_watch(lambda: _collect(session, checker), as_json=as_json, watch=watch, interval=interval)


def _collect(session: Session, checker: HealthChecker) -> CommandResult:
    schedules = list_schedules(session.broker_client)
    snapshot = checker.collect(schedules)
    if snapshot.redis_error:
        raise StoreUnavailableError(snapshot.redis_error)
    report = checker.evaluate(snapshot)
    view = status_view(report, snapshot, schedules, refused_schedules(session.broker_client))
    code = session.exit_code() if report.status is HealthStatus.OK else ExitCode.FAILED
    return CommandResult(view, _page(report, view), [], code)


def _page(report: HealthReport, data: StatusView) -> Content:
    """Return the page for people: the status, its problems and one table per topic, with what is not well first."""
    problems = [*report.problems, *(f"{place}: {why}" for place, why in data["refused_schedules"].items())]
    head = [
        Styled(report.status.value, _COLORS[report.status]),
        *(Styled(f"  ! {problem}", "yellow") for problem in problems),
    ]
    figures = ("ready", "in_flight", "delayed", "dead", "orphaned", "oldest_age_seconds")
    (tiers, odd_tiers), (queues, odd_queues), (schedules, odd_schedules), (freshness, stale), (breakers, not_closed) = (
        _unwell_first(data["tiers"], lambda tier: not tier["processes"] or bool(tier["draining"])),
        _unwell_first(data["queues"], lambda queue: f"queue:{queue['queue']}" in _unwell_checks(data)),
        _unwell_first(data["schedules"], _is_unwell),
        _unwell_first(data["freshness"], lambda each: each["stale"]),
        _unwell_first(data["breakers"], lambda breaker: breaker["state"] != "closed"),
    )
    tables = [
        (odd_tiers, _figures_table(tiers, "tier", "processes", "busy", "threads", "draining")),
        (odd_queues, _figures_table(queues, "queue", *figures)),
        (odd_schedules, build_table("schedule", "!last run", "!~next in", rows=map(_schedule_row, schedules))),
        (stale, build_table("data", "provider", "!>age", rows=map(_freshness_row, freshness))),
        (not_closed, build_table("breaker", "!state", "+~reason", rows=[list(each.values()) for each in breakers])),
    ]
    # A terminal may be too short for all of them.
    ordered = sorted((table for table in tables if table[1].rows), key=lambda table: not table[0])
    return [head, "", *(line for _, table in ordered for line in (table, ""))]


def _unwell_first(records: Sequence[R], is_unwell: Callable[[R], bool]) -> tuple[list[R], bool]:
    """Return records with those that are not well first, and whether there are such records."""
    unwell = [record for record in records if is_unwell(record)]
    return [*unwell, *(record for record in records if not is_unwell(record))], bool(unwell)


def _unwell_checks(data: StatusView) -> set[str]:
    return {check["name"] for check in data["checks"] if check["status"] != HealthStatus.OK}


def _is_unwell(schedule: ScheduleStateView) -> bool:
    """Whether a schedule does not run as it should: it has a problem, its last run failed, or it is late or paused."""
    due_in = schedule["next_in_seconds"]
    is_late = due_in is not None and due_in < -LATE_SECONDS
    has_failed = schedule["last_outcome"] in {"dead-lettered", "lost"}
    return bool(schedule["problem"] or schedule["paused"]) or has_failed or is_late


def _schedule_row(schedule: ScheduleStateView) -> list[object]:
    return [schedule["name"], schedule["last_outcome"], _next_run_text(schedule)]


def _freshness_row(record: FreshnessView) -> list[object]:
    return [record["dataset"], record["provider"], age_cell(record["age_seconds"], stale=record["stale"])]


def _figures_table(records: Sequence[Mapping[str, Any]], name_key: str, *figure_keys: str) -> Table:
    """Return a table with one row per record.

    Args:
        records: The records.
        name_key: Key of the name in the first column, which is also its heading.
        figure_keys: Keys of the other columns. Values whose key ends in `_seconds` are shown as durations.
    """
    rows = [
        [
            record[name_key],
            *(format_duration(record[key]) if key.endswith("_seconds") else record[key] for key in figure_keys),
        ]
        for record in records
    ]
    headings = (key.removesuffix("_age_seconds").replace("_", " ") for key in figure_keys)
    return build_table(name_key, *(f"+>{heading}" for heading in headings), rows=rows)


def _next_run_text(schedule: ScheduleStateView) -> str:
    if schedule["suspended"]:
        return "suspended"
    if schedule["paused"]:
        return "paused"
    if schedule["after"] and schedule["next_in_seconds"] is None and not schedule["problem"]:
        return "on success"
    return schedule["problem"] or format_duration(schedule["next_in_seconds"])
