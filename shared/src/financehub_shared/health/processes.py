"""Tracks the fleet's live processes. Each process writes a heartbeat to Redis, and removes it when it stops."""

import json
import math
import os
import socket
import threading
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import redis

from financehub_shared.core.damage import DAMAGED
from financehub_shared.core.durations import HOUR_SECONDS
from financehub_shared.core.log import get_logger
from financehub_shared.core.outage import Outage
from financehub_shared.core.release import release_version
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import readable, repaired, report_wrong_key
from financehub_shared.redis.scripts import REDIS_NOW
from financehub_shared.redis.server_clock import ServerClock
from financehub_shared.redis.text import LATEST_TIME, decode

log = get_logger(__name__)

HEARTBEAT_SECONDS = 5.0
#: Seconds until the next attempt after a heartbeat that Redis did not take, so that health reports are right again soon
#: after an outage.
RETRY_SECONDS = 1.0
#: Four heartbeats, so that a lost packet or a brief pause of the machine does not make a process look dead.
EXPIRY_SECONDS = 20
#: Larger than any process id (2**22 on Linux) and any number of threads.
_LARGEST_COUNT = 2**31 - 1

#: Records a heartbeat. KEYS: processes, record of the process. ARGV: id, record, seconds until the record expires,
#: seconds until a dead process is forgotten. The script begins with a command that frees memory, so that a full Redis
#: runs it (see `broker.queue_scripts`), and it uses the time of Redis, because the process's clock may be wrong.
_HEARTBEAT = (
    REDIS_NOW
    + """
redis.call("zremrangebyscore", KEYS[1], "-inf", now / 1000 - ARGV[4])
redis.call("zadd", KEYS[1], now / 1000, ARGV[1])
redis.call("set", KEYS[2], ARGV[2], "ex", ARGV[3])
"""
)


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One live process.

    Args:
        id: Unique id, which changes at a restart even if the host and pid stay the same.
        tier: `high`, `medium`, `low`, a tier that the user added, or `scheduler`.
        host, pid: Host name and process id.
        started_at: Start time in Unix seconds.
        heartbeat_at: Time of the last heartbeat in Unix seconds.
        queues: Queues that the process consumes.
        threads: Number of messages that it can run in parallel.
        busy: Number of messages that it is processing.
        draining: Whether it is shutting down and takes no new messages.
        clock_skew_seconds: Its machine's clock minus that of Redis; None if it is not known.
        version: Its release of FinanceHub; empty if it is older than this field.
        actors: Names of the tasks that it can run; None if it is older than this field.
    """

    id: str
    tier: str
    host: str
    pid: int
    started_at: float
    heartbeat_at: float = 0.0
    queues: tuple[str, ...] = ()
    threads: int = 0
    busy: int = 0
    draining: bool = False
    clock_skew_seconds: float | None = None
    version: str = ""
    actors: tuple[str, ...] | None = None

    @classmethod
    def of_this_process(cls, tier: str, now: float) -> "ProcessInfo":
        """Describe the calling process. Call this method after the fork, because the pid is part of the id."""
        host, pid = socket.gethostname(), os.getpid()
        id = f"{host}:{pid}:{uuid.uuid4().hex[:8]}"
        return cls(id, tier, host, pid, now, version=release_version())

    @classmethod
    def from_json(cls, raw: bytes) -> "ProcessInfo":
        """Parse a stored record. Fields that a newer release has added are ignored.

        Raises:
            ValueError, TypeError, KeyError, OverflowError: The record is damaged.
        """
        fields = json.loads(raw)
        return cls(
            id=str(fields["id"]),
            tier=str(fields["tier"]),
            host=str(fields["host"]),
            pid=_count(fields["pid"]),
            started_at=_time(fields["started_at"]),
            heartbeat_at=_time(fields["heartbeat_at"]),
            queues=tuple(map(str, fields.get("queues", ()))),
            threads=_count(fields.get("threads", 0)),
            busy=_count(fields.get("busy", 0)),
            draining=bool(fields.get("draining", False)),
            clock_skew_seconds=_optional_skew(fields.get("clock_skew_seconds")),
            version=str(fields.get("version", "")),
            actors=_optional_names(fields.get("actors")),
        )


def _optional_names(value: Any) -> tuple[str, ...] | None:
    return None if value is None else tuple(map(str, value))


def _optional_skew(value: Any) -> float | None:
    if value is None:
        return None
    if not abs(float(value)) <= LATEST_TIME:
        raise ValueError(f"{value!r} is not a difference of clocks in seconds")
    return float(value)


def _count(value: Any) -> int:
    if not math.isfinite(value) or not 0 <= int(value) <= _LARGEST_COUNT:
        raise ValueError(f"{value!r} is not a count")
    return int(value)


def _time(value: Any) -> float:
    """Return a time in Unix seconds. A calendar cannot show infinite and very large numbers."""
    if not -1 <= float(value) <= LATEST_TIME:
        raise ValueError(f"{value!r} is not a time in Unix seconds")
    return float(value)


class ProcessRegistry:
    """The registry of live processes in Redis.

    Args:
        client: Client for the queue Redis.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._script = client.register_script(_HEARTBEAT)

    def write_heartbeat(self, info: ProcessInfo) -> None:
        """Record that a process is alive, and remove processes that died an hour ago or earlier."""
        names = [keys.PROCESSES, keys.process(info.id)]
        args: list[str | int] = [info.id, json.dumps(asdict(info)), EXPIRY_SECONDS, HOUR_SECONDS]
        repaired(self._client, lambda: {keys.PROCESSES: "zset"}, lambda: self._script(keys=names, args=args))

    def remove(self, id: str) -> None:
        """Record that a process has stopped."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.delete(keys.process(id))
        pipeline.zrem(keys.PROCESSES, id)
        pipeline.execute()

    def live(self) -> list[ProcessInfo]:
        """Return the processes with a heartbeat in the last 20 s, sorted by tier."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.zrange(keys.PROCESSES, 0, -1)
        (members,) = readable([keys.PROCESSES], pipeline.execute(raise_on_error=False), [])
        ids = [decode(id) for id in members]
        if not ids:
            return []
        replies = cast("list[bytes | None]", self._client.mget([keys.process(id) for id in ids]))
        infos = []
        for id, reply in zip(ids, replies, strict=True):
            try:
                if reply is not None:
                    infos.append(ProcessInfo.from_json(reply))
            except DAMAGED as error:
                # The next heartbeat of the process replaces the damaged record.
                problem = f"it is not the record of a process ({type(error).__name__}: {error})"
                report_wrong_key(keys.process(id), problem)
        return sorted(infos, key=lambda info: (info.tier, info.id))


class Heartbeat:
    """Writes heartbeats in a thread until it is stopped. It logs an outage of Redis once.

    Args:
        registry: Registry that receives the heartbeats.
        describe: Returns the current state of the process.
        clock: Source of time.
        observe: Receives the duration of each heartbeat in seconds.
    """

    def __init__(
        self,
        registry: ProcessRegistry,
        describe: Callable[[], ProcessInfo],
        clock: ServerClock,
        observe: Callable[[float], None],
    ) -> None:
        self._registry = registry
        self._describe = describe
        self._clock = clock
        self._began = clock.monotonic()
        self._observe = observe
        self._stopped = threading.Event()
        # every heartbeat is an attempt, so there is no pause
        self._outage = Outage(
            "heartbeat",
            clock.monotonic,
            log,
            pause_seconds=0.0,
            consequence="Redis does not take heartbeats; health reports show this process as dead",
        )
        #: Types of unexpected errors that are logged.
        self._logged: set[type[Exception]] = set()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Write a heartbeat now and every `HEARTBEAT_SECONDS`."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the heartbeat and remove the process from the registry."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None
        self._try(lambda: self._registry.remove(self._describe().id))

    def _run(self) -> None:
        while True:
            self._try(self._write)
            if self._stopped.wait(RETRY_SECONDS if self._outage.active else HEARTBEAT_SECONDS):
                return

    def _write(self) -> None:
        started = self._clock.monotonic()
        now, skew = self._clock.now(), self._clock.skew()
        # The clock may have been corrected since the start, so the start is counted back from now.
        info = replace(
            self._describe(),
            started_at=now - (started - self._began),
            heartbeat_at=now,
            clock_skew_seconds=None if skew is None else round(skew, 3),
        )
        self._registry.write_heartbeat(info)
        self._observe(self._clock.monotonic() - started)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except redis.RedisError as error:
            self._outage.failed(error)
        except Exception as error:
            # The process works on, so its thread must not end, because health reports would show it as dead.
            if type(error) not in self._logged:
                self._logged.add(type(error))
                log.exception("heartbeat_failed")
        else:
            self._outage.succeeded()
