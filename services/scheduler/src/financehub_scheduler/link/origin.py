"""The cluster whose ScheduledTasks are the schedules, as the command line names it."""

import os
import secrets
import socket
from dataclasses import dataclass, field


def _unique_name() -> str:
    return f"{socket.gethostname()}_{os.getpid()}_{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class ClusterOrigin:
    """A cluster whose ScheduledTasks are the schedules.

    Args:
        namespaces: The watched namespaces; empty for all.
        lease: Name of the Lease whose holder writes status. Releases that share a namespace need different names.
        identity: Unique name of this scheduler as a holder of the Lease. A companion that replaces another one has the
            name of that one, so that it need not wait until the Lease expires.
    """

    namespaces: tuple[str, ...] = ()
    lease: str = "financehub-scheduler"
    identity: str = field(default_factory=_unique_name)

    def __str__(self) -> str:
        return f"cluster, namespaces {', '.join(self.namespaces) or 'all'}"

    def arguments(self) -> list[str]:
        """Return the command-line arguments with which a new companion builds an equal object."""
        named = [f"--namespace={namespace}" for namespace in self.namespaces]
        return [f"--lease={self.lease}", f"--identity={self.identity}", *named]
