"""Fixtures for the end-to-end tests: the cluster and releases of the chart. `make e2e` runs these tests."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from e2e import namespaces, report
from e2e.cluster import Cluster
from e2e.images import redis_values
from e2e.release import Release
from financehub_shared.core.release import release_version
from test_cluster.targets import ExternalTarget, choose_target

#: Registry and tags of the images. `make e2e` sets them, or the user who provides a cluster that can pull the images.
REGISTRY = os.environ.get("E2E_REGISTRY", "")
TAG = os.environ.get("E2E_TAG", release_version())
NEXT_TAG = os.environ.get("E2E_NEXT_TAG", release_version())
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
    VALUES |= redis_values(redis)


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
        namespaces.remove_leftovers(cluster)
    return cluster


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
