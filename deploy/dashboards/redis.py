"""The Redis dashboard shows whether Redis works and keeps its data, and whether every process is healthy."""

from grafana_foundation_sdk.models import dashboard

from dashboards.layout import Line, Section, assemble
from dashboards.panels import About, Query, figure, graph, timeline
from dashboards.promql import named, quantile, series
from dashboards.style import ABOVE_ZERO_IS_BAD, ABOVE_ZERO_WARNS, BAD, GOOD, PERSISTENCE, UP, WARN
from dashboards.tables import Column, rows

UID = "financehub-redis"
_NO_PROCESS = "No data: no FinanceHub process is scraped"
_NO_ANSWER = "No data: no FinanceHub process is scraped, or Redis answers none of them"
_NO_SCHEDULER = "No data: no scheduler is scraped, or it gets no answer from Redis"
_PROCESS = "component, pod, instance"
_PROCESS_LEGEND = "{{component}} {{pod}} {{instance}}"

_USED = f"max by (server) ({series('financehub_redis_memory_used_bytes')})"
_LIMIT = f"max by (server) ({series('financehub_redis_memory_max_bytes')})"


def _worst(metric: str) -> str:
    return f"max by (server) ({series(metric)})"


def now() -> Section:
    """Six key numbers that show the state of Redis."""
    up = figure(
        About(
            title="Redis",
            text="Whether Redis answers every process within a second. Down is bad, because nothing is enqueued, run "
            "or stored. The table of processes shows whether one process is cut off or all of them.",
            unit="none",
            no_value=_NO_PROCESS,
            steps=((None, BAD), (1, GOOD)),
            high=1,
            mappings=(UP,),
        ),
        Query(f"min by (server) ({series('financehub_redis_up')})", "{{server}}"),
    )
    memory = figure(
        About(
            title="Memory ÷ limit",
            text="The share of maxmemory that Redis uses. Above 80 % is bad, because a full Redis refuses every "
            "write. Find out what has grown, then raise the limit.",
            unit="percentunit",
            no_value="None: Redis has no memory limit, or no scheduler is scraped",
            steps=((None, GOOD), (0.8, WARN)),
            high=1,
            decimals=0,
        ),
        Query(f"{_USED} / ({_LIMIT} > 0)", "{{server}}"),
        trend=True,
    )
    policy = series("financehub_redis_eviction_policy_info")
    other = series("financehub_redis_eviction_policy_info", 'policy!="noeviction"')
    eviction = figure(
        About(
            title="Eviction policy",
            text="The policy that Redis applies when it is full. Any policy other than noeviction is bad, because "
            "Redis would silently delete messages and schedules. Set maxmemory-policy to noeviction.",
            unit="none",
            no_value=_NO_SCHEDULER,
            steps=ABOVE_ZERO_IS_BAD,
        ),
        Query(f"max by (server, policy) ({other}) or 0 * max by (server, policy) ({policy})", "{{server}}: {{policy}}"),
        name_only=True,
    )
    persistence = figure(
        About(
            title="Append-only file",
            text="Whether Redis writes its data to disk. Off is bad in production, because a restart loses all "
            "messages. Failing writes are worse: look at the free space of the disk and at the log of Redis.",
            unit="none",
            no_value=_NO_SCHEDULER,
            steps=((None, GOOD), (1, WARN), (2, BAD)),
            high=3,
            mappings=(PERSISTENCE,),
        ),
        Query(
            f"2 * {_worst('financehub_redis_persistence_failing')} + "
            f"(1 - min by (server) ({series('financehub_redis_aof_enabled')}))",
            "{{server}}",
        ),
    )
    evicted = figure(
        About(
            title="Evicted keys",
            text="Keys that Redis evicted within the time range. Anything above 0 is bad, because messages, schedules "
            "or data are lost. Set noeviction and give Redis more memory.",
            unit="none",
            no_value=_NO_SCHEDULER,
            steps=ABOVE_ZERO_IS_BAD,
            decimals=0,
        ),
        Query(f"max by (server) (increase({series('financehub_redis_evicted_keys_total')}[$__range]))", "{{server}}"),
    )
    skew = figure(
        About(
            title="Clock skew",
            text="The largest difference between the clock of a process and that of Redis. More than 2 seconds is "
            "bad, because due times and leases shift. Check the time synchronization of the nodes.",
            unit="s",
            no_value=_NO_ANSWER,
            steps=((None, GOOD), (2, BAD)),
        ),
        Query(f"max by (server) (abs({series('financehub_redis_clock_skew_seconds')}))", "{{server}}"),
    )
    return Section(None, [Line(4, [(4, up), (4, memory), (4, eviction), (4, persistence), (4, evicted), (4, skew)])])


def redis() -> Section:
    """The latency, memory and clock of Redis."""
    latency = graph(
        About(
            title="Round trip of a command",
            text="How long one command takes, measured by all processes. A few milliseconds are normal. More than 100 "
            "milliseconds is bad, and is caused by a slow command, a slow disk or a busy node. Use SLOWLOG GET and "
            "LATENCY LATEST in Redis.",
            unit="s",
            no_value=_NO_ANSWER,
        ),
        *(
            Query(quantile(rank, "financehub_redis_command_duration_seconds", "server"), f"{{{{server}}}} {name}")
            for rank, name in ((0.5, "50 %"), (0.95, "95 %"), (0.99, "99 %"))
        ),
    )
    memory = graph(
        About(
            title="Memory and its limit",
            text="Memory that Redis uses, and maxmemory if it is set. A line that climbs toward the limit is bad: see "
            "`financehub status` for queues that grow.",
            unit="bytes",
            no_value=_NO_SCHEDULER,
        ),
        Query(named("figure", used=_USED, limit=f"({_LIMIT} > 0)"), "{{server}} {{figure}}"),
    )
    clock = series("financehub_redis_clock_skew_seconds", 'server="queues"')
    skew = graph(
        About(
            title="Clock skew by process",
            text="The clock of each process minus that of Redis; above 0 the process is ahead. More than 2 seconds is "
            "bad. If one line is off, the clock of that node is wrong; if all are, the clock of Redis is.",
            unit="s",
            no_value=_NO_ANSWER,
            low=None,
        ),
        Query(f"max by ({_PROCESS}) ({clock})", _PROCESS_LEGEND),
    )
    problems = timeline(
        About(
            title="Problems",
            text="What is wrong with Redis, one row per problem. While full, disk-failing, replicas-missing, "
            "read-only, denied or write-refused is set, nothing is stored. docs/redis.md explains each problem.",
            unit="none",
            no_value="None: Redis has no problem, or no scheduler is scraped",
            steps=ABOVE_ZERO_IS_BAD,
        ),
        Query(f"max by (server, problem) ({series('financehub_redis_problem')} > 0)", "{{server}} {{problem}}"),
    )
    lines = [Line(8, [(8, latency), (8, memory), (8, skew)]), Line(6, [(24, problems)])]
    return Section("Is Redis fast, large enough and set up correctly?", lines)


def processes() -> Section:
    """A table with one row per process."""

    def each(metric: str) -> str:
        return f"max by ({_PROCESS}) ({series(metric)})"

    started = series("process_start_time_seconds")
    table = rows(
        About(
            title="Processes",
            text="Every process that Prometheus scrapes. The youngest is on top. Restarts, a process that cannot "
            "reach Redis, and two versions outside a rollout are bad. If a process is missing here, look at its "
            "pod.",
            unit="none",
            no_value=_NO_PROCESS,
        ),
        {"component": "Component", "pod": "Pod", "instance": "Instance", "version": "Version"},
        [
            Column(
                title="Up for",
                expr=_with_version(f"time() - {each('process_start_time_seconds')}"),
                unit="s",
                decimals=0,
            ),
            Column(
                title="Restarts",
                expr=_with_version(f"max by ({_PROCESS}) (changes({started}[$__range]))"),
                steps=ABOVE_ZERO_WARNS,
                decimals=0,
            ),
            Column(
                title="Redis",
                expr=_with_version(f"min by ({_PROCESS}) ({series('financehub_redis_up')})"),
                mapping=UP,
            ),
            Column(title="Memory", expr=_with_version(each("process_resident_memory_bytes")), unit="bytes"),
            Column(
                title="Open files",
                expr=_with_version(f"{each('process_open_fds')} / {each('process_max_fds')}"),
                unit="percentunit",
                steps=((None, GOOD), (0.8, WARN)),
                decimals=1,
            ),
        ],
        sort="Up for",
        descending=False,
    )
    return Section("Is every process healthy?", [Line(9, [(24, table)])])


def _with_version(expr: str) -> str:
    """Add the version label of each process to a value per process."""
    version = f"max by ({_PROCESS}, version) ({series('financehub_build_info')})"
    return f"({expr}) * on ({_PROCESS}) group_left (version) {version}"


def resources() -> Section:
    """The table's values over time."""
    cpu = graph(
        About(
            title="CPU by process",
            text="CPU cores that each process uses. A worker that uses a whole core is bad. Python runs one thread at "
            "a time, so add workers instead of threads.",
            unit="none",
            no_value=_NO_PROCESS,
        ),
        Query(f"max by ({_PROCESS}) (rate({series('process_cpu_seconds_total')}[$__rate_interval]))", _PROCESS_LEGEND),
    )
    memory = graph(
        About(
            title="Memory by process",
            text="Resident memory of each process. A line that climbs for days is a leak. A line that ends at the "
            "pod's limit belongs to a process that was killed: raise the limit.",
            unit="bytes",
            no_value=_NO_PROCESS,
        ),
        Query(f"max by ({_PROCESS}) ({series('process_resident_memory_bytes')})", _PROCESS_LEGEND),
    )
    files = graph(
        About(
            title="Open files by process",
            text="Open file descriptors of each process. A line that climbs without end is bad, because connections "
            "are not closed. Restart the process and report the leak.",
            unit="none",
            no_value=_NO_PROCESS,
            decimals=0,
        ),
        Query(f"max by ({_PROCESS}) ({series('process_open_fds')})", _PROCESS_LEGEND),
    )
    loop = graph(
        About(
            title="Event-loop lag of the scheduler",
            text="How late the scheduler's event loop wakes up. Milliseconds are normal. More than a second is bad, "
            "because due times wait as well: give the scheduler more CPU, or look for many schedules that are due in "
            "the same second.",
            unit="s",
            no_value="No data: no scheduler is scraped",
            steps=((None, GOOD), (1, BAD)),
        ),
        *(
            Query(quantile(rank, "financehub_event_loop_lag_seconds", ""), name)
            for rank, name in ((0.5, "50 %"), (0.95, "95 %"), (0.99, "99 %"))
        ),
    )
    versions = graph(
        About(
            title="Versions",
            text="Processes by component and version. Two versions of one component are normal during a rollout. If "
            "they stay, the rollout is stuck: look at the pods that do not become ready.",
            unit="none",
            no_value=_NO_PROCESS,
            decimals=0,
        ),
        Query(f"count by (component, version) ({series('financehub_build_info')})", "{{component}} {{version}}"),
        stacked=True,
    )
    restarts = graph(
        About(
            title="Restarts by component",
            text="Processes that restarted under the same address. A restart outside a rollout is bad. Find out why "
            "the process ended. The most frequent reasons are a lack of memory and a failed liveness probe.",
            unit="none",
            no_value=_NO_PROCESS,
            decimals=0,
        ),
        Query(
            f"sum by (component) (changes({series('process_start_time_seconds')}[$__rate_interval]))", "{{component}}"
        ),
        bar=True,
    )
    return Section(
        "Processes over time",
        [Line(8, [(8, cpu), (8, memory), (8, files)]), Line(8, [(8, loop), (8, restarts), (8, versions)])],
        collapsed=True,
    )


def build() -> dashboard.Dashboard:
    """Build the dashboard."""
    text = "Whether Redis is up, fast, large enough and configured correctly, and whether every process is healthy."
    return assemble(UID, text, [now(), redis(), processes(), resources()], period="6h")
