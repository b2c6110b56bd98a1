"""Tests that the end-to-end tests recognize their own namespaces, on a real API server."""

from collections.abc import Iterator

import pytest

from e2e import namespaces
from e2e.cluster import Cluster
from test_cluster.control_plane.cluster import Cluster as ControlPlane
from test_cluster.targets import ExternalTarget


@pytest.fixture
def cluster(control_plane: ControlPlane) -> Cluster:
    """The access of the end-to-end tests, to a cluster without nodes."""
    return Cluster(ExternalTarget(control_plane.kubeconfig))


@pytest.fixture
def name(control_plane: ControlPlane) -> Iterator[str]:
    """A name of a namespace that does not exist."""
    name = control_plane.create_namespace("e2e").replace("e2e-", "e2e-new-")
    yield name
    control_plane.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")


def test_only_created_namespaces_are_those_of_the_tests(cluster: Cluster, namespace: str, name: str) -> None:
    """A namespace that somebody else created is not removed with those of the tests, whatever its name."""
    namespaces.create(cluster, name, {"team": "data"})
    # A second module may use the namespace too.
    namespaces.create(cluster, name)
    found = namespaces.existing(cluster)
    assert name in found
    assert not found & {namespace, "default", "kube-system"}


def test_namespace_of_somebody_else_is_refused(cluster: Cluster, namespace: str) -> None:
    """Tests that would use a namespace with somebody's releases fail before they change it."""
    with pytest.raises(AssertionError, match=f"if you do not need it, run: kubectl delete namespace {namespace}"):
        namespaces.create(cluster, namespace)
    assert namespace not in namespaces.existing(cluster)
