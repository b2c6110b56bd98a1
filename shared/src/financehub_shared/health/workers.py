"""Who is alive: every process beats into Redis, and is forgotten when it stops."""

import json
import os
import socket
import threading
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import cast

import redis
import structlog

from financehub_shared.core.clock import Clock
from financehub_shared.redis import keys

log = structlog.get_logger(__name__)

BEAT_SECONDS = 5.0
#: Four beats: one lost packet or a short pause of the machine is no death.
EXPIRES_SECONDS = 20


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One live process.

    Args:
        id: unique, also after a restart with the same pid and host.
        tier: `high`, `medium`, `low` or `scheduler`.
        host, pid: where it runs.
        started_at, beat_at: Unix seconds.
        queues: queues it consumes.
        threads: messages it can run at once.
        busy: messages it runs now.
        draining: it was told to stop.
    """

    id: str
    tier: str
    host: str
    pid: int
    started_at: float
    beat_at: float = 0.0
    queues: tuple[str, ...] = ()
    threads: int = 0
    busy: int = 0
    draining: bool = False

    @classmethod
    def of_this_process(cls, tier: str, now: float) -> "ProcessInfo":
        """Describe the calling process; call it after the fork."""
        host, pid = socket.gethostname(), os.getpid()
        return cls(f"{host}:{pid}:{uuid.uuid4().hex[:8]}", tier, host, pid, now)


class WorkerRegistry:
    """The live processes in Redis.

    Args:
        client: Redis of the queues.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client

    def beat(self, info: ProcessInfo) -> None:
        """Say that a process is alive; also clears out who has long been dead."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.set(keys.process(info.id), json.dumps(asdict(info)), ex=EXPIRES_SECONDS)
        pipeline.zadd(keys.PROCESSES, {info.id: info.beat_at})
        pipeline.zremrangebyscore(keys.PROCESSES, "-inf", info.beat_at - 3_600)
        pipeline.execute()

    def forget(self, id: str) -> None:
        """Say that a process has stopped in good order."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.delete(keys.process(id))
        pipeline.zrem(keys.PROCESSES, id)
        pipeline.execute()

    def alive(self) -> list[ProcessInfo]:
        """Every process that beat within the last 20 s, by tier."""
        ids = cast("list[bytes]", self._client.zrange(keys.PROCESSES, 0, -1))
        if not ids:
            return []
        rows = cast("list[bytes | None]", self._client.mget([keys.process(id.decode()) for id in ids]))
        found = [json.loads(row) for row in rows if row is not None]
        infos = [ProcessInfo(**{**one, "queues": tuple(one["queues"])}) for one in found]
        return sorted(infos, key=lambda info: (info.tier, info.id))


class Heartbeat:
    """A thread that beats until it is stopped; Redis away is logged once and waited out.

    Args:
        registry: where to.
        info: describes the process now.
        clock: stamps the beats.
        observe: receives the seconds that each beat took.
    """

    def __init__(
        self,
        registry: WorkerRegistry,
        info: Callable[[], ProcessInfo],
        clock: Clock,
        observe: Callable[[float], None],
    ) -> None:
        self._registry = registry
        self._info = info
        self._clock = clock
        self._observe = observe
        self._stopped = threading.Event()
        self._away = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Beat now and every `BEAT_SECONDS`."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Beat no more and sign off."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None
        self._try(lambda: self._registry.forget(self._info().id))

    def _run(self) -> None:
        while True:
            self._try(self._beat)
            if self._stopped.wait(BEAT_SECONDS):
                return

    def _beat(self) -> None:
        started = self._clock.monotonic()
        self._registry.beat(replace(self._info(), beat_at=self._clock.now()))
        self._observe(self._clock.monotonic() - started)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
            self._away = False
        except redis.RedisError as error:
            if not self._away:
                self._away = True
                log.warning("heartbeat_not_heard", reason="Redis is away", error=str(error))
