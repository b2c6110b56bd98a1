"""Applies deploy/operator to a control plane and waits until it is in effect."""

import json
import time
from pathlib import Path
from typing import Any

import httpx

from test_cluster.control_plane.cluster import Cluster

_MANIFESTS = Path(__file__).parents[4] / "deploy/operator"
_LIMIT_SECONDS = 120

_NAME = "in-effect.test.financehub.io"
_ADMISSION: dict[str, Any] = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": _NAME}}
#: A policy that denies one unused ConfigMap. Policies take effect in order, a second or two after they are applied.
#: When this last policy denies, the others do too.
_PROBE = [
    {
        **_ADMISSION,
        "kind": "ValidatingAdmissionPolicy",
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE"]}
                ]
            },
            "validations": [{"expression": f"object.metadata.name != '{_NAME}'"}],
        },
    },
    {
        **_ADMISSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "spec": {"policyName": _NAME, "validationActions": ["Deny"]},
    },
]


def install(cluster: Cluster) -> None:
    """Apply deploy/operator and wait until ScheduledTasks are served and admission policies are in effect.

    Args:
        cluster: The control plane.
    """
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(_MANIFESTS))
    probe = {"apiVersion": "v1", "kind": "List", "items": _PROBE}
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(probe))
    cluster.kubectl("wait", "--for=condition=Established", "crd/scheduledtasks.financehub.io", "--timeout=120s")
    limit = time.monotonic() + _LIMIT_SECONDS
    while not (_is_discovered(cluster) and _denies(cluster)):
        assert time.monotonic() < limit, "ScheduledTasks are not served, or the admission policies are not in effect"
        time.sleep(0.05)


def _is_discovered(cluster: Cluster) -> bool:
    # An established resource is discoverable a moment later. This kubectl command does not use the discovery cache.
    return "scheduledtasks" in cluster.kubectl("api-resources", "--api-group=financehub.io", "-o", "name").stdout


def _denies(cluster: Cluster) -> bool:
    path = "/api/v1/namespaces/default/configmaps"
    try:
        cluster.request("POST", path, {"metadata": {"name": _NAME}}, dryRun="All")
    except httpx.HTTPStatusError as error:
        return _NAME in error.response.text and error.response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    return False
