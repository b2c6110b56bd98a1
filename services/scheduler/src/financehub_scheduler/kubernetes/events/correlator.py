"""Correlates Events as client-go does: counts repetitions in one Event, and drops excess Events."""

import math
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from financehub_scheduler.kubernetes.events.drafts import EventDraft
from financehub_scheduler.kubernetes.events.token_bucket import TokenBucket
from financehub_scheduler.kubernetes.watch.resource import WatchedResource
from financehub_shared.core.clock import Clock

#: Occurrences within this time after the previous one are counted in the same Event.
SAME_SECONDS = 600.0
#: Shortest time between two updates of one Event.
UPDATE_SECONDS = 30.0
#: New Events per resource: a burst, then one every five minutes. These are client-go's limits.
RESOURCE_BURST, RESOURCE_SECONDS = 10, 300.0
#: Maximum number of records, 0.5 kB each. Beyond it, the least recently updated ones are dropped, even if they were not
#: posted.
MAX_RECORDS = 2_000
#: The parts that vary between messages about the same thing: run ids and numbers.
_VARIABLE_PARTS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+")
#: Kubernetes allows 253 characters in a name. A dot and 16 hexadecimal digits are appended to the resource's name.
_NAME_CHARACTERS = 253 - 17

#: Uid, reason, and the message without its variable parts.
Key = tuple[str, str, str]


@dataclass(slots=True, eq=False)
class EventRecord:
    """One Event: its contents, and its state in the API server.

    Args:
        resource: The resource that the Event is about.
        draft: The latest contents.
        first_at, last_at: Unix time of the first and last occurrence, in seconds.
        updated_at: Monotonic time of the last occurrence, in seconds.
        due_at: Monotonic time of the next request to the API server, infinite if it is up to date there.
    """

    resource: WatchedResource
    draft: EventDraft
    first_at: float
    last_at: float
    updated_at: float
    due_at: float
    #: Number of occurrences.
    count: int = 1
    #: Monotonic time of the last successful request to the API server.
    sent_at: float = -math.inf
    #: Whether the Event exists in the API server.
    exists: bool = False
    #: Name of the Event. It is chosen only once, so that a creation whose response was lost is not repeated.
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"{self.resource.name[:_NAME_CHARACTERS].rstrip('-.')}.{secrets.token_hex(8)}"


class EventCorrelator:
    """Counts repetitions and limits new Events, in bounded memory.

    Args:
        clock: Time.
        resources: uid → resource. Other resources no longer exist.
    """

    def __init__(self, clock: Clock, resources: Mapping[str, WatchedResource]) -> None:
        self._clock = clock
        self._resources = resources
        #: Both are ordered by last use.
        self._records: OrderedDict[Key, EventRecord] = OrderedDict()
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()
        self._dropped = 0

    def add(self, uid: str, draft: EventDraft) -> None:
        """Add an occurrence of an Event about a resource."""
        if (resource := self._resources.get(uid)) is None:
            return
        now, wall = self._clock.monotonic(), self._clock.now()
        key = (uid, draft.reason, _VARIABLE_PARTS.sub("#", draft.message))
        record = self._records.get(key)
        # A record that the API server does not have yet counts further occurrences, no matter how old it is.
        if record and (now < record.updated_at + SAME_SECONDS or record.due_at < math.inf):
            record.draft, record.last_at, record.updated_at, record.count = draft, wall, now, record.count + 1
            if record.due_at == math.inf:
                record.due_at = max(now, record.sent_at + UPDATE_SECONDS)
        elif self._bucket(uid, now).take(now):
            self._records[key] = EventRecord(resource, draft, first_at=wall, last_at=wall, updated_at=now, due_at=now)
        else:
            self._dropped += 1
            return
        self._records.move_to_end(key)
        while len(self._records) > MAX_RECORDS:
            _, oldest = self._records.popitem(last=False)
            self._dropped += oldest.due_at < math.inf

    def due(self) -> list[tuple[Key, EventRecord]]:
        """Return the records that must be sent now, starting with the one that has waited longest."""
        now = self._clock.monotonic()
        due = [(key, record) for key, record in self._records.items() if record.due_at <= now]
        return sorted(due, key=lambda item: item[1].due_at)

    def has(self, key: Key, record: EventRecord) -> bool:
        """Whether a record is still kept. It may have been dropped while another one was being sent."""
        return self._records.get(key) is record

    def sent(self, record: EventRecord, count: int) -> None:
        """Record that the API server knows the first `count` occurrences. Later ones are sent with the next update."""
        now = self._clock.monotonic()
        record.exists, record.sent_at = True, now
        record.due_at = math.inf if record.count == count else now + UPDATE_SECONDS

    def forget(self, key: Key, record: EventRecord) -> None:
        """Drop a record. The next occurrence of the same kind starts a new one."""
        if self.has(key, record):
            del self._records[key]

    def take_dropped(self) -> int:
        """Return the number of occurrences and records dropped since the last call."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def _bucket(self, uid: str, now: float) -> TokenBucket:
        bucket = self._buckets.setdefault(uid, TokenBucket(RESOURCE_BURST, RESOURCE_SECONDS, now))
        self._buckets.move_to_end(uid)
        while len(self._buckets) > MAX_RECORDS:
            self._buckets.popitem(last=False)
        return bucket
