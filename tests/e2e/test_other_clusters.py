"""Tests a release in a namespace as other clusters have them: a name of digits, ids from the cluster, and a quota."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from e2e.cluster import CHART, Cluster, eventually
from e2e.conftest import NEXT_TAG, TAG, skip_on_external_cluster
from e2e.release import NAME, Release
from financehub_scheduler.api.manifests.definition import VERSION_ANNOTATION

#: An id in the range that OpenShift assigns to a namespace. The group is 0 there.
_UID = 1_000_650_000
_CRD = "scheduledtasks.financehub.io"
#: The example for a quota in the chart's README.
_LIMITED = {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "20m", "memory": "64Mi"}}
#: Without limits of their own, the tiers and Redis keep those of the chart.
_QUOTA = {"requests.cpu": "8", "requests.memory": "16Gi", "limits.cpu": "16", "limits.memory": "32Gi", "pods": "40"}
_NAMED_BY_DIGITS: dict[str, Any] = {
    # What a second release in a cluster needs, in which an administrator may have installed another one.
    "scheduler": {"namespaces": ["1234"]},
    "admissionPolicy": {"enabled": False},
    "providerKeys": {"existingSecret": "12345"},
    "schedules": {"123": {"spec": {"task": "health_check_task", "schedule": "@every 5s"}}},
}
_SECURITY = {"runAsUser": _UID, "runAsGroup": 0, "fsGroup": _UID}


@pytest.fixture(scope="module")
def release(release_in: Callable[..., Release]) -> Release:
    """A release in a namespace that is called 1234, with a quota, whose pods run with a foreign uid and the group 0."""
    release = release_in("1234", podDefaults={"resources": _LIMITED, "podSecurityContext": _SECURITY})
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "cap"}, "spec": {"hard": _QUOTA}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "12345"}, "stringData": {}}
    for document in (quota, secret):
        release.kubectl("apply", "-f", "-", stdin=json.dumps(document))
    release.install(**_NAMED_BY_DIGITS)
    return release


def test_install_without_the_limits_of_a_quota_shows_what_to_set(release_in: Callable[..., Release]) -> None:
    """Without limits.cpu, no pod starts, and the command of the README shows which limit the quota requires."""
    refused = release_in("e2e-quota")
    refused.kubectl("create", "quota", "cap", "--hard=limits.cpu=4")
    document = json.dumps({"simulator": {"enabled": True}})
    done = refused.helm("install", NAME, str(CHART), "-f", "-", "--timeout", "10s", stdin=document, check=False)
    assert done.returncode != 0

    def events() -> str:
        return str(refused.kubectl("get", "events", "--field-selector", "reason=FailedCreate").stdout)

    eventually(lambda: "must specify limits.cpu" in events(), "the event names the limit", 60)


def test_pods_under_a_quota_run_with_the_ids_of_the_cluster(release: Release) -> None:
    """Every pod of the release, Redis among them, runs with the given uid and group and has the limits of the quota."""
    pods = release.get("pods")["items"]
    components = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods}
    assert components >= {"high", "medium", "low", "scheduler", "web", "redis", "simulator"}
    for pod in pods:
        name, limits = pod["metadata"]["name"], pod["spec"]["containers"][0]["resources"]["limits"]
        assert {"cpu", "memory"} <= {*limits}, name
        assert pod["spec"]["securityContext"]["runAsUser"] == _UID, name
    for component in components - {"redis"}:
        ids = release.kubectl("exec", f"deploy/{NAME}-{component}", "--", "id").stdout
        assert f"uid={_UID}" in ids, component
        assert "gid=0(root)" in ids, component
    assert f"uid={_UID}" in release.kubectl("exec", f"statefulset/{NAME}-redis", "--", "id").stdout


def test_tasks_with_the_ids_of_the_cluster_succeed(release: Release) -> None:
    """Tasks of every tier succeed, and so does a schedule that is called 123."""
    for task in ("fetch_crypto_prices_task", "fetch_news_task", "cleanup_old_cache_task"):
        release.kubectl("exec", f"deploy/{NAME}-scheduler", "--", "financehub", "run", task)

    def outcome() -> Any:
        return release.scheduled_tasks()["123"].get("status", {}).get("lastRun", {}).get("outcome")

    eventually(lambda: outcome() == "succeeded", "the schedule 123 has run", 60)


def test_redis_with_the_ids_of_the_cluster_writes_its_files(release: Release) -> None:
    """The append-only file is written and rewritten, so the volume belongs to the given ids."""
    release.redis_cli("bgrewriteaof")

    def persistence() -> set[str]:
        return {*release.redis_cli("info", "persistence")}

    expected = {"aof_last_write_status:ok", "aof_last_bgrewrite_status:ok", "aof_rewrites:1"}
    eventually(lambda: expected <= persistence(), "the append-only file was rewritten", 60)


def test_helm_test_under_a_quota_succeeds(release: Release) -> None:
    """The pods of `helm test` have limits too."""
    assert release.helm("test", NAME, "--timeout", "120s").stdout.count("Succeeded") == 2


@pytest.fixture
def newer_definition(release: Release, cluster: Cluster) -> Iterator[dict[str, Any]]:
    """The definition of ScheduledTasks as a release of a later version would leave it, with one more field."""
    skip_on_external_cluster(cluster, "the definition of ScheduledTasks")
    found = cluster.get("crd", _CRD)
    (version,) = found["spec"]["versions"]
    before = json.dumps({"metadata": {"annotations": found["metadata"]["annotations"]}, "spec": found["spec"]})
    version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["later"] = {"type": "string"}
    annotations = {VERSION_ANNOTATION: "99.0.0"}
    patch = json.dumps({"metadata": {"annotations": annotations}, "spec": {"versions": [version]}})
    cluster.kubectl("patch", "crd", _CRD, "--type", "merge", "-p", patch)
    yield cluster.get("crd", _CRD)
    cluster.kubectl("patch", "crd", _CRD, "--type", "merge", "-p", before)


def test_upgrade_of_an_older_release_keeps_the_newer_definition(
    release: Release, newer_definition: dict[str, Any]
) -> None:
    """The older of two releases, upgraded last, leaves the fields of the newer one alone, and runs the new images.

    The upgrade also shows that its hooks run under the quota.
    """
    release.upgrade(**_NAMED_BY_DIGITS, image={"tag": NEXT_TAG})
    found = release.cluster.get("crd", _CRD)
    assert found["spec"] == newer_definition["spec"]
    assert found["metadata"]["annotations"][VERSION_ANNOTATION] == "99.0.0"

    def tags() -> set[str]:
        images = [pod["spec"]["containers"][0]["image"] for pod in release.pods("scheduler")]
        return {image.rpartition(":")[2] for image in images}

    # Kubernetes deletes the last old pod after the new ones have become ready, for which Helm waits.
    eventually(lambda: tags() == {NEXT_TAG}, "the schedulers have the new image", 60)
    assert NEXT_TAG != TAG


def test_field_of_a_newer_definition_survives_the_older_release(
    release: Release, newer_definition: dict[str, Any]
) -> None:
    """A resource with a field that only the newer definition has keeps the field, and the older scheduler runs it."""
    assert newer_definition
    stored = release.apply("from-later", task="health_check_task", schedule="@every 5s", later="kept")
    assert stored["spec"]["later"] == "kept"
    release.kubectl("delete", "st", "from-later")
