"""Defines the node's paths and addresses."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[4]

#: Name of the network namespace and of the Kubernetes node.
NAME = "financehub"
#: Address ranges reserved for documentation, which are never routed.
PODS = ipaddress.ip_network("203.0.113.0/24")
SERVICES = ipaddress.ip_network("198.51.100.0/24")
#: Address of the node, which is also the pods' gateway and DNS server.
NODE = PODS[1]
#: Address of the API server's Service, by convention the first of the range.
API_SERVICE = SERVICES[1]
API_URL = f"https://{NODE}:6443"


@dataclass(frozen=True)
class Layout:
    """Files of one node.

    Args:
        root: Folder of all files. It may be removed while the node is stopped.
    """

    root: Path = _ROOT / ".data" / "node"

    @property
    def pki(self) -> Path:
        """Folder for keys and certificates."""
        return self.root / "pki"

    @property
    def logs(self) -> Path:
        """Folder with the output of each process in `<name>.log`."""
        return self.root / "log"

    @property
    def run(self) -> Path:
        """Folder for process ids and sockets."""
        return self.root / "run"

    @property
    def containerd(self) -> Path:
        """Socket of the container runtime."""
        return self.run / "containerd.sock"

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig of the administrator."""
        return self.root / "admin.kubeconfig"

    @property
    def outside_kubeconfig(self) -> Path:
        """Kubeconfig of the administrator for programs outside the node's network."""
        return self.root / "outside.kubeconfig"

    def kubeconfig_of(self, component: str) -> Path:
        """Return the kubeconfig of a Kubernetes component."""
        return self.root / f"{component}.kubeconfig"

    def make(self) -> None:
        """Create the folders."""
        for folder in (self.pki, self.logs, self.run, self.root / "cni"):
            folder.mkdir(parents=True, exist_ok=True)
