"""A control plane whose processes a test can control: kill, restart and compact."""

import contextlib
import json
import shutil
from pathlib import Path

import httpx

from support.redis_server import free_port
from test_cluster.binaries.finder import program
from test_cluster.binaries.programs import API_SERVER, CONTROLLER_MANAGER, ETCD
from test_cluster.control_plane.audit import POLICY
from test_cluster.control_plane.cluster import Cluster
from test_cluster.control_plane.daemon import Daemon, PortTakenError
from test_cluster.control_plane.kubeconfig import write_kubeconfig
from test_cluster.control_plane.pki import Authority, write_key, write_public_key
from test_cluster.control_plane.tokens import ISSUER

_PORT_TRIES = 5
#: Address range reserved for documentation. It is never routed, and no client uses it.
_SERVICES = "198.51.100.0/24"


def start_control_plane(directory: Path, *, controller_manager: bool = False) -> "ControlPlane":
    """Start etcd, the API server and optionally the controller manager on free loopback ports.

    Args:
        directory: An empty directory for keys, data and logs.
        controller_manager: Whether to start the controller manager, which deletes namespaces and runs CronJobs.

    Raises:
        DaemonError: A server does not start.
    """
    pki = directory / "pki"
    pki.mkdir(parents=True)
    authority = Authority(pki)
    authority.issue("apiserver", "kube-apiserver")
    authority.issue("admin", "admin", "system:masters")
    authority.issue("controller-manager", "system:kube-controller-manager")
    write_public_key(write_key(pki / "sa.key"), pki / "sa.pub")
    (directory / "audit-policy.json").write_text(json.dumps(POLICY), encoding="utf-8")
    for last in (False,) * (_PORT_TRIES - 1) + (True,):
        plane = ControlPlane(directory, free_port(), free_port(), controller_manager=controller_manager)
        try:
            plane.start()
        except PortTakenError:
            plane.stop()
            if last:
                raise
        except BaseException:
            plane.stop()
            raise
        else:
            break
    return plane


class ControlPlane(Cluster):
    """A control plane and its processes.

    Args:
        directory: Directory for keys, data and logs.
        port: Port of the API server. It survives restarts.
        etcd_port: Port of etcd.
        controller_manager: Whether there is a controller manager.
    """

    def __init__(self, directory: Path, port: int, etcd_port: int, *, controller_manager: bool) -> None:
        super().__init__(directory, f"https://127.0.0.1:{port}")
        self._etcd_url = f"http://127.0.0.1:{etcd_port}"
        self._etcd = Daemon(self._etcd_command(), directory / "etcd.log")
        self._api_server = Daemon(self._api_server_command(port), directory / "kube-apiserver.log")
        self._controllers = None
        if controller_manager:
            log = directory / "kube-controller-manager.log"
            self._controllers = Daemon(self._controller_manager_command(), log)

    def start(self) -> None:
        """Start all servers and wait until they are ready."""
        self._etcd.start(self._etcd_ready)
        self.start_api_server()
        if self._controllers:
            self._controllers.start(self._controllers_ready)

    def stop(self) -> None:
        """Stop all servers in any state. Keys and logs remain."""
        self.close()
        for daemon in (self._controllers, self._api_server, self._etcd):
            if daemon:
                daemon.stop()
        # etcd's data takes 64 MB from the first entry on.
        shutil.rmtree(self.directory / "etcd", ignore_errors=True)

    def start_api_server(self) -> None:
        """Start the API server on its port and wait until it is ready."""
        self._api_server.start(self.ready)

    def stop_api_server(self) -> None:
        """Stop the API server with SIGTERM, like a rolling upgrade. It closes watches gracefully."""
        self._api_server.stop()

    def kill_api_server(self) -> None:
        """Stop the API server with SIGKILL, as if its node were lost."""
        self._api_server.kill()

    def restart_api_server(self) -> None:
        """Stop the API server and start it on the same port."""
        self.stop_api_server()
        self.start_api_server()

    def compact(self) -> None:
        """Remove all older versions of resources. A list or watch that starts from one of them gets a 410 Gone.

        The API server is restarted, because its watch cache would still have these versions.
        """
        etcd = httpx.Client(base_url=self._etcd_url, trust_env=False, timeout=120)
        with etcd:
            revision = etcd.post("/v3/kv/range", json={"key": "AA=="}).raise_for_status().json()["header"]["revision"]
            etcd.post("/v3/kv/compaction", json={"revision": revision, "physical": True}).raise_for_status()
        self.restart_api_server()

    def _etcd_ready(self) -> bool:
        try:
            return httpx.get(f"{self._etcd_url}/health", timeout=2, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def _controllers_ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            self.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")
            return True
        return False

    def _etcd_command(self) -> list[str | Path]:
        peers = "http://127.0.0.1:0"
        return [
            program(ETCD),
            *("--data-dir", self.directory / "etcd", "--unsafe-no-fsync"),
            *("--listen-client-urls", self._etcd_url, "--advertise-client-urls", self._etcd_url),
            *(
                "--listen-peer-urls",
                peers,
                "--initial-advertise-peer-urls",
                peers,
                "--initial-cluster",
                f"default={peers}",
            ),
        ]

    def _api_server_command(self, port: int) -> list[str | Path]:
        options = {
            "etcd-servers": self._etcd_url,
            "bind-address": "127.0.0.1",
            "advertise-address": "127.0.0.1",
            # The API server refuses to publish a loopback address.
            "endpoint-reconciler-type": "none",
            "secure-port": port,
            "service-cluster-ip-range": _SERVICES,
            "authorization-mode": "RBAC",
            "client-ca-file": self._pki / "ca.crt",
            "tls-cert-file": self._pki / "apiserver.crt",
            "tls-private-key-file": self._pki / "apiserver.key",
            "service-account-key-file": self._pki / "sa.pub",
            "service-account-signing-key-file": self._pki / "sa.key",
            "service-account-issuer": ISSUER,
            # Tests send requests as fast as they can.
            "enable-priority-and-fairness": "false",
            "max-requests-inflight": 0,
            "max-mutating-requests-inflight": 0,
            # Without it, a stop waits up to a minute until watches have ended by themselves.
            "shutdown-send-retry-after": "true",
            "audit-policy-file": self.directory / "audit-policy.json",
            "audit-log-path": self.directory / "audit.log",
            # Log rotation would lose records.
            "audit-log-maxsize": 100_000,
        }
        return [program(API_SERVER), *(f"--{name}={value}" for name, value in options.items())]

    def _controller_manager_command(self) -> list[str | Path]:
        kubeconfig = self.directory / "controller-manager.kubeconfig"
        certificate = {
            "client-certificate": str(self._pki / "controller-manager.crt"),
            "client-key": str(self._pki / "controller-manager.key"),
        }
        write_kubeconfig(kubeconfig, self.server, self._pki / "ca.crt", certificate, "kube-system")
        options = {
            "kubeconfig": kubeconfig,
            "leader-elect": "false",
            # No client sends requests to it.
            "secure-port": 0,
            "use-service-account-credentials": "true",
            "service-account-private-key-file": self._pki / "sa.key",
            "root-ca-file": self._pki / "ca.crt",
        }
        return [program(CONTROLLER_MANAGER), *(f"--{name}={value}" for name, value in options.items())]
