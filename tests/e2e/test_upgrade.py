"""Tests of upgrade, rollback, uninstall and reinstall: no queued message is lost, only documented resources remain."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from e2e.cluster import CHART, Cluster, eventually
from e2e.conftest import NEXT_TAG, RESEARCH_IMAGE, TAG, skip_on_external_cluster
from e2e.release import NAME, Release
from e2e.report import timed

TIERS = {
    "research": {
        "image": RESEARCH_IMAGE,
        "module": "research.worker",
        "threads": 8,
        "shutdownTimeoutSeconds": 10,
        "autoscaling": {"enabled": False},
    }
}
_CRD = "scheduledtasks.financehub.io"
#: Enqueued before an upgrade: long messages that are running, short ones that wait, and some with a delay.
_ENQUEUE_WORK = """
import dramatiq
from financehub_shared.worker.build import build_broker
from financehub_shared.core.settings import load_settings
broker = build_broker(load_settings())
for number in range(200):
    delay = 5_000 + number * 100 if number % 4 == 0 else None
    seconds = 20 if number % 20 == 1 else 0.5
    message = dramatiq.Message("research", "work", (), {"name": f"work-{number}", "seconds": seconds}, {})
    broker.enqueue(message, delay=delay)
"""


@pytest.fixture(scope="module")
def release(release_in: Callable[..., Release]) -> Release:
    """A release with an added tier whose tasks record what they do. One per module. Later tests need earlier ones."""
    # The tests compare pods, so no tier may be scaled up or down in the meantime.
    release = release_in("e2e-upgrade", tierDefaults={"autoscaling": {"maxReplicas": 1}})
    release.install(tiers=TIERS)
    return release


def image_tags(release: Release, component: str) -> list[str]:
    """Return the image tags that a component runs."""
    template = release.get("deployment", f"{NAME}-{component}")["spec"]["template"]["spec"]
    return [container["image"].rpartition(":")[2] for container in template["containers"]]


def encoded_password(release: Release) -> str:
    """Return the Redis password, base64-encoded, from its Secret."""
    return str(release.get("secret", f"{NAME}-redis")["data"]["redis-password"])


def test_upgrade_with_queued_messages_loses_none(release: Release) -> None:
    """200 running, waiting and delayed messages survive the replacement of every worker. Only requeued ones repeat."""
    release.run_python(_ENQUEUE_WORK)
    eventually(lambda: len(release.redis_cli("lrange", "started", "0", "-1")) >= 8, "work has started", 60)
    tiers = {"research": {**TIERS["research"], "threads": 6, "podAnnotations": {"example.com/change": "1"}}}
    with timed("helm upgrade --wait, with 200 messages"):
        release.upgrade(tiers=tiers)
    eventually(
        lambda: len(set(release.redis_cli("lrange", "finished", "0", "-1"))) == 200, "200 messages have finished", 180
    )

    def is_recorded() -> bool:
        # A run is recorded after its last step, and the second attempt of a requeued message may still be running.
        stats = next(entry for entry in release.cli("stats") if entry["task"] == "work")
        return (stats["succeeded"], stats["running"]) == (200, 0)

    eventually(is_recorded, "200 runs have succeeded and none is in progress", 90)
    started, finished = (Counter(release.redis_cli("lrange", name, "0", "-1")) for name in ("started", "finished"))
    assert set(started) == set(finished) == {f"work-{number}" for number in range(200)}
    # A message that ran past the shutdown timeout was requeued and ran again. Its first attempt may also have finished.
    requeued = {name for name, attempts in started.items() if attempts > 1}
    assert requeued <= {f"work-{number}" for number in range(1, 200, 20)}
    assert all(finished[name] == 1 for name in finished if name not in requeued)
    assert release.cli("dead-letters", "list") == []


def test_upgrade_with_a_new_image_replaces_only_that_tier(release: Release) -> None:
    """An upgrade with another image for one tier and another schedule replaces only that tier. A rollback undoes it."""
    if NEXT_TAG == TAG:
        pytest.skip("the cluster of E2E_KUBECONFIG needs the images under a second tag, set in E2E_NEXT_TAG")
    before = {component: release.pod_names(component) for component in ("high", "medium", "low", "scheduler", "redis")}
    password = encoded_password(release)
    with timed("helm upgrade --wait, another image for one tier"):
        release.upgrade(
            tiers={**TIERS, "low": {"image": {"tag": NEXT_TAG}}},
            schedules={"fetch-news": {"spec": {"schedule": "@every 15m"}}},
        )
    assert image_tags(release, "low") == [NEXT_TAG]
    assert release.scheduled_tasks()["fetch-news"]["spec"]["schedule"] == "@every 15m"
    after = {component: release.pod_names(component) for component in before}
    assert {component for component in before if before[component] != after[component]} == {"low"}
    eventually(
        lambda: release.scheduled_tasks()["fetch-news"]["status"].get("schedule") == "@every 15m",
        "the new schedule is in effect",
        60,
    )

    with timed("helm rollback --wait"):
        release.rollback()
    assert image_tags(release, "low") == [TAG]
    assert release.scheduled_tasks()["fetch-news"]["spec"]["schedule"] == "@every 30m"
    assert encoded_password(release) == password
    release.wait_until_healthy()


def test_upgrade_with_another_name_of_redis_is_refused(release: Release) -> None:
    """An upgrade that would rename Redis, and thus create an empty one, is refused. The error has the current name."""
    arguments = ("upgrade", NAME, str(CHART), "--reuse-values", "--set", "fullnameOverride=prices")
    refused = release.helm(*arguments, check=False)
    assert refused.returncode != 0
    assert f"fullnameOverride: the Redis of this release is {NAME}-redis" in refused.stderr
    assert release.ready_pods("redis") == [f"{NAME}-redis-0"]


def test_upgrade_with_an_older_crd_updates_it(release: Release, cluster: Cluster) -> None:
    """An upgrade replaces a CRD that is older than the chart, and its job is gone afterwards."""
    cluster.kubectl(
        "patch",
        f"crd/{_CRD}",
        "--type=json",
        "-p",
        '[{"op": "remove", "path": "/spec/versions/0/additionalPrinterColumns/7"}]',
    )
    release.upgrade(tiers=TIERS)
    (version,) = cluster.get(f"crd/{_CRD}")["spec"]["versions"]
    assert len(version["additionalPrinterColumns"]) == 10
    assert release.get("jobs")["items"] == []


def namespaced_resources(release: Release) -> dict[str, list[str]]:
    """Return the names of all resources in the namespace by kind, without those that Kubernetes creates."""
    list_kinds = ("api-resources", "--namespaced", "--verbs=list,delete", "-o", "name")
    kinds = release.cluster.kubectl(*list_kinds, check=False)
    if kinds.returncode != 0:
        # An aggregated API may be unavailable for a moment.
        return {"api-resources": [kinds.stderr]}
    found: dict[str, list[str]] = {}
    for kind in kinds.stdout.split():
        if not kind.startswith("events") and not kind.endswith("metrics.k8s.io"):
            for item in release.get(kind)["items"]:
                found.setdefault(kind, []).append(item["metadata"]["name"])
    for kind, created_by_kubernetes in (("serviceaccounts", "default"), ("configmaps", "kube-root-ca.crt")):
        if found.get(kind) == [created_by_kubernetes]:
            del found[kind]
    return found


def cluster_resources(release: Release) -> dict[str, list[Any]]:
    """Return the resources of the release that are outside of any namespace, by kind."""
    selector = "--selector=app.kubernetes.io/instance=financehub"
    kinds = ("clusterroles", "clusterrolebindings", "validatingadmissionpolicies", "validatingadmissionpolicybindings")
    return {kind: release.cluster.get(kind, selector)["items"] for kind in kinds}


def test_uninstall_keeps_the_data_for_the_next_install(release: Release, cluster: Cluster) -> None:
    """An uninstall keeps the Redis password and volume, the Lease and the CRD, and the next install uses them."""
    password, quotes = encoded_password(release), release.cli("quotes")
    uid = cluster.get("crd", _CRD)["metadata"]["uid"]
    assert all(cluster_resources(release).values())
    with timed("helm uninstall --wait"):
        release.uninstall()
    release.wait_until_empty()
    documented = {
        "persistentvolumeclaims": [f"data-{NAME}-redis-0"],
        "secrets": [f"{NAME}-redis"],
        "leases.coordination.k8s.io": [f"{NAME}-scheduler"],
    }
    # Kubernetes deletes resources of deleted owners a moment later.
    eventually(
        lambda: namespaced_resources(release) == documented,
        "only the documented resources are left in the namespace",
        60,
    )
    assert not any(cluster_resources(release).values())

    with timed("helm install --wait, on the data of an uninstalled release"):
        release.install(tiers=TIERS)
    assert encoded_password(release) == password
    assert cluster.get("crd", _CRD)["metadata"]["uid"] == uid
    symbols = {quote["symbol"] for quote in release.cli("quotes")}
    assert symbols >= {quote["symbol"] for quote in quotes}


def test_uninstall_without_keep_removes_the_crd(release: Release, cluster: Cluster) -> None:
    """With crds.keep=false an uninstall also removes the CRD, and the role that the removal needs."""
    skip_on_external_cluster(cluster, "the CRD of ScheduledTasks")
    release.upgrade(tiers=TIERS, crds={"keep": False})
    release.uninstall()

    def is_gone() -> bool:
        return "NotFound" in cluster.kubectl("get", "crd", _CRD, check=False).stderr

    # The API server responds to the deletion first, and removes the CRD and its resources a moment later.
    eventually(is_gone, "the CRD is gone", 60)
    roles: Any = json.loads(cluster.kubectl("get", "clusterroles", "-o", "json").stdout)["items"]
    assert not [role for role in roles if NAME in role["metadata"]["name"]]
