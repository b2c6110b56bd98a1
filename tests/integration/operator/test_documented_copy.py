"""Tests the pod of the copy and the Secrets of docs/operations.md on a real API server without nodes."""

import base64
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.chart import render
from test_cluster.binaries.finder import program
from test_cluster.binaries.programs import KUBECTL
from test_cluster.control_plane.cluster import Cluster

_PAGE = Path(__file__).parents[3] / "docs/operations.md"
_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
_VALUES: dict[str, Any] = {
    "global": {"imageRegistry": "registry.example.com", "imagePullSecrets": ["registry"]},
    "openshift": {"enabled": True},
    "podDefaults": {
        "resources": {"limits": {"cpu": "1"}},
        "podLabels": {"team": "data"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "sidecars": [{"name": "beside", "image": "team/beside:1", "securityContext": _SECURITY}],
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
    },
}


@pytest.fixture
def restricted(control_plane: Cluster, namespace: str) -> str:
    """A namespace with restricted Pod Security, in which a stopped release has a scheduler."""
    control_plane.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    rendered = render(_VALUES, namespace=namespace)
    deployment = rendered.one("Deployment", "financehub-scheduler")
    deployment["spec"]["replicas"] = 0
    for each in (*rendered.all("ServiceAccount"), deployment):
        control_plane.kubectl("apply", "--namespace", namespace, "-f", "-", stdin=json.dumps(each))
    return namespace


@pytest.mark.parametrize("exit_code", [0, 1])
def test_pod_of_the_copy_has_what_the_values_set_and_is_kept_if_it_fails(
    control_plane: Cluster, restricted: str, tmp_path: Path, exit_code: int
) -> None:
    """The pod has the limits, placement and pull Secrets of a scheduler. A sidecar that still runs does not matter."""
    create, state, follow = _block_with("redis, copy", restricted).partition("state=")
    _bash(control_plane, tmp_path, create)
    pod = json.loads(
        control_plane.kubectl("get", "pod", "financehub-redis-copy", "-n", restricted, "-o", "json").stdout
    )
    scheduler = next(each for each in pod["spec"]["containers"] if each["name"] == "scheduler")
    assert pod["spec"]["restartPolicy"] == "Never"
    assert {"team": "data", "app.kubernetes.io/component": "redis-copy"}.items() <= pod["metadata"]["labels"].items()
    assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert {"key": "dedicated", "operator": "Exists"} in pod["spec"]["tolerations"]
    assert "runAsUser" not in pod["spec"]["securityContext"]
    assert scheduler["image"].startswith("registry.example.com/financehub/scheduler:")
    assert scheduler["resources"]["limits"].keys() == {"cpu", "memory"}
    assert scheduler["command"][:3] == ["financehub", "redis", "copy"]
    assert {"REDIS_PASSWORD", "TARGET_REDIS_PASSWORD"} <= {each["name"] for each in scheduler["env"]}
    assert not {"livenessProbe", "readinessProbe", "startupProbe", "lifecycle"} & scheduler.keys()
    _report(control_plane, restricted, exit_code)
    # The API server has no node from which it could read a log.
    (logs,) = re.findall(r"^kubectl logs .*\n", follow, re.MULTILINE)
    done = _bash(control_plane, tmp_path, state + follow.replace(logs, ""), check=exit_code == 0)
    assert (done.returncode == 0) == (exit_code == 0)
    left = control_plane.kubectl("get", "pods", "-n", restricted, "-o", "name").stdout.split()
    assert left == ([] if exit_code == 0 else ["pod/financehub-redis-copy"])


def test_passwords_reach_their_secrets_through_stdin(control_plane: Cluster, namespace: str, tmp_path: Path) -> None:
    """The Secret of the external Redis and the changed one have exactly the passwords, without the end of a line."""
    _bash(control_plane, tmp_path, f"EXTERNAL_REDIS_PASSWORD=external\n{_block_with('external-redis', namespace)}")
    create = ("create", "secret", "generic", "financehub-redis", "--from-literal=redis-password=old")
    control_plane.kubectl(*create, "-n", namespace)
    _, patch, follow = _block_with("patch secret", namespace).partition("printf '{")
    _bash(control_plane, tmp_path, f"password=changed\n{patch}{follow}")
    found = control_plane.request("GET", f"/api/v1/namespaces/{namespace}/secrets")["items"]
    passwords = {each["metadata"]["name"]: each["data"] for each in found if "redis" in each["metadata"]["name"]}
    expected = {"external-redis": b"external", "financehub-redis": b"changed"}
    assert passwords == {name: {"redis-password": base64.b64encode(value).decode()} for name, value in expected.items()}


def _block_with(text: str, namespace: str) -> str:
    """Return the first block of the page that contains a text, with another namespace."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", _PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return next(each for each in blocks if text in each).replace("-n market", f"-n {namespace}")


def _report(cluster: Cluster, namespace: str, exit_code: int) -> None:
    """Report, as a node does, that the copy has ended while the sidecar runs."""
    ended = {"terminated": {"exitCode": exit_code}}
    running = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    statuses = [
        {"name": name, "image": "", "imageID": "", "ready": False, "restartCount": 0, "state": state}
        for name, state in (("beside", running), ("scheduler", ended))
    ]
    status = {"status": {"phase": "Running", "containerStatuses": statuses}}
    path = f"/api/v1/namespaces/{namespace}/pods/financehub-redis-copy/status"
    cluster.request("PATCH", path, status, content_type="application/strategic-merge-patch+json")


def _bash(cluster: Cluster, home: Path, script: str, *, check: bool = True) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": f"{program(KUBECTL).parent}{os.pathsep}{os.environ['PATH']}",
        "KUBECONFIG": str(cluster.kubeconfig),
        "HOME": str(home),
    }
    command = ["bash", "-eu", "-o", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert not check or done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done
