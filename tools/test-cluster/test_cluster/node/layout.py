"""Where the node keeps what it has, and its addresses."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[4]

#: Of the network namespace, the node and the cluster in kubeconfigs.
NAME = "financehub"
# ranges for documentation, which are never routed
PODS = ipaddress.ip_network("203.0.113.0/24")
SERVICES = ipaddress.ip_network("198.51.100.0/24")
#: The node's own; also the pods' gateway and DNS server.
NODE = PODS[1]
#: By convention the first of the Services.
API_SERVICE = SERVICES[1]
API_URL = f"https://{NODE}:6443"


@dataclass(frozen=True)
class Layout:
    """Files of one node.

    Args:
        root: folder that holds all of them; it may be removed while the node is down.
    """

    root: Path = _ROOT / ".data" / "node"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.root / "pki"

    @property
    def logs(self) -> Path:
        """What each process prints: `<name>.log`."""
        return self.root / "log"

    @property
    def run(self) -> Path:
        """Process ids and sockets."""
        return self.root / "run"

    @property
    def containerd(self) -> Path:
        """Socket of the container runtime."""
        return self.run / "containerd.sock"

    @property
    def kubeconfig(self) -> Path:
        """Of the administrator."""
        return self.root / "admin.kubeconfig"

    def kubeconfig_of(self, component: str) -> Path:
        """Of one of Kubernetes' own components."""
        return self.root / f"{component}.kubeconfig"

    def make(self) -> None:
        """Create the folders."""
        for folder in (self.pki, self.logs, self.run, self.root / "cni"):
            folder.mkdir(parents=True, exist_ok=True)
