"""Every Redis key that is ours, in one place; docs/data-model.md gives types, sizes and TTLs.

Dramatiq's own keys live under `dramatiq:`; ours under `financehub:`.
"""

ASSETS = "financehub:assets"
QUOTES = "financehub:quotes"
INDICATORS = "financehub:indicators"
FRESHNESS = "financehub:freshness"
QUARANTINE = "financehub:quarantine"
HEALTH = "financehub:health"
#: Set of the names of all upstreams that have a circuit breaker.
BREAKERS = "financehub:breakers"
#: Hash schedule uid → due time (ms) of the last run that was enqueued or deliberately skipped.
HIGH_WATER_MARKS = "financehub:schedules:high-water-marks"
#: Sorted set schedule uid by the time (s) a live scheduler last claimed it.
SCHEDULES = "financehub:schedules"
#: Hash `namespace/name` → schedule uid.
SCHEDULE_NAMES = "financehub:schedules:names"
#: Hash `file:line` → JSON {message, at} of what the scheduler refused.
SCHEDULES_REFUSED = "financehub:schedules:refused"
#: Hash schedule uid → due time (ms) of the one run that `BufferOne` lets wait.
SCHEDULES_BUFFERED = "financehub:schedules:buffered"
#: Hash schedule uid → JSON {next: [Unix seconds], problem}: what the scheduler expects.
SCHEDULE_OUTLOOK = "financehub:schedules:outlook"
#: Hash request id → JSON {uid, at}: triggers asked for by CLI and not yet enqueued.
SCHEDULE_TRIGGERS = "financehub:schedules:triggers"
#: Set of the ids of backfills that are not over.
SCHEDULE_BACKFILLS = "financehub:schedules:backfills"
#: Set of the uids of schedules whose record changed since the writer of status took them out.
SCHEDULES_TOUCHED = "financehub:schedules:touched"
#: Hash schedule uid → how many of its newest runs failed in a row; one whose newest run succeeded is not in it.
SCHEDULES_FAILING = "financehub:schedules:failing"


#: Hash news id → article.
NEWS = "financehub:news"
#: Sorted set news id by publication time.
NEWS_BY_TIME = "financehub:news:by-time"
#: Hash source and guid → news id.
NEWS_GUIDS = "financehub:news:guids"
#: Sorted set `id normalised-title` by publication time.
NEWS_TITLES = "financehub:news:titles"


def bars(symbol: str) -> str:
    """Columnar blob of one asset's daily bars."""
    return f"financehub:bars:{symbol}"


def indicator_series(symbol: str) -> str:
    """Columnar blob of one asset's indicator series."""
    return f"financehub:indicators:series:{symbol}"


def news_by_asset(symbol: str) -> str:
    """Sorted set of the ids of articles that name one asset, by publication time."""
    return f"financehub:news:by-asset:{symbol}"


def run(message_id: str) -> str:
    """Hash of one run: state, schedule, times, tries, outcome. The overlap check reads `state`."""
    return f"financehub:run:{message_id}"


#: Set of the names of every task that ran.
TASKS = "financehub:tasks"
#: Sorted set worker id by the time (s) of its last beat.
WORKERS = "financehub:workers"


def task_stats(task: str) -> str:
    """Hash of one task: counters, runtime buckets, last success, last failure, last error."""
    return f"financehub:task:{task}"


def task_running(task: str) -> str:
    """Sorted set of the ids of the runs of one task that run now, by start (s)."""
    return f"financehub:task:{task}:running"


def task_recent(task: str) -> str:
    """Sorted set of the ids of the finished runs of one task, by finish (s), at most `RUNS_KEPT`."""
    return f"financehub:task:{task}:recent"


def worker(id: str) -> str:
    """JSON of one live process (tier, queues, threads, pid, host, busy); expires unless it beats."""
    return f"financehub:worker:{id}"


def schedule(uid: str) -> str:
    """Hash of one schedule: counters and the last run."""
    return f"financehub:schedule:{uid}"


def schedule_recent(uid: str) -> str:
    """List of the ids of the newest runs of one schedule, newest first, at most 10."""
    return f"financehub:schedule:{uid}:recent"


def backfill(id: str) -> str:
    """Hash of one backfill: schedule, range, cursor (due time of the last enqueued run, ms), counters, state."""
    return f"financehub:backfill:{id}"


def breaker(upstream: str) -> str:
    """Hash of one circuit breaker."""
    return f"financehub:breaker:{upstream}"


def budget(upstream: str, window: str) -> str:
    """Hash of one rate budget in one window (`60s`): what was spent in each slice of it."""
    return f"financehub:budget:{upstream}:{window}"


def validators(url_hash: str) -> str:
    """JSON of the ETag and Last-Modified of one URL; expires after a week."""
    return f"financehub:validators:{url_hash}"
