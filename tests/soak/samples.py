"""What one sample contains, how samples are stored, and how they become lifetimes of processes.

A sample is one line of JSON in `samples.jsonl`, so that the file of an aborted run is useful too.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from soak.journal import complete_lines
from soak.trend import Point

SAMPLES_FILE = "samples.jsonl"
#: Figures of a process, as in a sample.
FIGURES = ("rss", "pss", "descriptors", "sockets", "threads")


@dataclass(frozen=True, slots=True)
class ProcessSample:
    """One process of a pod.

    Args:
        component: Component of its pod, such as `scheduler`.
        role: `main` for the first process of its container, otherwise `child`.
        pod: Name of its pod.
        pid: Its process id on the machine.
        started: Its start in clock ticks since boot. With the process id, it identifies the process.
        rss, pss: Resident and proportional memory in bytes.
        descriptors: Number of open files.
        sockets: Number of those that are sockets.
        threads: Number of threads.
    """

    component: str
    role: str
    pod: str
    pid: int
    started: int
    rss: int
    pss: int
    descriptors: int
    sockets: int
    threads: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen at one time. A part that could not be read, such as Redis during its restart, is empty.

    Args:
        at: Time in Unix seconds.
        processes: The processes of the release.
        series: Name of a pod → number of its metric series.
        redis: Figures of Redis: `used_memory` in bytes, `clients`, `keys`.
        kinds: Kind of keys → number of keys.
        queues: Queue → messages by state: `ready`, `held` (all that have not ended), `delayed`, `dead`.
    """

    at: float
    processes: tuple[ProcessSample, ...] = ()
    series: Mapping[str, int] = field(default_factory=dict)
    redis: Mapping[str, int] = field(default_factory=dict)
    kinds: Mapping[str, int] = field(default_factory=dict)
    queues: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the sample as one line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Read a line of `to_json`."""
        fields: dict[str, Any] = json.loads(line)
        processes = tuple(ProcessSample(**each) for each in fields.pop("processes"))
        return cls(processes=processes, **fields)


def read_samples(file: Path) -> list[Sample]:
    """Return the samples of a file, which may end in the middle of a line, in order of time."""
    return [Sample.from_json(line) for line in complete_lines(file)]


#: (subject, figure) → the points of each lifetime. A subject is a component with a role, or a part of Redis.
Lifetimes = dict[tuple[str, str], list[list[Point]]]
#: What lives: a process by its pod, id and start, or nothing for the data in Redis, which outlives every process.
_Life = tuple[str, int, int] | None


#: The process whose memory is that of the data.
_REDIS, _MEMORY = "redis main", ("rss", "pss")
#: The figures of Redis that rise until as many runs as are kept have run.
_WITH_RECORDS = ("keys", "financehub:run:*")


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Seconds that do not count.

    Args:
        process: After the first sample of a process.
        data: After the first sample of the soak, for the number of keys of a kind and of messages in Redis.
        records: After the first sample of the soak, for the number of records of runs and of all keys.
        memory: After the first sample of the soak, for the memory of the data in Redis and of its process.
    """

    process: float
    data: float
    records: float
    memory: float

    def end(self, subject: str, figure: str, life: "_Life", born: float, begin: float) -> float:
        """Return the time in Unix seconds from which on a figure counts.

        Args:
            subject: What it belongs to.
            figure: Its name.
            life: What lives.
            born: Time of its first sample.
            begin: Time of the first sample of the soak.
        """
        own = born + (0.0 if life is None else self.process)
        if figure == "used_memory" or (subject == _REDIS and figure in _MEMORY):
            return max(own, begin + self.memory)
        if life is not None:
            return own
        return begin + (self.records if figure in _WITH_RECORDS else self.data)


def lifetimes(samples: Iterable[Sample], warm_up: WarmUp) -> Lifetimes:
    """Return the points of all figures, by lifetime and without the warm-up.

    Args:
        samples: The samples in order of time.
        warm_up: What does not count.
    """
    begin = 0.0
    first: dict[tuple[str, _Life], float] = {}
    points: dict[tuple[str, str], dict[_Life, list[Point]]] = {}
    for sample in samples:
        begin = begin or sample.at
        for subject, life, figure, value in (*_of_processes(sample), *_of_redis(sample)):
            born = first.setdefault((subject, life), sample.at)
            if sample.at >= warm_up.end(subject, figure, life, born, begin):
                points.setdefault((subject, figure), {}).setdefault(life, []).append((sample.at, float(value)))
    return {key: list(lives.values()) for key, lives in points.items()}


def _of_processes(sample: Sample) -> Iterator[tuple[str, _Life, str, int]]:
    for process in sample.processes:
        subject, life = f"{process.component} {process.role}", (process.pod, process.pid, process.started)
        for figure in FIGURES:
            yield subject, life, figure, getattr(process, figure)
        if process.role == "main" and process.pod in sample.series:
            yield subject, life, "series", sample.series[process.pod]


def _of_redis(sample: Sample) -> Iterator[tuple[str, _Life, str, int]]:
    for figure, value in sample.redis.items():
        yield "Redis data", None, figure, value
    for kind, count in sample.kinds.items():
        yield "Redis keys", None, kind, count
    for queue, states in sample.queues.items():
        for state, count in states.items():
            yield f"queue {queue}", None, state, count
