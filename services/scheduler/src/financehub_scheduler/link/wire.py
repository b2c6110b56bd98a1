"""The messages between the engine process and the companion process, and their encoding.

Both processes belong to one release and one container, so the encoding has no version. Schedules travel in their
compiled form, because compiling them takes five times as long as copying them.
"""

import copyreg
import io
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from financehub_scheduler.api.schedule import Schedule
from financehub_scheduler.core.changes import Changes
from financehub_scheduler.core.health_probe import LoopHealth
from financehub_scheduler.redis.enqueuer import RunKind
from financehub_shared.recurrence.rules import parse_zone
from financehub_shared.schedules import Pause
from financehub_shared.spec.predecessors import Predecessor

#: Fingerprint, value of the trigger annotation and id of the requested backfill, which differ between two states of
#: a ScheduledTask if anything differs that the engine uses.
Version = tuple[str, str, str]


def version_of(schedule: Schedule) -> Version:
    """Return what identifies one state of a schedule."""
    return schedule.fingerprint, schedule.trigger, schedule.backfill.id if schedule.backfill else ""


# from the companion to the engine ---------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Ready:
    """The companion has started, and its HTTP server answers."""


@dataclass(frozen=True, slots=True)
class Reported:
    """The watch has delivered changes.

    Args:
        changes: The changes.
        refused: `namespace/name` → problem of every resource that is refused since the last message of this companion,
            or for another reason. All of them would take 1.5 MB per message if 10,000 are refused.
        not_refused: `namespace/name` of those that were refused before and are not any more.
    """

    changes: Changes
    refused: Mapping[str, str] = field(default_factory=dict)
    not_refused: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Watching:
    """A sign of life of the companion.

    Args:
        observed_at: Monotonic time before which every change has been reported, in seconds.
        absent: Whether the API server no longer serves ScheduledTasks.
    """

    observed_at: float
    absent: bool


# from the engine to the companion ---------------------------------------------------------------------
class StateRow(NamedTuple):
    """What the companion needs of the state of one schedule. The fields are those of `ScheduleState`."""

    uid: str
    version: Version
    high_water_mark: float
    since: float
    next_due: float | None
    next_enqueue: float | None
    problem: str
    refused: str
    paused: Pause | None
    superseded_at: float | None
    pending: tuple[float, ...]
    predecessor: Predecessor | None
    successes: tuple[float, ...]


class RunRow(NamedTuple):
    """A run for which Redis has replied. The fields are those of `RunSubmission`, the outcome and the time."""

    uid: str
    kind: RunKind
    due: float
    fence: str
    missed: int
    enqueue_at: float | None
    refused: str
    outcome: str
    at: float


class BackfillRow(NamedTuple):
    """A backfill that has started or ended, as `SchedulerListener.backfill_changed` describes it."""

    uid: str
    state: str
    message: str


class TakeoverRow(NamedTuple):
    """Uids of schedules of which this scheduler has settled a due run, because their owner did not."""

    uids: tuple[str, ...]


#: What has happened once, and is not a state.
EventRow = RunRow | BackfillRow | TakeoverRow


@dataclass(frozen=True, slots=True)
class Happened:
    """What has happened since the last message of this kind, in the order in which it is to be told.

    Args:
        events: Runs, backfills and takeovers.
        states: The states that have changed; tuples in the order of `StateRow`.
        registered: Uids of the schedules among them that Redis has registered.
        removed: Uids of the schedules that the engine has dropped.
    """

    events: Sequence[EventRow]
    states: Sequence[StateRow]
    registered: Sequence[str]
    removed: Sequence[str]


@dataclass(frozen=True, slots=True)
class Vitals:
    """How the engine is.

    Args:
        health: The last signs of life of its loop. The monotonic time of both processes is the same.
        all_registered: Whether everything that the source has reported is registered.
        clock_offset: Redis's time minus the monotonic time, in seconds; None before the first measurement.
        blocked: Why Redis cannot be used, one sentence per server.
        loop_lags: The delays of the event loop since the last message, in seconds.
        redis_seconds: The durations of commands to the queue Redis since the last message, in seconds.
    """

    health: LoopHealth
    all_registered: bool
    clock_offset: float | None
    blocked: Sequence[str]
    loop_lags: Sequence[float]
    redis_seconds: Sequence[float]


@dataclass(frozen=True, slots=True)
class Stop:
    """The companion should end."""


Message = Ready | Reported | Watching | Happened | Vitals | Stop

#: A zone is found by its name, and not by an attribute of a class, which `_Unpickler` refuses.
_REDUCERS: dict[type, Callable[[Any], Any]] = {
    **copyreg.dispatch_table,
    ZoneInfo: lambda zone: (parse_zone, (zone.key,)),
}
#: What `pickle` raises for bytes that are not a message, in addition to `ValueError`.
_DAMAGES = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OverflowError,
    TypeError,
)
_OWN_PACKAGES = frozenset({"financehub_scheduler", "financehub_shared"})


class _Unpickler(pickle.Unpickler):
    """Accepts only our own classes and those of dates, so that a mistaken frame cannot do anything else."""

    def find_class(self, module: str, name: str) -> Any:
        if "." in name or (module.partition(".")[0] not in _OWN_PACKAGES and module != "datetime"):
            raise pickle.UnpicklingError(f"{module}.{name} is not part of any message")
        return super().find_class(module, name)


class _Pickler(pickle.Pickler):
    """Writes only what `_Unpickler` accepts."""

    dispatch_table = _REDUCERS

    def reducer_override(self, value: Any) -> Any:
        # Python 3.11.0 to 3.11.3 would write a call of `getattr`.
        return (type(value), (value.value,)) if isinstance(value, Enum) else NotImplemented


def encode(message: Message) -> bytes:
    """Return a message as bytes."""
    buffer = io.BytesIO()
    _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(message)
    return buffer.getvalue()


def decode(frame: bytes) -> Message:
    """Return the message of a frame.

    Raises:
        ValueError: The frame does not contain a message.
    """
    try:
        message = _Unpickler(io.BytesIO(frame)).load()
    except _DAMAGES as error:
        raise ValueError(f"a frame of {len(frame)} bytes cannot be read: {error}") from error
    if not isinstance(message, Message):
        # A wrong frame is wrong data here, and not a wrong use of this function.
        raise ValueError(f"a frame has a {type(message).__name__} instead of a message")  # noqa: TRY004
    return message
