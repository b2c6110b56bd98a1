"""What the readings of all subjects share: the clients of Redis and the caches."""

from financehub_shared.core.clock import Clock
from financehub_shared.core.settings import Settings
from financehub_shared.health.readers import RedisReaders
from financehub_shared.monitor import TaskMonitor
from financehub_web.reading.cache import ReadingCache
from financehub_web.reading.closes import RecentCloses
from financehub_web.reading.quote_views import QuoteViews
from financehub_web.reading.remembering_store import RememberingStore


class Readings:
    """Base class of the readings of one subject.

    Args:
        settings: Redis URLs and check settings.
        clock: Clock of the process, which shows the time of Redis.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self._readers = RedisReaders(settings, clock)
        self._client = self._readers.client
        self._data_client = self._readers.servers.get("data", self._client)
        self._store = RememberingStore(self._data_client)
        self._closes = RecentCloses(self._store)
        self._made_views = QuoteViews()
        self._monitor = TaskMonitor(self._client)
        #: Reports are made without Redis too, so they have their own cache, which knows no outage.
        self._reports = ReadingCache(clock)
        self._queues = ReadingCache(clock)
        # One cache for each server, because one of them may answer while the other does not.
        self._data = ReadingCache(clock) if "data" in self._readers.servers else self._queues

    def expire(self) -> None:
        """Let every reading be made again when it is needed next, because an action has changed the fleet."""
        for cache in (self._reports, self._queues, self._data):
            cache.expire()
