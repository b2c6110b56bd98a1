"""What a scheduler does beside firing where its schedules are resources of a cluster."""

from collections.abc import Awaitable, Callable, Sequence

from financehub_scheduler.cluster.api import KubeApi
from financehub_scheduler.cluster.connection import Connection
from financehub_scheduler.sources.crd import PROBE_SECONDS, CrdSource
from financehub_shared.clock import Clock


class Operator:
    """The parts that talk to the API server.

    Args:
        api: connection to the cluster.
        clock: time.
        namespaces: which ones are watched; none: all.
    """

    def __init__(self, api: KubeApi, clock: Clock, namespaces: Sequence[str]) -> None:
        self._api = api
        self.source = CrdSource(api, clock, namespaces)

    @classmethod
    async def connect(cls, clock: Clock, namespaces: Sequence[str]) -> "Operator":
        """Find the cluster; nothing is asked of it yet.

        Raises:
            ConfigError: there is neither a service account nor a kubeconfig.
        """
        return cls(KubeApi(await Connection.load(), clock), clock, namespaces)

    def steps(self) -> list[tuple[float, Callable[[], Awaitable[None]]]]:
        """What is to be done again and again: seconds between two times, and what."""
        return [(PROBE_SECONDS, self.source.probe)]

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()
