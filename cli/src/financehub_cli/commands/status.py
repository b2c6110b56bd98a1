"""`financehub status`: the state of the whole fleet on one page."""

from collections.abc import Mapping, Sequence
from typing import Any

from financehub_cli.exit_codes import ExitCode
from financehub_cli.listing import tables
from financehub_cli.options import AsJson, Interval, Watch
from financehub_cli.output.formats import age_cell
from financehub_cli.output.result import CommandResult, print_or_watch
from financehub_cli.output.table import build_table
from financehub_cli.output.terminal import Content
from financehub_cli.output.text import Styled
from financehub_cli.session import Session
from financehub_shared.core.durations import format_duration
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.health.checker import HealthChecker
from financehub_shared.health.readers import health_checker
from financehub_shared.health.report import HealthReport, HealthStatus
from financehub_shared.schedules import list_schedules, refused_schedules
from financehub_shared.views.status import ScheduleStateView, StatusView, status_view

_COLORS = {HealthStatus.OK: "bold green", HealthStatus.DEGRADED: "bold yellow", HealthStatus.DOWN: "bold red"}


@tables
def status(as_json: AsJson = False, watch: Watch = False, interval: Interval = 2.0) -> None:
    """Show the state of the fleet: tiers, queues, schedules, circuit breakers and the freshness of the data.

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
    """Return the page for people: the status, its problems and one table per topic."""
    problems = [*report.problems, *(f"{place}: {why}" for place, why in data["refused_schedules"].items())]
    schedules = [[each["name"], each["last_outcome"], _next_run_text(each)] for each in data["schedules"]]
    freshness = [
        [each["dataset"], each["provider"], age_cell(each["age_seconds"], stale=each["stale"])]
        for each in data["freshness"]
    ]
    parts: list[Content] = [
        Styled(report.status.value, _COLORS[report.status]),
        *(Styled(f"  ! {problem}", "yellow") for problem in problems),
        _figures_table(data["tiers"], "tier", "processes", "busy", "threads", "draining"),
        _figures_table(
            data["queues"], "queue", "ready", "in_flight", "delayed", "dead", "orphaned", "oldest_age_seconds"
        ),
        build_table("schedule", "!last run", "!~next in", rows=schedules),
        build_table("data", "provider", "!>age", rows=freshness),
        build_table("breaker", "!state", "+~reason", rows=[list(each.values()) for each in data["breakers"]]),
    ]
    return [line for part in parts for line in (part, "")]


def _figures_table(records: Sequence[Mapping[str, Any]], name_key: str, *figure_keys: str) -> Content:
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
    return schedule["problem"] or format_duration(schedule["next_in_seconds"])
