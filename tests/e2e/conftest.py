"""Fixtures for the end-to-end tests: the cluster and releases of the chart. `make e2e` runs these tests."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from e2e import report
from e2e.cluster import Cluster
from e2e.release import Release
from test_cluster.targets import ExternalTarget, choose_target

#: Registry and tags of the images. `make e2e` sets them, or the user who provides a cluster that can pull the images.
REGISTRY = os.environ.get("E2E_REGISTRY", "")
TAG = os.environ.get("E2E_TAG", "0.1.0")
NEXT_TAG = os.environ.get("E2E_NEXT_TAG", "0.1.0")
#: Prefix of all namespaces that the tests create.
_PREFIX = "e2e-"
#: Image of the added tier, whose tasks record their runs in Redis (tests/e2e/research).
RESEARCH_IMAGE = {"repository": "financehub/research"}

#: Values for every release: the available images, and durations that are short enough for tests.
VALUES: dict[str, Any] = {
    "image": {"registry": REGISTRY, "tag": TAG},
    "simulator": {"enabled": True},
    "settings": {
        # A dead worker is detected within seconds instead of a minute.
        "FINANCEHUB_HEARTBEAT_TIMEOUT_SECONDS": 10,
        "FINANCEHUB_JANITOR_INTERVAL_SECONDS": 3,
    },
}
if redis := os.environ.get("E2E_REDIS_IMAGE"):
    name, _, tag = redis.rpartition(":")
    registry, _, repository = name.rpartition("/")
    VALUES["redis"] = {"image": {"registry": registry, "repository": repository, "tag": tag}}


def skip_on_external_cluster(cluster: Cluster, resource: str) -> None:
    """Skip a test that changes or disturbs something that the tests do not own in an external cluster.

    Args:
        cluster: The cluster.
        resource: Resource that the test changes or disturbs.
    """
    if isinstance(cluster.target, ExternalTarget):
        pytest.skip(f"the tests must not change {resource} of the cluster of E2E_KUBECONFIG")


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """A running cluster with all images, one per session. All end-to-end tests use it, mostly through a release."""
    cluster = Cluster(choose_target())
    if not isinstance(cluster.target, ExternalTarget):
        _remove_leftovers(cluster)
    return cluster


def _remove_leftovers(cluster: Cluster) -> None:
    """Remove what an interrupted run left behind: releases, namespaces, and a cordoned node."""
    # The node comes first, because uninstalling a release may need a pod.
    cluster.kubectl("uncordon", "--selector", "kubernetes.io/os=linux")
    for release in json.loads(cluster.helm("list", "--all-namespaces", "--all", "--output", "json").stdout):
        if release["namespace"].startswith(_PREFIX):
            cluster.helm("uninstall", release["name"], "--namespace", release["namespace"], "--wait")
    for namespace in cluster.get("namespaces")["items"]:
        if namespace["metadata"]["name"].startswith(_PREFIX):
            cluster.kubectl("delete", "namespace", namespace["metadata"]["name"], "--wait=false")


@pytest.fixture(scope="module")
def release_in(cluster: Cluster) -> Iterator[Callable[..., Release]]:
    """A function that creates a release, not yet installed, in a namespace. Each module creates its `release` with it.

    After the module, the releases are uninstalled and their namespaces deleted.
    """
    releases: list[Release] = []

    def create(namespace: str, **values: Any) -> Release:
        releases.append(Release(cluster, namespace, {**VALUES, **values}))
        return releases[-1]

    yield create
    for release in releases:
        release.uninstall()
        cluster.kubectl("delete", "namespace", release.namespace, "--wait=false")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the measurements at the end of the run."""
    if report.MEASUREMENTS:
        terminalreporter.section("measured")
        for line in report.lines():
            terminalreporter.write_line(line)
