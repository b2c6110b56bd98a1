"""Tests of the test control plane: the properties that the operator tests rely on."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from support.tunnel import Tunnel
from test_cluster.control_plane.cluster import Cluster
from test_cluster.control_plane.control_plane import ControlPlane

READ_CONFIG_MAPS = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]


def config_maps(namespace: str) -> str:
    """Return the API path of a namespace's ConfigMaps."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


def test_user_has_exactly_the_granted_rights(control_plane: Cluster, namespace: str) -> None:
    """Granted requests succeed. Other requests, and the same requests in another namespace, are forbidden."""
    user = control_plane.user(namespace, "reader", READ_CONFIG_MAPS)
    list_them = ("get", "configmaps")
    assert control_plane.kubectl(*list_them, kubeconfig=user.kubeconfig).returncode == 0
    elsewhere = control_plane.kubectl(*list_them, "-n", "default", kubeconfig=user.kubeconfig, check=False)
    assert "is forbidden" in elsewhere.stderr
    written = control_plane.kubectl("create", "configmap", "x", kubeconfig=user.kubeconfig, check=False)
    assert "is forbidden" in written.stderr


def test_user_with_expired_token_is_refused_until_new_login(control_plane: Cluster, namespace: str) -> None:
    """An expired token is refused, and a new one in the same file is accepted."""
    user = control_plane.user(namespace, "guest", READ_CONFIG_MAPS)
    user.login(seconds=-1)
    refused = control_plane.kubectl("get", "configmaps", kubeconfig=user.kubeconfig, check=False)
    assert "You must be logged in" in refused.stderr
    user.login()
    control_plane.kubectl("get", "configmaps", kubeconfig=user.kubeconfig)


def test_audit_contains_each_request_once(control_plane: Cluster, namespace: str) -> None:
    """Each of a user's requests is in the audit log once, with its verb, as soon as it has a response."""
    user = control_plane.user(namespace, "counted", READ_CONFIG_MAPS)
    for _ in range(3):
        control_plane.kubectl("get", "configmaps", kubeconfig=user.kubeconfig)
    control_plane.kubectl("create", "configmap", "x", kubeconfig=user.kubeconfig, check=False)
    watch = f"{config_maps(namespace)}?watch=true&timeoutSeconds=1"
    control_plane.kubectl("get", "--raw", watch, kubeconfig=user.kubeconfig)
    records = [
        record
        for record in control_plane.audit(user.name)
        if record.get("objectRef", {}).get("resource") == "configmaps"
    ]
    verbs = Counter((record["verb"], record["responseStatus"]["code"]) for record in records)
    assert verbs == {("list", 200): 3, ("create", 403): 1, ("watch", 200): 1}


def test_killed_api_server_restarts_with_its_data(own_control_plane: Callable[..., ControlPlane]) -> None:
    """After SIGKILL, the API server starts again on the same port, with its data, for the same users.

    After `compact`, it no longer knows older versions and responds with 410 Gone.
    """
    plane = own_control_plane()
    namespace = plane.create_namespace()
    created: list[dict[str, Any]] = [
        plane.request("POST", config_maps(namespace), {"metadata": {"name": name}}) for name in ("first", "second")
    ]
    user = plane.user(namespace, "reader", READ_CONFIG_MAPS)

    plane.kill_api_server()
    assert not plane.ready()
    plane.start_api_server()
    assert plane.kubectl("get", "configmap", "first", kubeconfig=user.kubeconfig).returncode == 0

    first, second = (item["metadata"]["resourceVersion"] for item in created)
    exact = {"resourceVersion": first, "resourceVersionMatch": "Exact"}
    assert len(plane.request("GET", config_maps(namespace), **exact)["items"]) == 1
    plane.compact()
    with pytest.raises(httpx.HTTPStatusError, match="410"):
        plane.request("GET", config_maps(namespace), **exact)
    watch = {"watch": "true", "timeoutSeconds": "1"}
    event = plane.request("GET", config_maps(namespace), resourceVersion=second, **watch)
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


def test_controller_manager_deletes_namespaces(own_control_plane: Callable[..., ControlPlane]) -> None:
    """With the controller manager, a deleted namespace disappears together with its contents."""
    plane = own_control_plane(controller_manager=True)
    namespace = plane.create_namespace()
    plane.request("POST", config_maps(namespace), {"metadata": {"name": "inside"}})
    plane.kubectl("delete", "namespace", namespace, "--timeout=60s")
    assert "NotFound" in plane.kubectl("get", "namespace", namespace, check=False).stderr


def test_tunnel_connects_a_user_to_the_api_server(control_plane: Cluster, namespace: str, tunnel: Tunnel) -> None:
    """A user reaches the API server over TLS through the tunnel, unless the tunnel refuses connections."""
    user = control_plane.user(namespace, "far", READ_CONFIG_MAPS)
    kubeconfig = tunnel.kubeconfig(user.kubeconfig)
    control_plane.kubectl("get", "configmaps", kubeconfig=kubeconfig)
    tunnel.refuse()
    assert "refused" in control_plane.kubectl("get", "configmaps", kubeconfig=kubeconfig, check=False).stderr
