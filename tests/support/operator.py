"""Schedulers whose schedules are resources of a real API server."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import load_kube_config

from financehub_scheduler.kubernetes.client.api import KubeApi
from financehub_scheduler.kubernetes.client.connection import Connection
from support.control_plane.cluster import Cluster
from support.control_plane.tokens import User
from support.schedules import SchedulerProcess, eventually, resource

_RBAC = Path(__file__).parents[2] / "deploy/operator/rbac.yaml"
_PATH = "/apis/financehub.io/v1alpha1/namespaces/{}/scheduledtasks"
#: A dozen processes that start at once on a busy machine take half a minute to import what they need.
_START_SECONDS = 40


def rules(kind: str) -> list[Mapping[str, Any]]:
    """What deploy/operator/rbac.yaml grants in its roles of a kind (`Role`, `ClusterRole`)."""
    documents = yaml.safe_load_all(_RBAC.read_text(encoding="utf-8"))
    return [rule for each in documents if each and each["kind"] == kind for rule in each["rules"]]


def scheduler_user(cluster: Cluster, namespace: str, name: str = "financehub-scheduler", *, wide: bool = False) -> User:
    """A service account with the rights of the shipped roles, in one namespace or (`wide`) everywhere."""
    own, everywhere = rules("Role"), rules("ClusterRole")
    if wide:
        return cluster.user(namespace, name, own, cluster_rules=everywhere)
    return cluster.user(
        namespace, name, [*own, *(rule for rule in everywhere if rule["apiGroups"] != ["apiextensions.k8s.io"])]
    )


class Tasks:
    """The ScheduledTasks of one namespace, as their user handles them.

    Args:
        cluster: the API server.
        namespace: where they are.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self.namespace = namespace
        self._path = _PATH.format(namespace)

    def apply(self, name: str = "demo", annotations: dict[str, str] | None = None, **spec: Any) -> Any:
        """Create or change one, as `kubectl apply --server-side` does; the object."""
        body = resource(name, annotations, **spec)
        return self._cluster.request(
            "PATCH",
            f"{self._path}/{name}",
            body,
            content_type="application/apply-patch+yaml",
            fieldManager="user",
            force="true",
        )

    def get(self, name: str = "demo") -> Any:
        """One object."""
        return self._cluster.request("GET", f"{self._path}/{name}")

    def delete(self, name: str = "demo") -> None:
        """Delete one."""
        self._cluster.request("DELETE", f"{self._path}/{name}")

    def status(self, name: str = "demo") -> dict[str, Any]:
        """The status of one; empty: none yet."""
        return dict(self.get(name).get("status") or {})

    def condition(self, kind: str, name: str = "demo") -> dict[str, Any]:
        """One condition of one; empty: none yet."""
        conditions = self.status(name).get("conditions", [])
        return next((each for each in conditions if each["type"] == kind), {})


def get(process: SchedulerProcess, path: str) -> tuple[int, Any]:
    """Ask a scheduler's own server: HTTP status and JSON."""
    listens = eventually(lambda: process.events("health_server_listens"), "the server listens", within=_START_SECONDS)
    port = listens[0]["port"]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def ready(process: SchedulerProcess) -> SchedulerProcess:
    """Wait until it has taken over all there is."""
    eventually(lambda: get(process, "/readyz")[0] == 200, "the scheduler is ready", within=_START_SECONDS)
    return process


async def connect(user: User, kubeconfig: Path | None = None) -> KubeApi:
    """A user's own connection to the API server, the usual one or (`kubeconfig`) by another way."""
    configuration = type.__call__(Configuration)
    await load_kube_config(str(kubeconfig or user.kubeconfig), client_configuration=configuration)
    return KubeApi(Connection(configuration, user.namespace))
