"""Arranges the events of a history by delivery and by process."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from history.events import FAULT_EVENTS, Event

_DELAY_SUFFIX = ".DQ"


@dataclass(slots=True)
class Span:
    """A call of a process, or a run.

    Args:
        process: The process.
        begin, end: Times of call and reply. The end is None if there is none.
        result: Result of a run, or of a round of the janitor.
    """

    process: str
    begin: float
    end: float | None = None
    result: str = ""


@dataclass(slots=True)
class Delivery:
    """A message in a queue under one id. A retry and a move from the delay queue have another id.

    Args:
        id: Id in Redis.
        message, task, queue, attempt, parent: Facts from its enqueue.
    """

    id: str
    message: str = ""
    task: str = ""
    queue: str = ""
    attempt: int = 0
    parent: str = "-"
    sends: list[Span] = field(default_factory=list)
    fetches: list[Span] = field(default_factory=list)
    runs: list[Span] = field(default_factory=list)
    skips: list[Span] = field(default_factory=list)
    acks: list[Span] = field(default_factory=list)
    nacks: list[Span] = field(default_factory=list)
    requeues: list[Span] = field(default_factory=list)
    children: list["Delivery"] = field(default_factory=list)

    @property
    def is_delayed(self) -> bool:
        """Whether it waits in the delay queue until it is moved."""
        return self.queue.endswith(_DELAY_SUFFIX)

    @property
    def is_confirmed(self) -> bool:
        """Whether Redis has confirmed its enqueue."""
        return any(send.end is not None for send in self.sends)

    @property
    def exists(self) -> bool:
        """Whether Redis has certainly had it."""
        return self.is_confirmed or bool(self.fetches)

    @property
    def ends(self) -> list[Span]:
        """Its acknowledgments and replacements by a dead letter."""
        return [*self.acks, *self.nacks]

    def followers(self, kind: str) -> list["Delivery"]:
        """Return its children of a kind: `move`, `retry` or `callback`."""
        return [child for child in self.children if _kind(self, child) == kind]


def _kind(parent: Delivery, child: Delivery) -> str:
    if child.message != parent.message:
        return "callback"
    return "move" if parent.is_delayed and not child.is_delayed else "retry"


@dataclass(slots=True)
class Process:
    """One process of a node.

    Args:
        name: Name of the node and process id.
        first: Time of its first event.
        heartbeats: Call and reply of each fetch.
        released: Queue → times at which it gave back everything that it held.
        dead_since, dead_at: Times between which it has ended, or None if it has not.
        by: The signal that ended it.
        janitor_since: Time from which it runs the janitor, or None if it does not.
        rounds: Rounds of its janitor. The last one has no end if the process died in it.
    """

    name: str
    first: float
    heartbeats: list[tuple[float, float]] = field(default_factory=list)
    released: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    dead_since: float | None = None
    dead_at: float | None = None
    by: str = ""
    janitor_since: float | None = None
    rounds: list[Span] = field(default_factory=list)

    @property
    def node(self) -> str:
        """Name of its node."""
        return self.name.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which something was the case, with its reason."""

    begin: float
    end: float
    reason: str

    def touches(self, begin: float, end: float) -> bool:
        """Whether it overlaps a time."""
        return self.begin <= end and begin <= self.end


@dataclass(slots=True)
class Index:
    """A history by delivery and by process.

    Args:
        deliveries: Id → delivery.
        processes: Name → process.
        cuts: Node → times in which it was stopped, cut off or slow.
        outages: Times in which Redis was not available.
        lossy: Times in which confirmed writes may be lost by design.
        unknown: Events of deliveries that nobody has enqueued.
        empty: Queue → fetches that found no message.
        workers: Nodes of workers, which are those that fetch.
        unseen: Times of the deaths of workers that have recorded nothing.
        end: Time of the last event.
    """

    deliveries: dict[str, Delivery] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    cuts: dict[str, list[Window]] = field(default_factory=lambda: defaultdict(list))
    outages: list[Window] = field(default_factory=list)
    lossy: list[Window] = field(default_factory=list)
    unknown: list[Event] = field(default_factory=list)
    empty: dict[str, list[Window]] = field(default_factory=lambda: defaultdict(list))
    workers: set[str] = field(default_factory=set)
    unseen: list[Window] = field(default_factory=list)
    end: float = 0.0

    def loss(self, *times: float | None) -> Window | None:
        """Return the window of losses by design that contains one of the times, or None."""
        for window in self.lossy:
            if any(time is not None and window.touches(time, time) for time in times):
                return window
        return None


#: Kind of event → list of the delivery that a call is in. The replies are below.
_CALLS = {"start": "runs", "skip": "skips", "ack": "acks", "nack": "nacks", "requeue": "requeues"}
_REPLIES = {"sent": "sends", "end": "runs", "acked": "acks", "nacked": "nacks"}


def index(events: Sequence[Event]) -> Index:
    """Return the index of events that are in the order of their times."""
    found = Index(end=events[-1].at if events else 0.0)
    _add_faults(found, events)
    for event in events:
        if event.kind not in FAULT_EVENTS:
            _add_call(found, event)
    for delivery in found.deliveries.values():
        if (parent := found.deliveries.get(delivery.parent)) is not None:
            parent.children.append(delivery)
    _add_deaths(found, events)
    return found


def _add_faults(found: Index, events: Iterable[Event]) -> None:
    for event in events:
        if event.kind == "cut":
            window = Window(event.at, float(event.fields["until"]), event.fields["kind"])
            found.cuts[event.fields["target"]].append(window)
        elif event.kind == "outage":
            found.outages.append(Window(event.at, float(event.fields["until"]), event.fields["kind"]))
        elif event.kind == "lossy":
            begin, end = float(event.fields["begin"]), float(event.fields["end"])
            found.lossy.append(Window(begin, end, event.fields["reason"]))


def _add_call(found: Index, event: Event) -> None:
    process = found.processes.setdefault(event.process, Process(event.process, event.at))
    if event.kind == "dies":
        process.dead_since, process.dead_at, process.by = event.at, event.at, "itself"
    elif event.kind == "released":
        process.released[event.fields["queue"]].append(event.at)
    elif event.kind in {"janitor", "round_begins", "round_ends"}:
        _add_round(process, event)
    elif event.kind == "empty":
        found.empty[event.fields["queue"]].append(Window(float(event.fields["called"]), event.at, "empty"))
    elif event.kind == "fetched":
        _add_fetch(found, process, event)
    elif event.kind == "send":
        _add_send(found, event)
    else:
        _add_step(found, event)


def _add_round(process: Process, event: Event) -> None:
    if event.kind == "janitor":
        process.janitor_since = event.at
    elif event.kind == "round_begins":
        process.rounds.append(Span(process.name, event.at))
    else:
        process.rounds[-1].end, process.rounds[-1].result = event.at, event.fields["result"]


def _add_fetch(found: Index, process: Process, event: Event) -> None:
    called = float(event.fields["called"])
    process.heartbeats.append((called, event.at))
    for id in filter(None, event.fields["ids"].split(",")):
        # Redis may deliver a message before its sender has recorded the reply, but not before the call.
        if id in found.deliveries:
            found.deliveries[id].fetches.append(Span(event.process, called, event.at))
        else:
            found.unknown.append(event)


def _add_send(found: Index, event: Event) -> None:
    fields: Mapping[str, str] = event.fields
    delivery = found.deliveries.setdefault(event.delivery, Delivery(event.delivery))
    delivery.message, delivery.task, delivery.queue = fields["message"], fields["task"], fields["queue"]
    delivery.attempt, delivery.parent = int(fields["attempt"]), fields["parent"]
    delivery.sends.append(Span(event.process, event.at))


def _add_step(found: Index, event: Event) -> None:
    delivery = found.deliveries.get(event.delivery)
    if delivery is None:
        found.unknown.append(event)
        return
    if event.kind in _CALLS:
        getattr(delivery, _CALLS[event.kind]).append(Span(event.process, event.at))
        return
    if event.kind == "unsent":
        return
    spans: list[Span] = getattr(delivery, _REPLIES[event.kind])
    # A process has one call for a delivery at a time, and repeats one that failed.
    span = next(each for each in reversed(spans) if each.process == event.process and each.end is None)
    span.end, span.result = event.at, event.fields.get("result", "")


def _add_deaths(found: Index, events: Iterable[Event]) -> None:
    deaths = [event for event in events if event.kind == "died"]
    for process in sorted(found.processes.values(), key=lambda process: process.first):
        death = next((each for each in deaths if _may_be_of(each, process)), None)
        if death is None:
            continue
        deaths.remove(death)
        if process.dead_at is None:
            process.dead_since, process.dead_at = float(death.fields["since"]), death.at
            process.by = death.fields["by"]
    found.workers = {process.node for process in found.processes.values() if process.heartbeats}
    unseen = [death for death in deaths if death.fields["target"] in found.workers]
    found.unseen = [Window(float(death.fields["since"]), death.at, "death") for death in unseen]


def _may_be_of(death: Event, process: Process) -> bool:
    return death.fields["target"] == process.node and death.at >= process.first
