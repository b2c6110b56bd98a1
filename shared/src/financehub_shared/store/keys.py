"""Every Redis key that is ours, in one place; docs/data-model.md gives types, sizes and TTLs.

Dramatiq's own keys live under `dramatiq:`; ours under `financehub:`.
"""

ASSETS = "financehub:assets"
QUOTES = "financehub:quotes"
INDICATORS = "financehub:indicators"
FRESHNESS = "financehub:freshness"
QUARANTINE = "financehub:quarantine"
HEALTH = "financehub:health"
#: Hash schedule uid → due time (ms) of the last run that was enqueued or deliberately skipped.
HIGH_WATER_MARKS = "financehub:schedules:high-water-marks"


#: Hash news id → article.
NEWS = "financehub:news"
#: Sorted set news id by publication time.
NEWS_BY_TIME = "financehub:news:by-time"
#: Hash source and guid → news id.
NEWS_GUIDS = "financehub:news:guids"
#: Sorted set `id normalised-title` by publication time.
NEWS_TITLES = "financehub:news:titles"
#: Counter of writes to the news; a writer that read at another count reads again.
NEWS_VERSION = "financehub:news:version"


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


def schedule(uid: str) -> str:
    """Hash of one schedule: counters and the last run."""
    return f"financehub:schedule:{uid}"


def schedule_recent(uid: str) -> str:
    """List of the ids of the newest runs of one schedule, newest first, at most 10."""
    return f"financehub:schedule:{uid}:recent"


def breaker(upstream: str) -> str:
    """Hash of one circuit breaker."""
    return f"financehub:breaker:{upstream}"


def budget(upstream: str, window: str) -> str:
    """Counter of one rate budget in one window (`minute`, `day`, `month`)."""
    return f"financehub:budget:{upstream}:{window}"
