"""`financehub status`: the fleet at a glance."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from financehub_cli.outcome import ExitCode
from financehub_cli.output import AsJson, Every, View, Watch, iso, plain, present_or_watch, span, table
from financehub_cli.session import Session
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.health import HealthReport, HealthStatus
from financehub_shared.health.checks import SCHEDULER, FleetSnapshot, evaluate
from financehub_shared.health.readers import health_checker
from financehub_shared.schedules import ScheduleInfo, list_schedules, refused_schedules

_COLOURS = {HealthStatus.OK: "bold green", HealthStatus.DEGRADED: "bold yellow", HealthStatus.DOWN: "bold red"}


def status(as_json: AsJson = False, watch: Watch = False, every: Every = 2.0) -> None:
    """The fleet at a glance: tiers, queues, schedules, breakers, freshness.

    Ends with 0 if everything is well, 1 if anything is degraded or down, 3 if Redis does not answer.

    JSON: {status, at, problems, checks, tiers, queues, schedules, refused_schedules, breakers, freshness}; status is
    ok, degraded or down, problems says why, checks is what /api/health/ gives.

    Examples:
    - `financehub status --watch`
    - `financehub status --json | jq '.problems'`
    """
    session = Session()
    checker = health_checker(session.settings)

    def read() -> View:
        schedules = list_schedules(session.broker_client)
        snapshot = checker.collect(schedules)
        if snapshot.redis_error:
            raise StoreUnavailableError(snapshot.redis_error)
        refused = refused_schedules(session.broker_client)
        data = _record(snapshot, schedules) | {"refused_schedules": refused}
        report = evaluate(snapshot)
        code = ExitCode.OK if report.status is HealthStatus.OK else ExitCode.FAILED
        return View(report.as_dict() | {"at": iso(snapshot.now)} | data, _shown(report, data), [], code)

    present_or_watch(read, as_json=as_json, watch=watch, every=every)


def _record(snapshot: FleetSnapshot, schedules: Sequence[ScheduleInfo]) -> dict[str, Any]:
    tiers = []
    schedulers = [process for process in snapshot.processes if process.tier == SCHEDULER]
    for tier, members in (*snapshot.workers_by_tier.items(), (SCHEDULER, schedulers)):
        tiers.append(
            {
                "tier": tier,
                "processes": len(members),
                "threads": sum(one.threads for one in members),
                "busy": sum(one.busy for one in members),
                "draining": sum(one.draining for one in members),
            }
        )
    freshness = [
        {
            "dataset": dataset,
            "provider": provider,
            "last_success": iso(at),
            "age_seconds": round(snapshot.now - at, 3),
            "stale": snapshot.now - at > snapshot.limits.get(dataset, float("inf")),
        }
        for (dataset, provider), at in sorted(snapshot.last_success.items())
    ]
    return {
        "tiers": tiers,
        "queues": [asdict(queue) for queue in snapshot.queues],  # type: ignore[call-overload]
        "schedules": [
            {
                "name": each.name,
                "task": each.task,
                "suspended": each.suspended,
                "problem": each.problem,
                "last_outcome": each.outcome.last_run_outcome or None,
                "last_success": iso(each.outcome.last_success_at),
                "next": [iso(at) for at in each.next_times],
                "next_in_seconds": round(each.next_times[0] - snapshot.now, 3) if each.next_times else None,
            }
            for each in schedules
        ],
        "breakers": [
            {"upstream": each.upstream, "state": each.state, "reason": each.reason} for each in snapshot.breakers
        ],
        "freshness": freshness,
    }


def _shown(report: HealthReport, data: dict[str, Any]) -> RenderableType:
    problems = [*report.problems, *(f"{place}: {why}" for place, why in data["refused_schedules"].items())]
    schedules = [[each["name"], each["last_outcome"], _next(each)] for each in data["schedules"]]
    freshness = [[each["dataset"], each["provider"], _age(each)] for each in data["freshness"]]
    parts: list[RenderableType] = [
        Text(report.status.value, _COLOURS[report.status]),
        *(Text.assemble(("  ! ", "yellow"), plain(problem)) for problem in problems),
        _figures(data["tiers"], "tier", "processes", "busy", "threads", "draining"),
        _figures(data["queues"], "queue", "ready", "in_flight", "delayed", "dead", "orphaned", "oldest_age_seconds"),
        table("schedule", "last run", "next in", rows=schedules),
        table("data", "provider", ">age", rows=freshness),
        table("breaker", "state", "reason", rows=[list(each.values()) for each in data["breakers"]]),
    ]
    return Group(*(part for each in parts for part in (each, Text(""))))


def _figures(records: Sequence[dict[str, Any]], first: str, *names: str) -> RenderableType:
    """A table of a name and figures; ages are shown as such."""
    rows = [
        [each[first], *(span(each[name]) if name.endswith("_seconds") else each[name] for name in names)]
        for each in records
    ]
    headings = (name.removesuffix("_age_seconds").replace("_", " ") for name in names)
    return table(first, *(f">{heading}" for heading in headings), rows=rows)


def _next(schedule: dict[str, Any]) -> str:
    return "suspended" if schedule["suspended"] else schedule["problem"] or span(schedule["next_in_seconds"])


def _age(mark: dict[str, Any]) -> Text | str:
    age = span(mark["age_seconds"])
    return Text(f"{age} stale", "yellow") if mark["stale"] else age
