"""The cluster of the end-to-end tests, with images and releases; `make e2e` runs them where it can be reached."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from e2e import report
from e2e.cluster import Cluster
from e2e.release import Release
from test_cluster.targets import Given, choose

#: Of the images that `make e2e` has loaded; whoever gives a cluster says where it can pull them.
REGISTRY = os.environ.get("E2E_REGISTRY", "")
TAG = os.environ.get("E2E_TAG", "0.1.0")
NEXT_TAG = os.environ.get("E2E_NEXT_TAG", "0.1.0")
#: Of the namespaces that tests make.
_PREFIX = "e2e-"
RESEARCH = {"repository": "financehub/research"}

#: What differs from the defaults: images that are there, and times scaled down with the tests.
VALUES: dict[str, Any] = {
    "image": {"registry": REGISTRY, "tag": TAG},
    "simulator": {"enabled": True},
    "settings": {
        # a worker that was killed is missed within seconds, not a minute
        "FINANCEHUB_HEARTBEAT_TIMEOUT_SECONDS": 10,
        "FINANCEHUB_JANITOR_INTERVAL_SECONDS": 3,
    },
}
if redis := os.environ.get("E2E_REDIS_IMAGE"):
    name, _, tag = redis.rpartition(":")
    registry, _, repository = name.rpartition("/")
    VALUES["redis"] = {"image": {"registry": registry, "repository": repository, "tag": tag}}


def not_given(cluster: Cluster, what: str) -> None:
    """Skip a test that would harm a cluster that is not ours.

    Args:
        cluster: where.
        what: it would harm.
    """
    if isinstance(cluster.target, Given):
        pytest.skip(f"{what} of E2E_KUBECONFIG is not ours")


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """A running cluster with all images in it."""
    cluster = Cluster(choose())
    if not isinstance(cluster.target, Given):
        _clear(cluster)
    return cluster


def _clear(cluster: Cluster) -> None:
    """Take away what a run has left that was ended in its midst: releases, and a node that takes no pods."""
    # first, for what uninstalls a release may be a pod
    cluster.kubectl("uncordon", "--selector", "kubernetes.io/os=linux")
    for one in json.loads(cluster.helm("list", "--all-namespaces", "--all", "--output", "json").stdout):
        if one["namespace"].startswith(_PREFIX):
            cluster.helm("uninstall", one["name"], "--namespace", one["namespace"], "--wait")
    for one in cluster.get("namespaces")["items"]:
        if one["metadata"]["name"].startswith(_PREFIX):
            cluster.kubectl("delete", "namespace", one["metadata"]["name"], "--wait=false")


@pytest.fixture(scope="module")
def release_in(cluster: Cluster) -> Iterator[Callable[..., Release]]:
    """Make a release, not installed yet; after the module it is uninstalled and its namespace deleted."""
    made: list[Release] = []

    def make(namespace: str, **values: Any) -> Release:
        made.append(Release(cluster, namespace, {**VALUES, **values}))
        return made[-1]

    yield make
    for release in made:
        release.uninstall()
        cluster.kubectl("delete", "namespace", release.namespace, "--wait=false")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figures."""
    if report.FIGURES:
        terminalreporter.section("measured")
        for line in report.lines():
            terminalreporter.write_line(line)
