"""Tests that each tier scales separately: with KEDA by its backlog, or with a HorizontalPodAutoscaler by CPU."""

from collections.abc import Callable, Iterator

import pytest
import yaml

from e2e import keda
from e2e.cluster import CHART, Cluster, eventually
from e2e.conftest import RESEARCH_IMAGE, skip_on_external_cluster
from e2e.release import NAME, Release
from e2e.report import timed
from financehub_shared.core.catalog import CATALOG, Tier
from test_cluster.targets import ExternalTarget

# Short enough for tests: the tier scales down after seconds without work, and a pod holds two messages.
_FAST_SCALING = {"targetMessages": 4, "pollingSeconds": 2, "scaleDownWindowSeconds": 15}
TIERS = {
    "research": {
        "image": RESEARCH_IMAGE,
        "module": "research.worker",
        "shutdownTimeoutSeconds": 60,
        "autoscaling": {**_FAST_SCALING, "maxReplicas": 3},
    },
    "low": {"shutdownTimeoutSeconds": 5, "autoscaling": {**_FAST_SCALING, "minReplicas": 0}},
}
_DEFAULT_SCHEDULES = yaml.safe_load((CHART / "values.yaml").read_text())["schedules"]
#: Schedules for the low tier would prevent it from scaling to zero.
SCHEDULES = {
    name: {"enabled": False}
    for name, schedule in _DEFAULT_SCHEDULES.items()
    if CATALOG[schedule["spec"]["task"]].queue == Tier.LOW
}
_NO_SCHEDULES = {name: {"enabled": False} for name in _DEFAULT_SCHEDULES}
_ENQUEUE_BACKLOG = """
import dramatiq
from financehub_shared.worker.build import build_broker
from financehub_shared.core.settings import load_settings
broker = build_broker(load_settings())
for number in range(18):
    broker.enqueue(dramatiq.Message("research", "work", (), {"name": f"work-{number}", "seconds": 20}, {}))
"""


@pytest.fixture(scope="module")
def _keda(cluster: Cluster) -> None:
    """KEDA in the cluster, for the module. Its tests are skipped if an external cluster does not have KEDA."""
    if isinstance(cluster.target, ExternalTarget):
        if not keda.is_installed(cluster):
            pytest.skip("KEDA is not in the cluster of E2E_KUBECONFIG")
    else:
        # An interrupted earlier run may have left an incomplete installation, so KEDA is always installed.
        keda.install(cluster)


@pytest.fixture(scope="module")
def release(_keda: None, release_in: Callable[..., Release]) -> Release:
    """A release whose tiers KEDA scales. One per module."""
    release = release_in("e2e-keda")
    release.install(tiers=TIERS, schedules=SCHEDULES)
    return release


def test_keda_with_a_backlog_scales_only_that_tier_up_and_down(release: Release) -> None:
    """A backlog in one tier adds pods to that tier and to no other tier. No running task is killed."""
    eventually(lambda: all_scaled_objects_ready(release), "KEDA scales all tiers", 60)
    others = {tier: len(release.pods(tier)) for tier in ("high", "medium")}
    release.run_python(_ENQUEUE_BACKLOG)
    with timed("backlog → third pod of the tier, by KEDA"):
        # The autoscaler looks every 15 s, and once more if it has seen only a part of the backlog.
        eventually(lambda: len(release.pods("research")) == 3, "three pods", 90)
    # A tier that its first messages have scaled up may become smaller in the meantime.
    assert {tier for tier, count in others.items() if len(release.pods(tier)) > count} == set()
    eventually(lambda: len(release.redis_cli("lrange", "finished", "0", "-1")) >= 18, "all messages have finished", 150)
    eventually(lambda: len(release.pods("research")) == 1, "one pod", 150)
    started, finished = (release.redis_cli("lrange", name, "0", "-1") for name in ("started", "finished"))
    assert sorted(started) == sorted(finished) == sorted(f"work-{number}" for number in range(18))


def test_low_tier_without_work_scales_to_zero_and_back(release: Release) -> None:
    """Without work the low tier has no pod and the fleet is healthy. A message starts a pod, which runs it."""
    eventually(lambda: not release.pods("low", include_terminating=True), "no pod", 120)
    release.wait_until_healthy()
    with timed("message → its run, of a tier that was at zero"):
        release.cli("run", "cleanup_old_cache_task", "--arg", "dry_run=true")
    assert release.pods("low", include_terminating=True)


@pytest.fixture(scope="module")
def release_without_keda(release: Release, cluster: Cluster) -> Iterator[Release]:
    """The same release, installed again after KEDA was removed. Skipped if the cluster does not measure pods' CPU."""
    skip_on_external_cluster(cluster, "KEDA")
    if cluster.kubectl("get", "apiservice", "v1beta1.metrics.k8s.io", check=False).returncode != 0:
        pytest.skip("this cluster does not have a metrics-server, which a HorizontalPodAutoscaler needs")
    release.uninstall()
    keda.uninstall(cluster)
    # The CPU request is far above the use of an idle pod. Two pods leave room for KEDA, which is installed again later.
    high = {"resources": {"requests": {"cpu": "300m"}}, "autoscaling": {"maxReplicas": 2}}
    # Without schedules, only the load of the test uses CPU.
    release.install(tiers={"high": high}, schedules=_NO_SCHEDULES)
    yield release
    keda.install(cluster)


def test_tier_without_keda_is_scaled_on_cpu(release_without_keda: Release) -> None:
    """If KEDA is absent, each tier has a HorizontalPodAutoscaler that scales it by CPU use."""
    release = release_without_keda

    def cpu_is_measured() -> bool:
        metrics = release.get("hpa", f"{NAME}-high")["status"].get("currentMetrics") or [{}]
        return metrics[0].get("resource", {}).get("current", {}).get("averageUtilization") is not None

    eventually(cpu_is_measured, "the CPU of tier high is measured", 240)
    names = {autoscaler["metadata"]["name"] for autoscaler in release.get("hpa")["items"]}
    assert names == {f"{NAME}-{tier}" for tier in ("high", "medium", "low")}
    assert len(release.pods("high")) == 1
    # The output is redirected, because `kubectl exec` waits until its own output is closed.
    load = "timeout 180 sh -c 'while :; do :; done' >/dev/null 2>&1 &"
    release.kubectl("exec", f"deploy/{NAME}-high", "--", "sh", "-c", load)
    with timed("CPU at its limit → second pod of the tier, by a HorizontalPodAutoscaler"):
        eventually(lambda: len(release.pods("high")) >= 2, "two pods", 180)
    assert len(release.pods("medium")) == 1


def all_scaled_objects_ready(release: Release) -> bool:
    """Whether KEDA scales every tier."""
    scaled_objects = release.get("scaledobjects")["items"]
    ready = [
        scaled_object
        for scaled_object in scaled_objects
        for condition in scaled_object.get("status", {}).get("conditions", [])
        if condition["type"] == "Ready" and condition["status"] == "True"
    ]
    return len(ready) == len(scaled_objects) == 4
