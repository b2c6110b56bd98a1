"""Upgrade, rollback, uninstall, install again: nothing queued is lost, and what is kept is what is documented."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from e2e.cluster import CHART, Cluster, eventually
from e2e.conftest import NEXT_TAG, RESEARCH, TAG, not_given
from e2e.release import NAME, Release
from e2e.report import timed

_FIXED = {"autoscaling": {"enabled": False}}
TIERS = {
    "research": {"image": RESEARCH, "module": "research.worker", "threads": 8, "shutdownTimeoutSeconds": 5, **_FIXED}
}
#: Enqueued beside an upgrade: long ones that are running, short ones that wait, some that are delayed.
_WORK = """
import dramatiq
from financehub_shared.worker.build import build_broker
from financehub_shared.core.settings import load_settings
broker = build_broker(load_settings())
for number in range(200):
    delay = 5_000 + number * 100 if number % 4 == 0 else None
    seconds = 12 if number % 20 == 1 else 0.5
    message = dramatiq.Message("research", "work", (), {"name": f"work-{number}", "seconds": seconds}, {})
    broker.enqueue(message, delay=delay)
"""


@pytest.fixture(scope="module")
def release(release_in: Callable[..., Release]) -> Release:
    """With a tier whose tasks tell what they do."""
    release = release_in("e2e-upgrade")
    release.install(tiers=TIERS)
    return release


def tags(release: Release, component: str) -> list[str]:
    """Of the images that a component runs."""
    template = release.get("deployment", f"{NAME}-{component}")["spec"]["template"]["spec"]
    return [container["image"].rpartition(":")[2] for container in template["containers"]]


def password(release: Release) -> str:
    """The secret's data, as it is."""
    return str(release.get("secret", f"{NAME}-redis")["data"]["redis-password"])


def test_an_upgrade_beside_work_loses_and_doubles_nothing_unsaid(release: Release) -> None:
    """200 messages run, wait and are delayed while every worker is replaced: each ends as often as its runs say."""
    release.python(_WORK)
    eventually(lambda: len(release.redis("lrange", "began", "0", "-1")) >= 8, 30, "work began")
    tiers = {"research": {**TIERS["research"], "threads": 6, "podAnnotations": {"example.com/change": "1"}}}
    with timed("helm upgrade --wait, beside 200 messages"):
        release.upgrade(tiers=tiers)
    eventually(lambda: len(set(release.redis("lrange", "ended", "0", "-1"))) == 200, 180, "200 messages ended")
    began, ended = (Counter(release.redis("lrange", name, "0", "-1")) for name in ("began", "ended"))
    assert set(began) == set(ended) == {f"work-{number}" for number in range(200)}
    stats = next(one for one in release.cli("stats") if one["task"] == "work")
    assert stats["succeeded"] == 200
    assert stats["running"] == 0
    # what went on past the shutdown timeout was handed back, ran anew, and ended once more if it was let
    handed_back = {name for name, times in began.items() if times > 1}
    assert handed_back <= {f"work-{number}" for number in range(1, 200, 20)}
    assert all(ended[name] == 1 for name in ended if name not in handed_back)
    assert release.cli("dead-letters", "list") == []


def test_an_upgrade_changes_what_was_changed(release: Release) -> None:
    """Another image for one tier and another schedule: that tier alone is replaced; a rollback undoes it."""
    if NEXT_TAG == TAG:
        pytest.skip("the cluster of E2E_KUBECONFIG needs the images under another tag too, in E2E_NEXT_TAG")
    before = {one: release.ready(one) for one in ("high", "medium", "low", "scheduler", "redis")}
    secret = password(release)
    with timed("helm upgrade --wait, another image for one tier"):
        release.upgrade(
            tiers={**TIERS, "low": {"image": {"tag": NEXT_TAG}}},
            schedules={"fetch-news": {"spec": {"schedule": "@every 15m"}}},
        )
    assert tags(release, "low") == [NEXT_TAG]
    assert release.scheduled_tasks()["fetch-news"]["spec"]["schedule"] == "@every 15m"
    after = {one: release.ready(one) for one in before}
    assert {one for one in before if before[one] != after[one]} == {"low"}
    eventually(
        lambda: release.scheduled_tasks()["fetch-news"]["status"].get("schedule") == "@every 15m", 60, "in force"
    )

    with timed("helm rollback --wait"):
        release.rollback()
    assert tags(release, "low") == [TAG]
    assert release.scheduled_tasks()["fetch-news"]["spec"]["schedule"] == "@every 30m"
    assert password(release) == secret
    release.settled()


def test_an_upgrade_never_leaves_its_redis_behind(release: Release) -> None:
    """Other names would be another Redis, an empty one: that is refused, with what it is called."""
    arguments = ("upgrade", NAME, str(CHART), "--reuse-values", "--set", "fullnameOverride=prices")
    refused = release.helm(*arguments, check=False)
    assert refused.returncode != 0
    assert f"fullnameOverride: the Redis of this release is {NAME}-redis" in refused.stderr
    assert release.ready("redis") == [f"{NAME}-redis-0"]


def test_an_upgrade_brings_the_definition_up_to_date(release: Release, cluster: Cluster) -> None:
    """A definition of ScheduledTasks that is older than the chart is made the chart's own before anything else."""
    crd = "crd/scheduledtasks.financehub.io"
    cluster.kubectl(
        "patch", crd, "--type=json", "-p", '[{"op": "remove", "path": "/spec/versions/0/additionalPrinterColumns/7"}]'
    )
    release.upgrade(tiers=TIERS)
    (version,) = cluster.get(crd)["spec"]["versions"]
    assert len(version["additionalPrinterColumns"]) == 10
    assert release.get("jobs")["items"] == []


def leftovers(release: Release) -> dict[str, list[str]]:
    """Kind → names of what is in the namespace, but for what Kubernetes itself puts into each."""
    ask = ("api-resources", "--namespaced", "--verbs=list,delete", "-o", "name")
    kinds = release.cluster.kubectl(*ask, check=False)
    if kinds.returncode != 0:
        # an API that another server serves is away for a moment
        return {"api-resources": [kinds.stderr]}
    found: dict[str, list[str]] = {}
    for kind in kinds.stdout.split():
        if not kind.startswith("events") and not kind.endswith("metrics.k8s.io"):
            for item in release.get(kind)["items"]:
                found.setdefault(kind, []).append(item["metadata"]["name"])
    found.pop("serviceaccounts", None) if found.get("serviceaccounts") == ["default"] else None
    found.pop("configmaps", None) if found.get("configmaps") == ["kube-root-ca.crt"] else None
    return found


def of_the_cluster(release: Release) -> dict[str, list[Any]]:
    """Kind → what the release has of it outside of any namespace."""
    mine = "--selector=app.kubernetes.io/instance=financehub"
    kinds = ("clusterroles", "clusterrolebindings", "validatingadmissionpolicies", "validatingadmissionpolicybindings")
    return {kind: release.cluster.get(kind, mine)["items"] for kind in kinds}


def test_what_is_left_is_what_is_documented(release: Release, cluster: Cluster) -> None:
    """An uninstall leaves Redis' password and volume, the Lease, and the definition; an install goes on from there."""
    secret, quotes = password(release), release.cli("quotes")
    uid = cluster.get("crd", "scheduledtasks.financehub.io")["metadata"]["uid"]
    assert all(of_the_cluster(release).values())
    with timed("helm uninstall --wait"):
        said = release.uninstall()
    assert f"[Secret] {NAME}-redis" in said
    release.emptied()
    documented = {
        "persistentvolumeclaims": [f"data-{NAME}-redis-0"],
        "secrets": [f"{NAME}-redis"],
        "leases.coordination.k8s.io": [f"{NAME}-scheduler"],
    }
    # what belongs to what is gone goes a moment later
    eventually(lambda: leftovers(release) == documented, 60, "what is left is what is documented")
    assert not any(of_the_cluster(release).values())

    with timed("helm install --wait, on the data of an uninstalled release"):
        release.install(tiers=TIERS)
    assert password(release) == secret
    assert cluster.get("crd", "scheduledtasks.financehub.io")["metadata"]["uid"] == uid
    symbols = {one["symbol"] for one in release.cli("quotes")}
    assert symbols >= {one["symbol"] for one in quotes}


def test_who_does_not_keep_the_definition_is_rid_of_it(release: Release, cluster: Cluster) -> None:
    """With crds.keep=false an uninstall removes the definition too, last."""
    not_given(cluster, "the definition of ScheduledTasks")
    release.upgrade(tiers=TIERS, crds={"keep": False})
    release.uninstall()

    def gone() -> bool:
        return "NotFound" in cluster.kubectl("get", "crd", "scheduledtasks.financehub.io", check=False).stderr

    # the API server answers first, and removes it with what it defined a moment later
    eventually(gone, 30, "the definition is gone")
    roles: Any = json.loads(cluster.kubectl("get", "clusterroles", "-o", "json").stdout)["items"]
    assert not [one for one in roles if NAME in one["metadata"]["name"]]
