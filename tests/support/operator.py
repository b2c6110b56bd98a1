"""Helpers for tests with schedulers whose schedules are resources of a real API server."""

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
from financehub_scheduler.kubernetes.client.connection import REQUEST_SECONDS, Connection
from financehub_shared.broker.door import MAX_DEPTH
from support.redis_server import PATIENT_SECONDS
from support.schedules import SchedulerProcess, resource
from support.waiting import eventually
from test_cluster.control_plane.cluster import Cluster
from test_cluster.control_plane.tokens import User

_RBAC = Path(__file__).parents[2] / "deploy/operator/rbac.yaml"
_PATH = "/apis/financehub.io/v1alpha1/namespaces/{}/scheduledtasks"
#: On a busy machine, a dozen processes that start together take half a minute to import their modules.
_START_SECONDS = 120
_ANSWER_SECONDS = 120


def _nested(levels: int) -> list[Any]:
    return [_nested(levels - 1)] if levels else []


#: Arguments that the API server accepts and the scheduler refuses, because no worker reads a message with them.
TOO_DEEP = _nested(MAX_DEPTH)


def rules(kind: str) -> list[Mapping[str, Any]]:
    """Return the RBAC rules of all roles of a kind in deploy/operator/rbac.yaml.

    Args:
        kind: `Role` or `ClusterRole`.
    """
    documents = yaml.load_all(_RBAC.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return [rule for document in documents if document and document["kind"] == kind for rule in document["rules"]]


def scheduler_user(
    cluster: Cluster, namespace: str, name: str = "financehub-scheduler", *, cluster_wide: bool = False
) -> User:
    """Create a service account with the rights of the shipped roles.

    Args:
        cluster: The API server.
        namespace: Namespace of the account.
        name: Name of the account.
        cluster_wide: Whether to grant the rights in all namespaces instead of only in the account's own.
    """
    own, everywhere = rules("Role"), rules("ClusterRole")
    if cluster_wide:
        return cluster.user(namespace, name, own, cluster_rules=everywhere)
    namespaced = [rule for rule in everywhere if rule["apiGroups"] != ["apiextensions.k8s.io"]]
    return cluster.user(namespace, name, [*own, *namespaced])


class Tasks:
    """The ScheduledTasks of one namespace, as a user reads and changes them.

    Args:
        cluster: The API server.
        namespace: The namespace.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self.namespace = namespace
        self._path = _PATH.format(namespace)

    def apply(self, name: str = "demo", annotations: dict[str, str] | None = None, **spec: Any) -> Any:
        """Create or change a resource like `kubectl apply --server-side`, and return it."""
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
        """Return a resource."""
        return self._cluster.request("GET", f"{self._path}/{name}")

    def delete(self, name: str = "demo") -> None:
        """Delete a resource."""
        self._cluster.request("DELETE", f"{self._path}/{name}")

    def status(self, name: str = "demo") -> dict[str, Any]:
        """Return a resource's status, which is empty if it has none yet."""
        return dict(self.get(name).get("status") or {})

    def condition(self, kind: str, name: str = "demo") -> dict[str, Any]:
        """Return one condition of a resource, or an empty one if it does not exist yet."""
        conditions = self.status(name).get("conditions", [])
        return next((condition for condition in conditions if condition["type"] == kind), {})


def http_get(process: SchedulerProcess, path: str) -> tuple[int, Any]:
    """Send a request to a scheduler's HTTP server, and return the HTTP status and the JSON response."""
    started = eventually(lambda: process.events("health_server_started"), "the server listens", within=_START_SECONDS)
    port = started[-1]["port"]  # of the newest companion
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENT_SECONDS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def wait_until_ready(process: SchedulerProcess) -> SchedulerProcess:
    """Wait until a scheduler has registered all existing schedules, and return it."""
    eventually(
        lambda: http_get(process, "/readyz")[0] == 200, "the scheduler is ready", within=_START_SECONDS, ignored=OSError
    )
    return process


async def connect(user: User, kubeconfig: Path | None = None) -> KubeApi:
    """Return a client with a user's credentials.

    Args:
        user: The user.
        kubeconfig: Another kubeconfig of the user, such as one that connects through a tunnel. Without it, the client
            waits for answers as long as a busy machine may need.
    """
    configuration = type.__call__(Configuration)
    await load_kube_config(str(kubeconfig or user.kubeconfig), client_configuration=configuration)
    limit = REQUEST_SECONDS if kubeconfig else _ANSWER_SECONDS
    return KubeApi(Connection(configuration, user.namespace, request_seconds=limit))
