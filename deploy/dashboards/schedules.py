"""Schedules: does everything run when it should, and does it succeed?"""

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
#: Seconds after which a due time that has not been handled is late.
LATE = 60


def _events(counter: str) -> str:
    """Events of each schedule within the time range; 0 if it has had none yet."""
    return f"{increase(counter, 'namespace, release, scheduledtask')} or 0 * {_FAILURES}"


def now() -> Section:
    """How many there are, and how many are in trouble."""
    states = figure(
        About(
            title="Schedules by state",
            text="Schedules that a scheduler knows. Suspended ones were paused on purpose. Stopped ones were refused "
            "or have no due time left: `financehub schedules list` gives the reason.",
            unit="none",
            no_value=_NO_SCHEDULER,
            decimals=0,
        ),
        Query(f"max by (state) ({series('financehub_schedules')})", "{{state}}"),
    )
    late = figure(
        About(
            title="Late now",
            text="Schedules whose due time passed more than a minute ago. Anything above 0 is bad: no scheduler "
            "enqueues them. The table shows which ones, and the scheduler's log shows why.",
            unit="none",
            no_value=_NO_SCHEDULER,
            steps=ABOVE_ZERO_IS_BAD,
        ),
        Query(f"sum(({_DUE_IN}) < bool -{LATE})", "late"),
    )
    failing = figure(
        About(
            title="Failing now",
            text="Schedules whose last run was given up or lost. A single failure may pass without help; the table "
            "shows how many there were in a row. Three in a row raise an alert.",
            unit="none",
            no_value=_NO_SCHEDULER,
            steps=ABOVE_ZERO_WARNS,
        ),
        Query(f"sum({_FAILURES} > bool 0)", "failing"),
    )
    return Section(None, [Line(4, [(12, states), (6, late), (6, failing)])])


def list_all() -> Section:
    """One row per schedule."""
    table = rows(
        About(
            title="Schedules",
            text="When each schedule is due next, its failures in a row, and how many due times were missed or skipped "
            "within the time range; late schedules are on top. A due time more than a minute ago is bad, and so are "
            "three failures in a row: read the last run with `financehub schedules show`.",
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
                title="Failures in a row",
                expr=_FAILURES,
                steps=((None, GOOD), (1, WARN), (3, BAD)),
                decimals=0,
            ),
            Column(
                title="Missed", expr=_events("financehub_schedule_missed_total"), steps=ABOVE_ZERO_WARNS, decimals=0
            ),
            Column(title="Skipped", expr=_events("financehub_schedule_skipped_total"), decimals=0),
        ],
        sort="Due in",
        descending=False,
    )
    return Section("Which schedule is late or failing?", [Line(10, [(24, table)])])


def outcomes() -> Section:
    """Which schedules have failed, and since when."""
    ever = f"max_over_time({series('financehub_schedule_consecutive_failures')}[$__range] @ end()) > 0"
    failing = timeline(
        About(
            title="Failures in a row",
            text="Schedules with a run that was given up or lost within the time range, and how many in a row. A band "
            "that ended is over. A band that goes on and counts up is bad: look at the dead letters of its tier.",
            unit="none",
            no_value=none_is_good("no schedule has failed"),
            steps=((None, GOOD), (1, WARN), (3, BAD)),
            decimals=0,
        ),
        Query(f"{_FAILURES} and on (namespace, release, scheduledtask) ({ever})", "{{scheduledtask}}"),
    )
    return Section("Does it succeed?", [Line(7, [(24, failing)])])


def punctuality() -> Section:
    """How late due times are enqueued, and which ones are not enqueued at all."""
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
            text="The schedules with the highest mean lag within the time range. One far above the others is bad: read "
            "the scheduler's log for its name. If all are alike, the scheduler or Redis is slow.",
            unit="s",
            no_value=_NO_SCHEDULER,
        ),
        Query(f"topk(8, {seconds} / ({runs} > 0))", "{{scheduledtask}}"),
    )
    missed = graph(
        About(
            title="Missed due times",
            text="Due times of the last 30 minutes that were given up because they were too late. Each is bad: its run "
            "did not happen. Look for a time without a scheduler or without Redis, then run `financehub schedules "
            "backfill`.",
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
            text="Due times skipped on purpose, per minute. Overlap: the last run had not ended. Backlog: the queue "
            "was too deep. Either is bad if it goes on: runs take longer than their period. Refused: the task does not "
            "accept the schedule's arguments; correct them.",
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
    """The dashboard."""
    text = "Whether every schedule runs when it should and succeeds; late ones are on top."
    return assemble(UID, text, [now(), list_all(), outcomes(), punctuality()], period="6h")
