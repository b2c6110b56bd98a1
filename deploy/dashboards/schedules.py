"""Schedules: does everything run when it should, and does it end well?"""

from grafana_foundation_sdk.models import dashboard

from dashboards.layout import Line, Section, assemble
from dashboards.panels import About, Query, bars, figure, graph, none_is_good, timeline
from dashboards.promql import fleet, increase, per_minute, quantile, series
from dashboards.style import BAD, GOOD, WARN, ZERO_IS_BEST, ZERO_IS_GOOD
from dashboards.tables import Column, rows

UID = "financehub-schedules"
_NO_SCHEDULER = "No answer: no scheduler is scraped"

_FAILURES = fleet("financehub_schedule_consecutive_failures", "scheduledtask")
_NEXT = f"{fleet('financehub_schedule_next_run_timestamp_seconds', 'scheduledtask')} > 0"
_DUE_IN = f"({_NEXT}) - time()"
#: Seconds after which a due time that has not been handled is late.
LATE = 60


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
            text="Schedules whose due time passed more than a minute ago. Anything but 0 is bad: no scheduler "
            "enqueues them. See the table for which, and the scheduler's log for why.",
            unit="none",
            no_value=_NO_SCHEDULER,
            steps=ZERO_IS_GOOD,
        ),
        Query(f"sum(({_DUE_IN}) < bool -{LATE})", "late"),
    )
    failing = figure(
        About(
            title="Failing now",
            text="Schedules whose last run was given up or lost. One failure may pass by itself; see the table for "
            "how many in a row.",
            unit="none",
            no_value=_NO_SCHEDULER,
            steps=ZERO_IS_BEST,
        ),
        Query(f"sum({_FAILURES} > bool 0)", "failing"),
    )
    return Section(None, [Line(4, [(12, states), (6, late), (6, failing)])])


def list_all() -> Section:
    """One row per schedule."""
    table = rows(
        About(
            title="Schedules",
            text="When each schedule is due next, late ones on top, with its failures in a row and what was missed or "
            "skipped within the time range. A due time more than a minute ago is bad, and so are two or more failures "
            "in a row: open its last run with `financehub schedules show`.",
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
                title="Missed",
                expr=increase("financehub_schedule_missed_total", "scheduledtask"),
                steps=ZERO_IS_BEST,
                decimals=0,
            ),
            Column(title="Skipped", expr=increase("financehub_schedule_skipped_total", "scheduledtask"), decimals=0),
        ],
        sort="Due in",
        descending=False,
    )
    return Section("Which schedule is late or failing?", [Line(10, [(24, table)])])


def punctuality() -> Section:
    """How late due times are enqueued, and which are not at all."""
    lag = graph(
        About(
            title="Lag",
            text="Time from when a schedule was due until its message was in the queue, over all schedules. Normal is "
            "10 milliseconds. Seconds are bad: look at the scheduler's event-loop lag and at the round trip of Redis. "
            "An alert fires at 5 seconds in 90 %.",
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
            text="Schedules with the highest mean lag within the time range. One far above the rest is bad: its "
            "source or its overlap rule holds it back.",
            unit="s",
            no_value=_NO_SCHEDULER,
        ),
        Query(f"topk(8, {seconds} / ({runs} > 0))", "{{scheduledtask}}"),
    )
    missed = graph(
        About(
            title="Missed due times",
            text="Due times of the last 30 minutes that were given up because they were too late. Each is bad: a run "
            "that did not happen. Look for a scheduler that was away, or a Redis that was.",
            unit="none",
            no_value=none_is_good("no due time was missed"),
            steps=ZERO_IS_GOOD,
            decimals=0,
        ),
        Query(f"{fleet('release:financehub_schedule_missed:increase30m', 'scheduledtask')} > 0", "{{scheduledtask}}"),
        bar=True,
    )
    skipped = graph(
        About(
            title="Skipped by reason",
            text="Due times left out on purpose. Overlap: the last run was not over. Backlog: the queue was too deep. "
            "Both for long are bad: runs take longer than their period. Refused: the task does not take the "
            "schedule's arguments.",
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


def outcomes() -> Section:
    """Which schedules have failed, and since when."""
    ever = f"max_over_time({series('financehub_schedule_consecutive_failures')}[$__range] @ end()) > 0"
    failing = timeline(
        About(
            title="Failures in a row",
            text="Schedules with a run that was given up or lost within the time range, and how many in a row. A band "
            "that ends is over; one that goes on and counts up is bad: look at the dead letters of its tier.",
            unit="none",
            no_value=none_is_good("no schedule has failed"),
            steps=((None, GOOD), (1, WARN), (3, BAD)),
            decimals=0,
        ),
        Query(f"{_FAILURES} and on (namespace, release, scheduledtask) ({ever})", "{{scheduledtask}}"),
    )
    return Section("Does it end well?", [Line(9, [(24, failing)])])


def build() -> dashboard.Dashboard:
    """The dashboard."""
    text = "Whether every schedule runs when it should and ends well, late and failing ones on top."
    return assemble(UID, text, [now(), list_all(), punctuality(), outcomes()], period="6h")
