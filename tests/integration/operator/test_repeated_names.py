"""Tests that names that occur in several lists of the values reach a real API server once, under server-side apply."""

import json
from typing import Any

from support.chart import render
from support.chart_values import merged
from test_cluster.control_plane.cluster import Cluster

#: Each list repeats names of the others, of the chart itself, and of its own.
_REPEATED: dict[str, Any] = {
    "crds": {"enabled": False},
    "podDefaults": {
        "extraEnv": [{"name": "TRACE", "value": "defaults"}, {"name": "HTTPS_PROXY", "value": "http://proxy:1"}],
        "extraVolumes": [{"name": "scratch", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    },
    "tierDefaults": {
        "extraEnv": [
            {"name": "TRACE", "value": "tiers"},
            {"name": "REDIS_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "password"}}},
        ],
        "extraVolumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}}],
    },
    "tiers": {
        "high": {
            "extraEnv": [{"name": "TRACE", "value": "first"}, {"name": "TRACE", "value": "last"}],
            "extraVolumeMounts": [{"name": "scratch", "mountPath": "/scratch", "readOnly": True}],
        }
    },
    "scheduler": {"extraEnv": [{"name": "REDIS_PASSWORD", "value": "mine"}]},
}


def test_repeated_names_are_accepted_by_server_side_apply(crd_installed: Cluster, namespace: str) -> None:
    """The API server, which refuses a list with the same key twice, accepts all pods, and the last entry counts."""
    values = merged(_REPEATED, {"scheduler": {"namespaces": [namespace]}})
    items = render(values, namespace=namespace).all("ServiceAccount", "Deployment", "StatefulSet")
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    apply = ("apply", "--server-side", "--namespace", namespace, "--validate=strict", "-f", "-")
    for _ in range(2):
        done = crd_installed.kubectl(*apply, stdin=document, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    high, scheduler = (_container(crd_installed, namespace, component) for component in ("high", "scheduler"))
    environment = [(each["name"], each.get("value")) for each in high["env"]]
    assert [value for name, value in environment if name == "TRACE"] == ["last"]
    assert [value for name, value in environment if name == "HTTPS_PROXY"] == ["http://proxy:1"]
    (password,) = [each for each in high["env"] if each["name"] == "REDIS_PASSWORD"]
    assert password["valueFrom"]["secretKeyRef"]["name"] == "mine"
    assert [each for each in high["volumeMounts"] if each["mountPath"] == "/scratch"] == [
        {"name": "scratch", "mountPath": "/scratch", "readOnly": True}
    ]
    assert [each.get("value") for each in scheduler["env"] if each["name"] == "REDIS_PASSWORD"] == ["mine"]


def _container(cluster: Cluster, namespace: str, component: str) -> dict[str, Any]:
    stored = cluster.kubectl("get", "deployment", f"financehub-{component}", "--namespace", namespace, "-o", "json")
    (container,) = json.loads(stored.stdout)["spec"]["template"]["spec"]["containers"]
    return dict(container)
