"""Creates the namespaces of the tests, and recognizes them, so that the tests never touch another one."""

import json
from collections.abc import Mapping

from e2e.cluster import Cluster, eventually

#: The label of the namespaces that the tests create. People use other namespaces of the same cluster.
_LABEL, _VALUE = "financehub.io/created-by", "e2e-tests"
_TERMINATING_SECONDS = 360


def create(cluster: Cluster, name: str, labels: Mapping[str, str] | None = None) -> None:
    """Create a namespace unless the tests have created it before. Wait until an earlier one is gone.

    Args:
        cluster: The cluster.
        name: Its name.
        labels: Its labels, in addition to the one of the tests.

    Raises:
        AssertionError: The namespace exists, and the tests did not create it.
    """

    def phase() -> str:
        return cluster.kubectl("get", "namespace", name, "-o", "jsonpath={.status.phase}", check=False).stdout

    eventually(lambda: phase() != "Terminating", f"the earlier namespace {name} is gone", _TERMINATING_SECONDS)
    exists = cluster.kubectl("get", "namespace", name, "--ignore-not-found", "-o", "name").stdout.strip()
    assert not exists or name in existing(cluster), (
        f"the namespace {name} exists, but these tests did not create it, and they would delete it; "
        f"if you do not need it, run: kubectl delete namespace {name}"
    )
    metadata = {"name": name, "labels": {_LABEL: _VALUE, **(labels or {})}}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))


def existing(cluster: Cluster) -> set[str]:
    """Return the names of the namespaces that the tests have created.

    Args:
        cluster: The cluster.
    """
    found = cluster.get("namespaces", "--selector", f"{_LABEL}={_VALUE}")
    return {namespace["metadata"]["name"] for namespace in found["items"]}


def remove_leftovers(cluster: Cluster) -> None:
    """Remove what an interrupted run left behind: releases, namespaces, and a cordoned node.

    Args:
        cluster: The cluster.
    """
    # The node comes first, because uninstalling a release may need a pod.
    cluster.kubectl("uncordon", "--selector", "kubernetes.io/os=linux")
    for namespace in sorted(existing(cluster)):
        listed = cluster.helm("list", "--namespace", namespace, "--all", "--output", "json").stdout
        for release in json.loads(listed):
            cluster.helm("uninstall", release["name"], "--namespace", namespace, "--wait")
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")
