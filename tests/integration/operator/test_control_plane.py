"""The control plane itself: what the operator's tests rely on."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from support.control_plane.cluster import Cluster
from support.control_plane.control_plane import ControlPlane
from support.tunnel import Tunnel

READ_CONFIG_MAPS = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]


def config_maps(namespace: str) -> str:
    """Their path."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


def test_user_may_do_what_its_rules_say_and_nothing_else(control_plane: Cluster, namespace: str) -> None:
    """RBAC decides: what is granted works, what is not is forbidden, in the next namespace too."""
    user = control_plane.user(namespace, "reader", READ_CONFIG_MAPS)
    ask = ("get", "configmaps")
    assert control_plane.kubectl(*ask, kubeconfig=user.kubeconfig).returncode == 0
    elsewhere = control_plane.kubectl(*ask, "-n", "default", kubeconfig=user.kubeconfig, check=False)
    assert "is forbidden" in elsewhere.stderr
    written = control_plane.kubectl("create", "configmap", "x", kubeconfig=user.kubeconfig, check=False)
    assert "is forbidden" in written.stderr


def test_token_expires(control_plane: Cluster, namespace: str) -> None:
    """A token past its time is not let in, and a new one in the same file is."""
    user = control_plane.user(namespace, "guest", READ_CONFIG_MAPS)
    user.login(seconds=-1)
    late = control_plane.kubectl("get", "configmaps", kubeconfig=user.kubeconfig, check=False)
    assert "You must be logged in" in late.stderr
    user.login()
    control_plane.kubectl("get", "configmaps", kubeconfig=user.kubeconfig)


def test_audit_has_one_record_for_each_request(control_plane: Cluster, namespace: str) -> None:
    """Every request of a user is in the log once, with its verb, as soon as it is answered."""
    user = control_plane.user(namespace, "counted", READ_CONFIG_MAPS)
    for _ in range(3):
        control_plane.kubectl("get", "configmaps", kubeconfig=user.kubeconfig)
    control_plane.kubectl("create", "configmap", "x", kubeconfig=user.kubeconfig, check=False)
    watch = f"{config_maps(namespace)}?watch=true&timeoutSeconds=1"
    control_plane.kubectl("get", "--raw", watch, kubeconfig=user.kubeconfig)
    of_maps = [
        record
        for record in control_plane.audit(user.name)
        if record.get("objectRef", {}).get("resource") == "configmaps"
    ]
    verbs = Counter((record["verb"], record["responseStatus"]["code"]) for record in of_maps)
    assert verbs == {("list", 200): 3, ("create", 403): 1, ("watch", 200): 1}


def test_killed_api_server_comes_back_with_everything(own_control_plane: Callable[..., ControlPlane]) -> None:
    """After SIGKILL nobody answers; started again it is on the same port, with its data, for the same users; and after
    `compact` it does not know what was before, which a client is told as 410 Gone.
    """
    plane = own_control_plane()
    namespace = plane.create_namespace()
    made: list[dict[str, Any]] = [
        plane.request("POST", config_maps(namespace), {"metadata": {"name": name}}) for name in ("first", "second")
    ]
    user = plane.user(namespace, "reader", READ_CONFIG_MAPS)

    plane.kill_api_server()
    assert not plane.ready()
    plane.start_api_server()
    assert plane.kubectl("get", "configmap", "first", kubeconfig=user.kubeconfig).returncode == 0

    first, second = (item["metadata"]["resourceVersion"] for item in made)
    exact = {"resourceVersion": first, "resourceVersionMatch": "Exact"}
    assert len(plane.request("GET", config_maps(namespace), **exact)["items"]) == 1
    plane.compact()
    with pytest.raises(httpx.HTTPStatusError, match="410"):
        plane.request("GET", config_maps(namespace), **exact)
    watch = {"watch": "true", "timeoutSeconds": "1"}
    told = plane.request("GET", config_maps(namespace), resourceVersion=second, **watch)
    assert (told["type"], told["object"]["code"]) == ("ERROR", 410)


def test_namespace_is_deleted_where_controllers_run(own_control_plane: Callable[..., ControlPlane]) -> None:
    """With the controller manager a deleted namespace takes its content along and is gone."""
    plane = own_control_plane(controller_manager=True)
    namespace = plane.create_namespace()
    plane.request("POST", config_maps(namespace), {"metadata": {"name": "inside"}})
    plane.kubectl("delete", "namespace", namespace, "--timeout=60s")
    assert "NotFound" in plane.kubectl("get", "namespace", namespace, check=False).stderr


def test_tunnel_leads_to_the_api_server(control_plane: Cluster, namespace: str, tunnel: Tunnel) -> None:
    """A user reaches the API server through the tunnel, TLS and all, and not when it refuses."""
    user = control_plane.user(namespace, "far", READ_CONFIG_MAPS)
    through = tunnel.kubeconfig(user.kubeconfig)
    control_plane.kubectl("get", "configmaps", kubeconfig=through)
    tunnel.refuse()
    assert "refused" in control_plane.kubectl("get", "configmaps", kubeconfig=through, check=False).stderr
