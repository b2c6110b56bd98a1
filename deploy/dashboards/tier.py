"""The Tier dashboard shows why a tier is behind: too few workers, too much work, or work that hangs or fails."""

from grafana_foundation_sdk.models import dashboard

from dashboards.layout import Line, Section, assemble
from dashboards.panels import About, Query, distribution, figure, graph, none_is_good
from dashboards.promql import COMPONENT, TIER, fleet, join, named, per_minute, rate, series
from dashboards.style import ABOVE_ZERO_IS_BAD, ABOVE_ZERO_WARNS, BAD, GOOD, WARN

UID = "financehub-tier"
_NO_SCHEDULER = "No data: no scheduler is scraped, or it gets no answer from Redis"
_NO_WORKER = "No data: no worker of this tier is scraped"

_WAIT = fleet("financehub_queue_oldest_message_age_seconds", "queue", TIER)
_TARGET = fleet("financehub_queue_wait_target_seconds", "queue", TIER)
_BUSY = f"sum by (queue) ({series('financehub_worker_slots_busy', TIER)})"
_SLOTS = f"sum by (queue) ({series('financehub_worker_slots', TIER)})"


def _messages(state: str) -> str:
    return fleet("financehub_queue_messages", "queue", TIER, f'state="{state}"')


def now() -> Section:
    """Six key numbers that show the state of the tier."""
    wait = figure(
        About(
            title="Oldest message ÷ target",
            text="How long the oldest ready message has waited, as a share of the wait target. Above 100 % is bad, "
            "because messages start too late. The sections below show why.",
            unit="percentunit",
            no_value=_NO_SCHEDULER,
            steps=((None, GOOD), (0.8, WARN), (1, BAD)),
            decimals=0,
        ),
        Query(f"{_WAIT} / {_TARGET}", "oldest message ÷ target"),
        trend=True,
    )
    ready = figure(
        About(
            title="Ready messages",
            text="Messages that wait for a free slot. Many are fine as long as they start within the wait target. "
            "Compare this with the oldest message.",
            unit="none",
            no_value=_NO_SCHEDULER,
            decimals=0,
        ),
        Query(_messages("ready"), "ready"),
        trend=True,
    )
    live = fleet("financehub_queue_workers", "queue", TIER)
    minimum = fleet("financehub_queue_workers_min", "queue", TIER)
    workers = figure(
        About(
            title="Missing workers",
            text="The number of live workers that the tier needs to reach its minimum. Anything above 0 is bad. Look "
            "at the pods of the tier and find out why they do not start.",
            unit="none",
            no_value=_NO_SCHEDULER,
            steps=ABOVE_ZERO_IS_BAD,
            decimals=0,
        ),
        Query(f"clamp_min({minimum} - {live}, 0)", "missing"),
    )
    busy = figure(
        About(
            title="Busy slots",
            text="The share of slots (threads) that are running a message. At 100 % every further message waits. If "
            "the wait rises as well, allow the tier more workers.",
            unit="percentunit",
            no_value=_NO_WORKER,
            steps=((None, GOOD), (1, WARN)),
            high=1,
            decimals=0,
        ),
        Query(f"{_BUSY} / {_SLOTS}", "busy ÷ slots"),
        trend=True,
    )
    orphaned = figure(
        About(
            title="Orphaned messages",
            text="Messages in the hands of dead workers. A scheduler reclaims them within seconds. A number that "
            "stays for minutes is bad: read the scheduler's log lines about the janitor.",
            unit="none",
            no_value=_NO_SCHEDULER,
            steps=ABOVE_ZERO_WARNS,
            decimals=0,
        ),
        Query(fleet("financehub_queue_orphaned_messages", "queue", TIER), "orphaned"),
    )
    dead = figure(
        About(
            title="Dead letters",
            text="Messages of this tier that failed permanently and are kept for inspection. Read the errors with "
            "`financehub dead-letters list`, and requeue the messages once the cause is fixed.",
            unit="none",
            no_value=_NO_SCHEDULER,
            decimals=0,
        ),
        Query(_messages("dead"), "dead letters"),
    )
    return Section(None, [Line(4, [(4, wait), (4, ready), (4, busy), (4, workers), (4, orphaned), (4, dead)])])


def start() -> Section:
    """How long messages wait before they start."""
    state = graph(
        About(
            title="State of the queue",
            text="Messages by state: ready ones wait for a slot, inflight ones run, and delayed ones wait for their "
            "retry. A ready band that keeps growing is bad, because the tier receives more work than it can do.",
            unit="none",
            no_value=_NO_SCHEDULER,
            decimals=0,
        ),
        Query(
            f"max by (state) ({series('financehub_queue_messages', TIER, 'state!=' + chr(34) + 'dead' + chr(34))})",
            "{{state}}",
        ),
        stacked=True,
    )
    oldest = graph(
        About(
            title="Oldest message and its target",
            text="How long the oldest ready message has waited, and its wait target. A wait above the target for five "
            "minutes is bad and raises an alert.",
            unit="s",
            no_value=_NO_SCHEDULER,
        ),
        Query(named("figure", oldest=_WAIT, target=_TARGET), "{{figure}}"),
    )
    wait = distribution(
        About(
            title="Time from ready to start",
            text="The distribution of waits before attempts started. Darker means more attempts. Dark cells that move "
            "up are bad, because all messages wait longer. A burst or a stuck slot causes a second band higher up.",
            unit="s",
            no_value=_NO_WORKER,
        ),
        Query(
            f"sum by (le) (increase({series('financehub_message_wait_seconds_bucket', TIER)}[$__rate_interval]))",
            "{{le}}",
        ),
    )
    started = rate("financehub_messages_started_total", "actor", TIER)
    late = graph(
        About(
            title="Share of attempts that start late",
            text="The share of attempts that started after the wait target. The objective allows 1 % over 30 days. "
            "More than that for hours is bad. If it affects all tasks, the tier lacks capacity.",
            unit="percentunit",
            no_value=_NO_WORKER,
            steps=((None, GOOD), (0.01, WARN), (0.144, BAD)),
            high=1,
        ),
        Query(
            f"{rate('financehub_messages_started_late_total', 'actor', TIER)} / ({started} > 0) or 0 * {started}",
            "{{actor}}",
        ),
    )
    return Section(
        "Do messages start in time?", [Line(8, [(12, state), (12, oldest)]), Line(7, [(12, wait), (12, late)])]
    )


def capacity() -> Section:
    """The tier's slots, workers and message flow."""
    busy = graph(
        About(
            title="Busy ÷ slots",
            text="The share of the tier's slots (threads) that are running a message. 100 % while messages wait is "
            "bad: allow more workers, or look for blocked slots in the panel Longest running attempt.",
            unit="percentunit",
            no_value=_NO_WORKER,
            high=1,
        ),
        Query(f"{_BUSY} / {_SLOTS}", "{{queue}}"),
    )
    workers = {
        "live": fleet("financehub_queue_workers", "queue", TIER),
        "minimum": fleet("financehub_queue_workers_min", "queue", TIER),
        "maximum": fleet("financehub_queue_workers_max", "queue", TIER),
        "draining": f"sum by (component) ({series('financehub_worker_draining', COMPONENT)})",
    }
    replicas = graph(
        About(
            title="Replicas",
            text="Live workers, the minimum and maximum that the tier may be scaled to, and workers that are shutting "
            "down. Fewer live workers than the minimum are bad. The maximum while the oldest message keeps aging is "
            "bad too: raise the maximum. A worker that drains longer than its grace period is stuck.",
            unit="none",
            no_value=_NO_SCHEDULER,
            decimals=0,
        ),
        Query(named("figure", **workers), "{{figure}}"),
    )
    flow = graph(
        About(
            title="Messages in and out",
            text="Messages enqueued, attempts started and retries enqueued, per minute. If more are enqueued than "
            "started for a long time, the queue grows, which is bad. Many retries are extra work caused by a failing "
            "upstream.",
            unit="cpm",
            no_value=_NO_WORKER,
        ),
        Query(
            named(
                "figure",
                enqueued=per_minute("financehub_messages_enqueued_total", "queue", TIER),
                started=per_minute("financehub_messages_started_total", "queue", TIER),
                retried=per_minute("financehub_message_retries_total", "queue", TIER),
            ),
            "{{figure}}",
        ),
    )
    return Section("Is there enough capacity?", [Line(7, [(8, busy), (8, replicas), (8, flow)])])


def runs() -> Section:
    """The duration and outcomes of attempts."""
    longest = f"max by (actor) ({series('financehub_longest_running_message_seconds', COMPONENT)})"
    limit = f"max by (actor) ({series('financehub_message_time_limit_seconds', COMPONENT)})"
    running = graph(
        About(
            title="Longest running attempt ÷ its limit",
            text="The age of the longest running attempt of each task, as a share of the time after which it is "
            "interrupted. Above 100 % for more than a minute is bad: the interrupt did not end the attempt, and the "
            "attempt blocks its slot. Restart that worker.",
            unit="percentunit",
            no_value=_NO_WORKER,
            steps=((None, GOOD), (1, BAD)),
        ),
        Query(f"{longest} / {limit}", "{{actor}}"),
    )
    duration = distribution(
        About(
            title="Duration of attempts",
            text="The distribution of the duration of attempts. Darker means more attempts. Dark cells that move up "
            "are bad: an upstream or Redis has become slow. Compare with the latencies on Providers.",
            unit="s",
            no_value=_NO_WORKER,
        ),
        Query(
            f"sum by (le) (increase({series('financehub_message_duration_seconds_bucket', TIER)}[$__rate_interval]))",
            "{{le}}",
        ),
    )
    outcomes = graph(
        About(
            title="Attempts by outcome",
            text="The outcomes of attempts, per minute. Skipped messages were too old to be useful. Dead-lettered "
            "ones are bad, because they failed permanently. Read the errors with `financehub dead-letters list`.",
            unit="cpm",
            no_value=_NO_WORKER,
        ),
        Query(per_minute("financehub_messages_total", "outcome", TIER), "{{outcome}}"),
        stacked=True,
    )
    exceptions = graph(
        About(
            title="Exceptions",
            text="Exceptions that ended attempts, by task and type. Upstream errors end when the upstream recovers. "
            "Any other type is bad, because it shows a bug or a wrong setting. Search the worker's log for its name.",
            unit="cpm",
            no_value=none_is_good("no attempt has raised an exception"),
        ),
        Query(
            per_minute("financehub_message_failures_total", "actor, exception", COMPONENT), "{{actor}}: {{exception}}"
        ),
        bar=True,
    )
    return Section(
        "How do runs go?", [Line(7, [(12, duration), (12, running)]), Line(7, [(12, outcomes), (12, exceptions)])]
    )


def losses() -> Section:
    """Details that are rarely needed: memory, dead workers and dead letters."""
    orphaned = graph(
        About(
            title="Messages of dead workers",
            text="Messages in the hands of dead workers, and messages reclaimed from dead workers per minute. Each "
            "reclaimed message means that a worker died during a run. Look for restarts; the most frequent reason is "
            "a lack of memory.",
            unit="none",
            no_value=_NO_SCHEDULER,
        ),
        Query(
            named(
                "figure",
                orphaned=fleet("financehub_queue_orphaned_messages", "queue", TIER),
                reclaimed_per_minute=per_minute("financehub_queue_reclaimed_total", "queue", TIER),
            ),
            "{{figure}}",
        ),
    )
    dead = graph(
        About(
            title="Dead letters by reason",
            text="Dead-lettered messages by task and reason, per minute. Each is bad, because its run failed "
            "permanently. Requeue the message with `financehub dead-letters requeue` once the cause is fixed.",
            unit="cpm",
            no_value=none_is_good("no message was dead-lettered"),
        ),
        Query(per_minute("financehub_messages_dead_lettered_total", "actor, reason", TIER), "{{actor}}: {{reason}}"),
        bar=True,
    )
    unrecorded = graph(
        About(
            title="Run events that were not recorded",
            text="Starts and ends of attempts that are missing in run records and statistics, by reason, per minute. "
            "All are bad. `refused` means that Redis does not accept single values or keys; search the worker's log "
            "for `run_event_refused`. `memory` and `exit` mean that Redis was unavailable.",
            unit="cpm",
            no_value=none_is_good("every attempt was recorded"),
        ),
        Query(per_minute("financehub_run_events_lost_total", "reason", COMPONENT), "{{reason}}"),
        bar=True,
    )
    process = join("component", "pod", "instance")
    memory = graph(
        About(
            title="Memory by worker",
            text="Resident memory of each worker. A line that climbs for days is a leak. A line that ends at the pod's "
            "limit belongs to a worker that was killed: raise the limit, or find what the task holds in memory.",
            unit="bytes",
            no_value=_NO_WORKER,
        ),
        Query(
            f"max by ({process}) ({series('process_resident_memory_bytes', COMPONENT)})",
            "{{component}} {{pod}} {{instance}}",
        ),
    )
    return Section(
        "Do workers die?", [Line(8, [(6, memory), (6, orphaned), (6, dead), (6, unrecorded)])], collapsed=True
    )


def build() -> dashboard.Dashboard:
    """Build the dashboard."""
    text = "Why one tier is behind: too few workers, too much work, or work that hangs or fails."
    return assemble(UID, text, [now(), start(), capacity(), runs(), losses()], period="3h", with_tier=True)
