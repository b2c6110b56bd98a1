"""The parts of a scheduler that are only needed if its schedules are a cluster's ScheduledTask resources.

They are the watch, the leader election, the status writer and the recorder of Events. The composition root passes
`listeners` to the engine and to the on-demand runs, and repeats `steps` and `redis_steps`.
"""

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence

from redis.asyncio import Redis

from financehub_scheduler.core.listener import SchedulerListener
from financehub_scheduler.core.state import ScheduleState
from financehub_scheduler.kubernetes.client.api import KubeApi
from financehub_scheduler.kubernetes.client.connection import Connection
from financehub_scheduler.kubernetes.events.recorder import INTERVAL_SECONDS as EVENTS_INTERVAL_SECONDS
from financehub_scheduler.kubernetes.events.recorder import EventRecorder
from financehub_scheduler.kubernetes.lease import POLL_SECONDS, Lease
from financehub_scheduler.kubernetes.status.sender import StatusSender
from financehub_scheduler.kubernetes.status.writer import INTERVAL_SECONDS as STATUS_INTERVAL_SECONDS
from financehub_scheduler.kubernetes.status.writer import StatusWriter
from financehub_scheduler.kubernetes.watch.cluster_source import SERVED_CHECK_SECONDS, ClusterSource
from financehub_shared.core.clock import Clock

#: API servers store JSON with up to ten thousand nested levels, which take about 2 MB of a thread's stack. With
#: Python's limit of a thousand levels, a single such resource would end the watch of all resources.
_RECURSION_LIMIT = 25_000

Step = Callable[[], Awaitable[None]]


class Operator:
    """The watch, the leader election, the status writer and the recorder of Events, connected to each other.

    Args:
        api: Connection to the cluster.
        clock: Time.
        namespaces: The watched namespaces; empty for all.
        lease: Name of the Lease.
        states: uid → state of each active schedule. The engine fills it.
        client: The queue Redis.
        redact: Masks secrets.
        identity: Unique name of the scheduler as a holder of the Lease. A companion that replaces another one has the
            name of that one, so that it need not wait until the Lease expires.
    """

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        namespaces: Sequence[str],
        lease: str,
        states: Mapping[str, ScheduleState],
        client: "Redis",
        redact: Callable[[str], str],
        identity: str,
    ) -> None:
        self._api = api
        self._lease = Lease(api, clock, identity, lease)
        self.source = ClusterSource(api, clock, namespaces)
        self._events = EventRecorder(clock, api, self.source.resources, redact)
        sender = StatusSender(api, clock)
        self._status = StatusWriter(clock, self._lease, sender, self.source, states, client, self._events)
        #: Listeners that must be notified of everything that happens to schedules and runs.
        self.listeners: tuple[SchedulerListener, ...] = (self._status, self._events)

    @classmethod
    async def connect(
        cls,
        clock: Clock,
        namespaces: Sequence[str],
        lease: str,
        states: Mapping[str, ScheduleState],
        client: "Redis",
        redact: Callable[[str], str],
        identity: str,
    ) -> "Operator":
        """Find the cluster and its credentials without sending a request. The arguments are those of the class.

        Raises:
            ConfigError: There is neither a service account nor a kubeconfig.
        """
        sys.setrecursionlimit(max(_RECURSION_LIMIT, sys.getrecursionlimit()))
        return cls(KubeApi(await Connection.load()), clock, namespaces, lease, states, client, redact, identity)

    @property
    def steps(self) -> list[tuple[float, Step]]:
        """Steps to repeat, each with its interval in seconds. None of them uses Redis."""
        return [
            (SERVED_CHECK_SECONDS, self.source.check_served),
            (POLL_SECONDS / 2, self._lease.step),
            (EVENTS_INTERVAL_SECONDS, self._events.step),
        ]

    @property
    def redis_steps(self) -> list[tuple[float, Step]]:
        """Steps to repeat that use Redis. They raise RedisError while it is unavailable."""
        return [(STATUS_INTERVAL_SECONDS, self._status.step)]

    async def aclose(self) -> None:
        """Release the Lease, so that another scheduler becomes the leader, and close the connections."""
        await self._lease.release()
        await self._api.aclose()
