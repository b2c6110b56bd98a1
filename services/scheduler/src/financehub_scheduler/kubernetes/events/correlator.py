"""What was noted of each resource: the same again is counted, and what is too much is dropped."""

import math
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from financehub_scheduler.kubernetes.events.drafts import Happening
from financehub_scheduler.kubernetes.events.token_bucket import Bucket
from financehub_scheduler.kubernetes.watch.resource import Resource
from financehub_shared.core.clock import Clock

#: The same of one resource within this time is one Event, counted up.
SAME_SECONDS = 600.0
#: How often an Event is brought up to date.
UPDATE_SECONDS = 30.0
#: New Events of one resource: so many at once, then one in five minutes; as client-go limits them.
RESOURCE_BURST, RESOURCE_SECONDS = 10, 300.0
#: Notes kept, 0.5 kB each; beyond, those noted least recently are forgotten, told or not.
REMEMBERED = 2_000
#: What differs between two messages that say the same: ids of runs, and numbers.
_VARIES = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+")
#: Kubernetes allows 253 characters, of which a dot and 16 hex digits are ours.
_NAME_CHARACTERS = 253 - 17

#: uid, reason, and the message without what varies.
Key = tuple[str, str, str]


@dataclass(slots=True, eq=False)
class Note:
    """What one Event says.

    Args:
        resource: what it is about.
        happening: as it was noted last.
        first, last: when it was noted, Unix seconds.
        noted: when it was noted last, monotonic seconds.
        due: when the API server is to be told, monotonic seconds; infinite: it knows.
    """

    resource: Resource
    happening: Happening
    first: float
    last: float
    noted: float
    due: float
    #: How often it was noted.
    count: int = 1
    #: When the API server was told last, monotonic seconds.
    sent: float = -math.inf
    #: Whether the Event exists.
    posted: bool = False
    #: Of the Event: made once, so that one that was created and never answered for is not created again.
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"{self.resource.name[:_NAME_CHARACTERS].rstrip('-.')}.{secrets.token_hex(8)}"


class Notes:
    """Correlates and limits what is noted, in bounded memory.

    Args:
        clock: time.
        resources: uid → resource; what is not among them is gone.
    """

    def __init__(self, clock: Clock, resources: Mapping[str, Resource]) -> None:
        self._clock = clock
        self._resources = resources
        #: Both in the order in which they were used last.
        self._notes: OrderedDict[Key, Note] = OrderedDict()
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._dropped = 0

    def add(self, uid: str, happening: Happening) -> None:
        """Note what happened to a resource."""
        if (resource := self._resources.get(uid)) is None:
            return
        now, wall = self._clock.monotonic(), self._clock.now()
        key = (uid, happening.reason, _VARIES.sub("#", happening.message))
        note = self._notes.get(key)
        # what the API server has not heard of yet is not begun anew, however old
        if note and (now < note.noted + SAME_SECONDS or note.due < math.inf):
            note.happening, note.last, note.noted, note.count = happening, wall, now, note.count + 1
            if note.due == math.inf:
                note.due = max(now, note.sent + UPDATE_SECONDS)
        elif self._bucket(uid, now).take(now):
            self._notes[key] = Note(resource, happening, first=wall, last=wall, noted=now, due=now)
        else:
            self._dropped += 1
            return
        self._notes.move_to_end(key)
        while len(self._notes) > REMEMBERED:
            _, oldest = self._notes.popitem(last=False)
            self._dropped += oldest.due < math.inf

    def due(self) -> list[tuple[Key, Note]]:
        """What the API server is to be told now, the longest due first."""
        now = self._clock.monotonic()
        return sorted(((key, note) for key, note in self._notes.items() if note.due <= now), key=lambda it: it[1].due)

    def holds(self, key: Key, note: Note) -> bool:
        """Whether a note is still kept: while another one is on its way, it may be forgotten."""
        return self._notes.get(key) is note

    def told(self, note: Note, count: int) -> None:
        """The API server knows of the first `count`; what was noted meanwhile is told the next time."""
        now = self._clock.monotonic()
        note.posted, note.sent = True, now
        note.due = math.inf if note.count == count else now + UPDATE_SECONDS

    def forget(self, key: Key, note: Note) -> None:
        """Keep a note no longer; the next of its kind is a new one."""
        if self.holds(key, note):
            del self._notes[key]

    def take_dropped(self) -> int:
        """How many were dropped since this was last asked."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def _bucket(self, uid: str, now: float) -> Bucket:
        bucket = self._buckets.setdefault(uid, Bucket(RESOURCE_BURST, RESOURCE_SECONDS, now))
        self._buckets.move_to_end(uid)
        while len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return bucket
