"""FinanceHub's Redis keys; docs/data-model.md lists their types, sizes and TTLs.

These keys begin with `financehub:`. Dramatiq's keys begin with `dramatiq:` and are in `queue_keys`.
"""

ASSETS = "financehub:assets"
#: JSON {digest, at}: which set of declared assets a scheduler wrote last, and when on Redis's clock (s).
DECLARED_SET = "financehub:assets:declared"
QUOTES = "financehub:quotes"
#: Hash symbol → JSON of the open dispute about its quote.
DISPUTES = "financehub:quotes:disputes"
INDICATORS = "financehub:indicators"
FRESHNESS = "financehub:freshness"
#: Hash symbol → JSON {at, due}: times (s) at which the whole history of an asset was last read and is due again.
FULL_READS = "financehub:full-reads"
#: Set of the kinds of rejected data in the quarantine.
QUARANTINE_KINDS = "financehub:quarantine:kinds"
#: The quarantine of earlier releases, a stream.
QUARANTINE_STREAM = "financehub:quarantine"
HEALTH = "financehub:health"
#: Stream of what operators did in the console, at most about 10,000 entries.
AUDIT = "financehub:audit"
#: Key that health checks write to find out whether Redis accepts writes. It expires after a minute.
WRITE_PROBE = "financehub:write-probe"
#: Set of the names of upstreams that have a circuit breaker.
BREAKERS = "financehub:breakers"
#: Hash schedule uid → high-water mark (ms): the newest settled due time (enqueued, buffered, skipped or missed).
HIGH_WATER_MARKS = "financehub:schedules:high-water-marks"
#: Sorted set: schedule uid by the time (s) at which a live scheduler last claimed it.
SCHEDULES = "financehub:schedules"
#: Hash `namespace/name` → schedule uid.
SCHEDULE_NAMES = "financehub:schedules:names"
#: Hash `file:line` → JSON {message, at} of documents that the scheduler refused.
SCHEDULES_REFUSED = "financehub:schedules:refused"
#: Hash schedule uid → due time (ms) of the next buffered run, under `concurrencyPolicy: BufferOne` and `BufferAll`.
SCHEDULES_BUFFERED = "financehub:schedules:buffered"
#: Hash schedule uid → JSON {next: [Unix seconds], problem}: its next runs.
SCHEDULE_NEXT_RUNS = "financehub:schedules:next-runs"
#: Hash request id → JSON {uid, at} of triggers that are not enqueued yet.
SCHEDULE_TRIGGERS = "financehub:schedules:triggers"
#: Set of the ids of backfills that have not ended.
SCHEDULE_BACKFILLS = "financehub:schedules:backfills"
#: Set of the uids of schedules whose record changed since the status writer last took them out.
SCHEDULES_CHANGED = "financehub:schedules:changed"
#: Hash schedule uid → number of runs that failed in a row, up to the newest. A schedule is absent if its newest run
#: succeeded, and until the next failure after an edit or a resumption.
SCHEDULES_FAILING = "financehub:schedules:failing"
#: Hash schedule uid → JSON {by, reason, at, failures} of the schedules that are paused. Only a pause after failures in
#: a row has `failures`, their number.
SCHEDULES_PAUSED = "financehub:schedules:paused"
#: Sorted set: id of each live scheduler that fires its share of the schedules, by the time (s) at which it was last
#: refreshed. It expires when all of them have ended.
SCHEDULERS = "financehub:schedulers"


#: Hash news id → news item.
NEWS = "financehub:news"
#: Sorted set: news id by time of publication.
NEWS_BY_TIME = "financehub:news:by-time"
#: Sorted set: id of a news item, or key of a guid or undated title, by the time (s) at which a source last had it.
NEWS_SEEN = "financehub:news:seen"
#: Hash source and guid → news id, of earlier releases.
NEWS_GUIDS = "financehub:news:guids"
#: Sorted set: `id normalized-title` by time of publication, of earlier releases.
NEWS_TITLES = "financehub:news:titles"


def bars(symbol: str) -> str:
    """Daily bars of one asset as packed columns."""
    return f"financehub:bars:{symbol}"


def history(symbol: str, day: int | str) -> str:
    """Prices of one asset on one day (days since 1970-01-01 in UTC), as records of 12 bytes. It expires."""
    return f"financehub:history:{symbol}:{day}"


def indicator_series(symbol: str) -> str:
    """Indicator series of one asset as packed columns."""
    return f"financehub:indicators:series:{symbol}"


def news_by_asset(symbol: str) -> str:
    """Sorted set of the ids of news items about one asset, by time of publication."""
    return f"financehub:news:by-asset:{symbol}"


def news_stories(bucket: int) -> str:
    """Hash of the stories that were published in one bucket of time: key of the story → time, key of its title and id.

    It expires a month after its last change.
    """
    return f"financehub:news:stories:{bucket}"


def quarantine(kind: str) -> str:
    """Hash of the rejected data of one kind: `provider|class of reason|symbol` → quarantine record."""
    return f"financehub:quarantine:{kind}:records"


def quarantine_by_time(kind: str) -> str:
    """Sorted set of the fields of `quarantine(kind)` by the time (s) of the last rejection."""
    return f"financehub:quarantine:{kind}:by-time"


def run(message_id: str) -> str:
    """Hash of one run: state, schedule, times, attempts and outcome. The overlap check reads `state`."""
    return f"financehub:run:{message_id}"


#: Set of the names of tasks that have ever run.
TASKS = "financehub:tasks"
#: Sorted set: process id by the time (s) of its last heartbeat.
PROCESSES = "financehub:processes"


def task_stats(task: str) -> str:
    """Hash of one task: counters, duration buckets, last success, last failure and last error."""
    return f"financehub:task:{task}"


def task_running(task: str) -> str:
    """Sorted set of one task's active run ids, by start (s)."""
    return f"financehub:task:{task}:running"


def task_recent(task: str) -> str:
    """Sorted set of one task's finished run ids, by end (s), at most `RUNS_KEPT`."""
    return f"financehub:task:{task}:recent"


def process(id: str) -> str:
    """JSON of one live process (tier, queues, threads, pid, host, busy). It expires without a heartbeat."""
    return f"financehub:process:{id}"


def schedule(uid: str) -> str:
    """Schedule record: hash of one schedule with its spec, counters and last run."""
    return f"financehub:schedule:{uid}"


def schedule_recent(uid: str) -> str:
    """List of one schedule's newest run ids, newest first, at most 10."""
    return f"financehub:schedule:{uid}:recent"


def schedule_backlog(uid: str) -> str:
    """List of one schedule's unfinished run ids under `Allow` and `Replace`, oldest first. See `enqueue.lua`."""
    return f"financehub:schedule:{uid}:backlog"


def schedule_buffered(uid: str) -> str:
    """List of the due times (ms) of one schedule's further buffered runs under `BufferAll`, oldest first.

    The next one is in `SCHEDULES_BUFFERED`. Without it, the list does not count, and the next buffered run deletes it.
    Deleting the entry in the hash therefore drops all buffered runs of a schedule, also for programs of earlier
    releases.
    """
    return f"financehub:schedule:{uid}:buffered"


def schedule_backfills(uid: str) -> str:
    """List of the ids of one schedule's newest backfills, newest first, at most 10. Only listings read it."""
    return f"financehub:schedule:{uid}:backfills"


def backfill(id: str) -> str:
    """Hash of one backfill: schedule, range, cursor (due time of the last enqueued run, ms), counters and state."""
    return f"financehub:backfill:{id}"


def breaker(upstream: str) -> str:
    """Hash of one circuit breaker."""
    return f"financehub:breaker:{upstream}"


def budget(upstream: str, window: str) -> str:
    """Hash of one budget in one window (`60s`): units spent in each slice of the window."""
    return f"financehub:budget:{upstream}:{window}"


def form(key: str) -> str:
    """Return the key that marks a form of the console as sent."""
    return f"financehub:form:{key}"


def validators(url_hash: str) -> str:
    """JSON of one URL's ETag and Last-Modified headers. It expires after a week."""
    return f"financehub:validators:{url_hash}"
