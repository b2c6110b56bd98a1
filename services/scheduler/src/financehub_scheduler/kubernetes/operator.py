"""What a scheduler does beside firing where its schedules are resources of a cluster."""

import os
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence

from redis.asyncio import Redis

from financehub_scheduler.core.engine import Engine
from financehub_scheduler.core.observer import Observer
from financehub_scheduler.core.on_demand import Errands
from financehub_scheduler.kubernetes.client.api import KubeApi
from financehub_scheduler.kubernetes.client.connection import Connection
from financehub_scheduler.kubernetes.events.recorder import INTERVAL_SECONDS as EVENTS_SECONDS
from financehub_scheduler.kubernetes.events.recorder import Recorder
from financehub_scheduler.kubernetes.lease import LOOK_SECONDS, Lease
from financehub_scheduler.kubernetes.status.sender import Sender
from financehub_scheduler.kubernetes.status.writer import INTERVAL_SECONDS, StatusWriter
from financehub_scheduler.kubernetes.watch.source import PROBE_SECONDS, CrdSource
from financehub_shared.core.clock import Clock

#: API servers keep JSON that is nested ten thousand deep, some 2 MB of a thread's stack; Python's limit of a thousand
#: would let one such resource end the watch of all.
_RECURSION = 25_000

Step = Callable[[], Awaitable[None]]


class Operator:
    """The parts that talk to the API server.

    Args:
        api: connection to the cluster.
        clock: time.
        namespaces: which ones are watched; none: all.
        lease: its name.
    """

    def __init__(self, api: KubeApi, clock: Clock, namespaces: Sequence[str], lease: str) -> None:
        self._api = api
        self._clock = clock
        self._lease = Lease(api, clock, f"{socket.gethostname()}_{os.getpid()}_{secrets.token_hex(4)}", lease)
        self.source = CrdSource(api, clock, namespaces)

    @classmethod
    async def connect(cls, clock: Clock, namespaces: Sequence[str], lease: str) -> "Operator":
        """Find the cluster; nothing is asked of it yet.

        Raises:
            ConfigError: there is neither a service account nor a kubeconfig.
        """
        sys.setrecursionlimit(max(_RECURSION, sys.getrecursionlimit()))
        return cls(KubeApi(await Connection.load()), clock, namespaces, lease)

    def steps(
        self, engine: Engine, errands: Errands, observer: Observer, client: "Redis", redact: Callable[[str], str]
    ) -> tuple[list[tuple[float, Step]], list[tuple[float, Step]]]:
        """What is to be done again and again, seconds apart: first what needs no Redis, then what needs it.

        Args:
            engine: its schedules have a status.
            errands: backfills that end are told of.
            observer: verdicts are told of.
            client: Redis of the queues.
            redact: masks secrets.
        """
        sender = Sender(self._api, self._clock)
        writer = StatusWriter(self._clock, self._lease, sender, self.source, engine.live, client)
        events = Recorder(self._clock, self._api, self.source.resources, redact)
        engine.on_moved = writer.moved.add
        events.listen(observer, errands, writer)
        return (
            [
                (PROBE_SECONDS, self.source.probe),
                (LOOK_SECONDS / 2, self._lease.step),
                (EVENTS_SECONDS, events.step),
            ],
            [(INTERVAL_SECONDS, writer.step)],
        )

    async def aclose(self) -> None:
        """Let another scheduler write status, and close the connections."""
        await self._lease.release()
        await self._api.aclose()
