"""The filter of a list of runs, and the position of a run in the list."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from financehub_shared.monitor.run_state import ACTIVE, RunState
from financehub_shared.redis.run_record import RunField

#: The states of runs that are listed. Runs that wait for an attempt (`queued`, `retrying`) are messages in a queue.
LISTED_STATES = tuple(state for state in RunState if state not in ACTIVE or state is RunState.RUNNING)


class RunPosition(NamedTuple):
    """The position of a run in the list of all runs, which is sorted by time and id, newest first.

    Args:
        at: Start of a run in progress, or end of a run that ended, in Unix seconds.
        id: Message id, in which bytes that are not UTF-8 are kept (`redis.text.id_text`).
    """

    at: float
    id: str


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Selects runs; a field that is not set matches every run.

    Args:
        task: Name of the task.
        state: One of `LISTED_STATES`.
        schedule: Name of the schedule that enqueued the run, as `namespace/name`. An empty string selects runs that
            a user started.
        correlation_id: The correlation id.
        since: Earliest time of a run (`RunPosition.at`) in Unix seconds.
        queue: Name of the queue of the message.
    """

    task: str | None = None
    state: RunState | None = None
    schedule: str | None = None
    correlation_id: str | None = None
    since: float | None = None
    queue: str | None = None

    @property
    def fields(self) -> Mapping[RunField, str]:
        """The fields of the run record that the filter needs, with their values."""
        values = {
            RunField.STATE: self.state,
            RunField.SCHEDULE: self.schedule,
            RunField.CORRELATION_ID: self.correlation_id,
            RunField.QUEUE: self.queue,
        }
        return {field: value for field, value in values.items() if value is not None}
