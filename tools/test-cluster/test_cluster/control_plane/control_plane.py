"""A control plane that belongs to one test: it can be killed, restarted and made to forget."""

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
#: For documentation, never routed: no client goes there.
_SERVICES = "198.51.100.0/24"


def start_control_plane(directory: Path, *, controller_manager: bool = False) -> "ControlPlane":
    """Start etcd, the API server and perhaps the controller manager on free ports of loopback.

    Args:
        directory: empty; gets keys, data and logs.
        controller_manager: what deletes namespaces, runs CronJobs and the like.

    Raises:
        DaemonError: one of them does not start.
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
    """A control plane and power over its processes.

    Args:
        directory: of `start_control_plane`.
        port: of the API server, kept over restarts.
        etcd_port: of etcd.
        controller_manager: whether there is one.
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
        """Start all that does not run and wait until it is ready."""
        self._etcd.start(self._etcd_ready)
        self.start_api_server()
        if self._controllers:
            self._controllers.start(self._controllers_ready)

    def stop(self) -> None:
        """Stop all, in whatever state it is; keys and logs stay."""
        self.close()
        for daemon in (self._controllers, self._api_server, self._etcd):
            if daemon:
                daemon.stop()
        # 64 MB from the first entry on
        shutil.rmtree(self.directory / "etcd", ignore_errors=True)

    def start_api_server(self) -> None:
        """Start it, on the port it had, and wait until it is ready."""
        self._api_server.start(self.ready)

    def stop_api_server(self) -> None:
        """SIGTERM, as a rolling upgrade does: it ends watches properly."""
        self._api_server.stop()

    def kill_api_server(self) -> None:
        """SIGKILL, as the loss of its node does."""
        self._api_server.kill()

    def restart_api_server(self) -> None:
        """Stop it and start it on the same port."""
        self.stop_api_server()
        self.start_api_server()

    def compact(self) -> None:
        """Forget every resourceVersion before this moment: a list or a watch that starts from one answers 410 Gone.

        The API server restarts, for its watch cache would go on answering what etcd has forgotten.
        """
        etcd = httpx.Client(base_url=self._etcd_url, trust_env=False)
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
            # it refuses to publish a loopback address
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
            # tests ask as fast as they can
            "enable-priority-and-fairness": "false",
            "max-requests-inflight": 0,
            "max-mutating-requests-inflight": 0,
            # without it a stop waits a minute for watches to end by themselves
            "shutdown-send-retry-after": "true",
            "audit-policy-file": self.directory / "audit-policy.json",
            "audit-log-path": self.directory / "audit.log",
            # a rotated log would lose records
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
            # nobody asks it anything
            "secure-port": 0,
            "use-service-account-credentials": "true",
            "service-account-private-key-file": self._pki / "sa.key",
            "root-ca-file": self._pki / "ca.crt",
        }
        return [program(CONTROLLER_MANAGER), *(f"--{name}={value}" for name, value in options.items())]
