"""The leader's memory of each status: the desired status at the last comparison, and the status in the API server."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.kubernetes.observed_status import ObservedStatus
from financehub_scheduler.kubernetes.watch.resource import WatchedResource
from financehub_shared.core.clock import Clock

#: Minimum time between two writes of one status without a condition transition.
SPACING_SECONDS = 30.0


class ResourceSource(Protocol):
    """The source of resources. `changed` contains the uids of added and changed ones."""

    resources: dict[str, WatchedResource]
    changed: set[str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The last comparison of one status.

    Args:
        written_at: Monotonic time of the last write or, before the first one, the time at which we became the leader.
        desired: Digest of the desired status.
        observed: The status in the API server afterward.
        progress: `ScheduleRecord.progress` at that time.
        generation, annotations: The resource's generation and annotations.
        last_run_id: Id of the run that had ended last; empty if no run had ended.
    """

    written_at: float
    desired: bytes
    observed: ObservedStatus
    progress: int
    generation: int
    annotations: tuple[str, str]
    last_run_id: str


class Comparisons:
    """Each status's last comparison in the current term as leader.

    Args:
        clock: Time.
        source: The resources in the API server.
        states: uid → state of each active schedule.
    """

    def __init__(self, clock: Clock, source: ResourceSource, states: Mapping[str, ScheduleState]) -> None:
        self._clock = clock
        self._source = source
        self._states = states
        self._by_uid: dict[str, Comparison] = {}
        #: Start of this term, in monotonic seconds and in Unix seconds.
        self._term_began = 0.0
        self.term_began_unix = 0.0

    def begin_term(self) -> None:
        """Forget everything. Another leader may have written statuses since our last term."""
        self._term_began, self.term_began_unix = self._clock.monotonic(), self._clock.now()
        self._by_uid.clear()

    def get(self, uid: str) -> Comparison | None:
        """Return a status's last comparison in this term, or None if there was none."""
        return self._by_uid.get(uid)

    def put(self, uid: str, comparison: Comparison) -> None:
        """Remember a comparison."""
        self._by_uid[uid] = comparison

    def forget_deleted(self) -> None:
        """Drop the comparisons of resources that no longer exist."""
        for uid in self._by_uid.keys() - self._source.resources.keys():
            del self._by_uid[uid]

    def written_at(self, uid: str) -> float:
        """Return the monotonic time of a status's last write, or the start of the term if it was not written yet."""
        comparison = self._by_uid.get(uid)
        return comparison.written_at if comparison else self._term_began

    def active_state(self, resource: WatchedResource) -> ScheduleState | None:
        """Return the engine's state for a resource, or None if the engine does not run the newest spec."""
        state, schedule = self._states.get(resource.uid), resource.schedule
        if state is None or schedule is None or state.superseded_at is not None:
            return None
        if schedule.after and state.predecessor is None:
            # Whether it runs is known as soon as its predecessor was looked for, which changes the next run.
            return None
        return state if state.schedule.fingerprint == schedule.fingerprint else None

    def current_status(self, resource: WatchedResource) -> ObservedStatus:
        """Return the status in the API server. The watch may lag behind our own last write."""
        comparison = self._by_uid.get(resource.uid)
        if comparison and self._clock.monotonic() < comparison.written_at + SPACING_SECONDS:
            return comparison.observed
        return resource.status

    def is_own_write(self, uid: str) -> bool:
        """Whether a change that the watch delivered is only our own status write."""
        resource, comparison = self._source.resources.get(uid), self._by_uid.get(uid)
        return (
            resource is not None
            and comparison is not None
            and (resource.status.digest, resource.generation, resource.annotations)
            == (comparison.observed.digest, comparison.generation, comparison.annotations)
        )

    def is_new_spec(self, uid: str) -> bool:
        """Whether a user has applied a spec that has not been compared yet."""
        resource, comparison = self._source.resources.get(uid), self._by_uid.get(uid)
        return resource is not None and (comparison is None or comparison.generation != resource.generation)
