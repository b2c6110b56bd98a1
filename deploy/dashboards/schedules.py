"""The Schedules dashboard shows whether every schedule runs on time and succeeds."""

from grafana_foundation_sdk.models import dashboard

from dashboards.layout import Line, Section, assemble
from dashboards.panels import About, Query, bars, figure, graph, none_is_good, timeline
from dashboards.promql import fleet, increase, per_minute, quantile, series
from dashboards.style import ABOVE_ZERO_IS_BAD, ABOVE_ZERO_WARNS, BAD, GOOD, WARN
from dashboards.tables import Column, rows

UID = "financehub-schedules"
_NO_SCHEDULER = "No data: no scheduler is scraped"

_FAILURES = fleet("financehub_schedule_consecutive_failures", "scheduledtask")
_NEXT = f"{fleet('financehub_schedule_next_run_timestamp_seconds', 'scheduledtask')} > 0"
_DUE_IN = f"({_NEXT}) - time()"
#: Seconds after which a due time without an enqueued run is late.
LATE = 60


def _events(counter: str) -> str:
    """Return each schedule's events within the time range, or 0 if there were none yet."""
    return f"{increase(counter, 'namespace, release, scheduledtask')} or 0 * {_FAILURES}"


def now() -> Section:
    """The number of schedules by state, and how many are late or failing."""
    states = figure(
        About(
            title="Schedules by state",
            text="Schedules that a scheduler knows. Suspended ones have `suspend: true`, and a user has "
            "paused the paused ones. Stopped ones were refused "
            "or have no due time left. `financehub schedules list` shows the reason.",
            unit="none",
            no_value=_NO_SCHEDULER,
            decimals=0,
        ),
        Query(f"max by (state) ({series('financehub_schedules')})", "{{state}}"),
    )
    late = figure(
        About(
            title="Late now",
            text="Schedules whose due time passed more than a minute ago. Anything above 0 is bad, because no "
            "scheduler enqueues their runs. The table shows which schedules are late, and the scheduler's log shows "
            "why.",
            unit="none",
            no_value=_NO_SCHEDULER,
            steps=ABOVE_ZERO_IS_BAD,
        ),
        Query(f"sum(({_DUE_IN}) < bool -{LATE})", "late"),
    )
    failing = figure(
        About(
            title="Failing now",
            text="Schedules whose last run was dead-lettered or lost. A single failure may be temporary. The table "
            "shows the number of consecutive failures. Three of them raise an alert.",
            unit="none",
            no_value=_NO_SCHEDULER,
            steps=ABOVE_ZERO_WARNS,
        ),
        Query(f"sum({_FAILURES} > bool 0)", "failing"),
    )
    return Section(None, [Line(4, [(12, states), (6, late), (6, failing)])])


def list_all() -> Section:
    """A table with one row per schedule."""
    table = rows(
        About(
            title="Schedules",
            text="When each schedule is due next, its consecutive failures, and how many due times were missed, "
            "skipped, or taken over from a scheduler that did not fire, within the time range. Late schedules are on "
            "top. A due time more than a minute ago is bad, and so are three consecutive failures. Inspect the last "
            "run with `financehub schedules show`.",
            unit="none",
            no_value=_NO_SCHEDULER,
        ),
        {"scheduledtask": "Schedule"},
        [
            Column(
                title="Due in",
                expr=_DUE_IN,
                unit="s",
                steps=((None, BAD), (-LATE, WARN), (0, GOOD)),
                decimals=0,
            ),
            Column(
                title="Consecutive failures",
                expr=_FAILURES,
                steps=((None, GOOD), (1, WARN), (3, BAD)),
                decimals=0,
            ),
            Column(
                title="Missed", expr=_events("financehub_schedule_missed_total"), steps=ABOVE_ZERO_WARNS, decimals=0
            ),
            Column(title="Skipped", expr=_events("financehub_schedule_skipped_total"), decimals=0),
            Column(title="Taken over", expr=_events("financehub_schedule_taken_over_total"), decimals=0),
        ],
        sort="Due in",
        descending=False,
    )
    return Section("Which schedule is late or failing?", [Line(10, [(24, table)])])


def outcomes() -> Section:
    """The schedules that have failed, over time."""
    has_failed = f"max_over_time({series('financehub_schedule_consecutive_failures')}[$__range] @ end()) > 0"
    failing = timeline(
        About(
            title="Consecutive failures",
            text="Schedules with a run that was dead-lettered or lost within the time range, and the number of "
            "consecutive failures. If a band has ended, the schedule succeeds again. A band that continues with a "
            "rising number is bad: look at the dead letters of its tier.",
            unit="none",
            no_value=none_is_good("no schedule has failed"),
            steps=((None, GOOD), (1, WARN), (3, BAD)),
            decimals=0,
        ),
        Query(f"{_FAILURES} and on (namespace, release, scheduledtask) ({has_failed})", "{{scheduledtask}}"),
    )
    return Section("Does it succeed?", [Line(7, [(24, failing)])])


def punctuality() -> Section:
    """The lag of due runs, and the due times that were missed or skipped."""
    lag = graph(
        About(
            title="Lag",
            text="The time from when a schedule was due until its message was in the queue, over all schedules. About "
            "10 milliseconds are normal. An alert fires if the 90 % line is above 5 seconds: look at the scheduler's "
            "event-loop lag and at the round trip of Redis.",
            unit="s",
            no_value=_NO_SCHEDULER,
            steps=((None, GOOD), (5, WARN)),
        ),
        *(
            Query(quantile(rank, "financehub_schedule_lag_seconds", ""), name)
            for rank, name in ((0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"))
        ),
        interval="5m",
    )
    seconds = increase("financehub_schedule_lag_seconds_sum", "scheduledtask")
    runs = increase("financehub_schedule_lag_seconds_count", "scheduledtask")
    slowest = bars(
        About(
            title="Highest mean lag",
            text="The schedules with the highest mean lag within the time range. One far above the others is bad: "
            "search the scheduler's log for its name. If all are alike, the scheduler or Redis is slow.",
            unit="s",
            no_value=_NO_SCHEDULER,
        ),
        Query(f"topk(8, {seconds} / ({runs} > 0))", "{{scheduledtask}}"),
    )
    missed = graph(
        About(
            title="Missed due times",
            text="Due times that were missed in the last 30 minutes. Each is bad, because its run did not happen. "
            "Find out when no scheduler or Redis was running, then run `financehub schedules backfill`.",
            unit="none",
            no_value=none_is_good("no due time was missed"),
            steps=ABOVE_ZERO_IS_BAD,
            decimals=0,
        ),
        Query(f"{fleet('release:financehub_schedule_missed:increase30m', 'scheduledtask')} > 0", "{{scheduledtask}}"),
        bar=True,
    )
    skipped = graph(
        About(
            title="Skipped by reason",
            text="Due times that were skipped on purpose, per minute. Overlap means that the previous run had not "
            "ended, and backlog that the queue was too long. Both are bad if they continue, because runs take longer "
            "than their period. Refused means that the task does not accept the schedule's arguments; correct them.",
            unit="cpm",
            no_value=none_is_good("no due time was skipped"),
        ),
        Query(
            f"{per_minute('financehub_schedule_skipped_total', 'scheduledtask, reason')} > 0",
            "{{scheduledtask}}: {{reason}}",
        ),
        bar=True,
    )
    return Section(
        "Does it run on time?", [Line(8, [(14, lag), (10, slowest)]), Line(8, [(12, missed), (12, skipped)])]
    )


def build() -> dashboard.Dashboard:
    """Build the dashboard."""
    text = "Whether every schedule runs on time and succeeds. Late schedules are on top."
    return assemble(UID, text, [now(), list_all(), outcomes(), punctuality()], period="6h")
