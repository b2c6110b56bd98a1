"""Each tier is scaled by itself: by KEDA on what waits, by a HorizontalPodAutoscaler on CPU where KEDA is absent."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from e2e import keda
from e2e.cluster import CHART, Cluster, eventually
from e2e.conftest import RESEARCH, not_given
from e2e.release import NAME, Release
from e2e.report import timed
from test_cluster.targets import Given

# scaled down with the tests: calm is seconds, and a pod holds two messages
_QUICK = {"targetMessages": 4, "pollingSeconds": 2, "scaleDownWindowSeconds": 15}
TIERS = {
    "research": {
        "image": RESEARCH,
        "module": "research.worker",
        "shutdownTimeoutSeconds": 60,
        "autoscaling": {**_QUICK, "maxReplicas": 3},
    },
    "low": {"shutdownTimeoutSeconds": 5, "autoscaling": {**_QUICK, "minReplicas": 0}},
}
#: Low's schedules would wake it up.
SCHEDULES = {name: {"enabled": False} for name in ("health-check", "cleanup-failed-tasks", "cleanup-old-cache")}
_NONE = {name: {"enabled": False} for name in yaml.safe_load((CHART / "values.yaml").read_text())["schedules"]}
_BACKLOG = """
import dramatiq
from financehub_shared.worker.build import build_broker
from financehub_shared.core.settings import load_settings
broker = build_broker(load_settings())
for number in range(18):
    broker.enqueue(dramatiq.Message("research", "work", (), {"name": f"work-{number}", "seconds": 20}, {}))
"""


@pytest.fixture(scope="module")
def _keda(cluster: Cluster) -> None:
    if isinstance(cluster.target, Given):
        if not keda.is_there(cluster):
            pytest.skip("KEDA is not in the cluster of E2E_KUBECONFIG")
    else:
        # also where it is there: an earlier run may have been ended in the midst of it
        keda.install(cluster)


@pytest.fixture(scope="module")
def release(_keda: None, release_in: Callable[..., Release]) -> Release:
    """Scaled by KEDA, since it is there."""
    release = release_in("e2e-keda")
    release.install(tiers=TIERS, schedules=SCHEDULES)
    return release


def test_a_backlog_scales_its_own_tier_up_and_down_again(release: Release) -> None:
    """Messages of one tier bring it more pods within 30 s, and no other tier; nothing that runs is killed."""
    eventually(lambda: scaled_objects_ready(release), 60, "KEDA has taken over")
    others = {one: len(release.pods(one)) for one in ("high", "medium")}
    release.python(_BACKLOG)
    with timed("backlog → third pod of the tier, by KEDA"):
        eventually(lambda: len(release.pods("research")) == 3, 30, "three pods")
    assert {one: len(release.pods(one)) for one in others} == others
    eventually(lambda: len(release.redis("lrange", "ended", "0", "-1")) >= 18, 150, "all ended")
    eventually(lambda: len(release.pods("research")) == 1, 150, "one pod")
    began, ended = (release.redis("lrange", name, "0", "-1") for name in ("began", "ended"))
    assert sorted(began) == sorted(ended) == sorted(f"work-{number}" for number in range(18))


def test_low_goes_to_zero_and_comes_back(release: Release) -> None:
    """Without work the low tier has no pod and the fleet is well; a message brings one, which runs it."""
    eventually(lambda: not release.pods("low", running=False), 120, "no pod")
    release.settled(60)
    with timed("message → its run, of a tier that was at zero"):
        release.cli("run", "cleanup_old_cache_task", "--arg", "dry_run=true")
    assert release.pods("low")


@pytest.fixture(scope="module")
def without_keda(release: Release, cluster: Cluster) -> Iterator[Release]:
    """The same release after KEDA has gone, where pods' CPU is known."""
    not_given(cluster, "KEDA")
    if cluster.kubectl("get", "apiservice", "v1beta1.metrics.k8s.io", check=False).returncode != 0:
        pytest.skip("there is no metrics-server in this cluster, which a HorizontalPodAutoscaler asks")
    release.uninstall()
    keda.uninstall(cluster)
    # requests that a pod at rest is far below, and no more pods than leave room for KEDA, which comes back
    high = {"resources": {"requests": {"cpu": "300m"}}, "autoscaling": {"maxReplicas": 2}}
    # without schedules, so that no work but the test's costs CPU
    release.install(tiers={"high": high}, schedules=_NONE)
    yield release
    keda.install(cluster)


def test_without_keda_cpu_scales(without_keda: Release) -> None:
    """Where KEDA is absent each tier has a HorizontalPodAutoscaler, which reads its CPU."""

    def utilization() -> Any:
        metrics = without_keda.get("hpa", f"{NAME}-high")["status"].get("currentMetrics") or [{}]
        return metrics[0].get("resource", {}).get("current", {}).get("averageUtilization") is not None

    eventually(utilization, 120, "the CPU of tier high is known")
    names = {one["metadata"]["name"] for one in without_keda.get("hpa")["items"]}
    assert names == {f"{NAME}-{tier}" for tier in ("high", "medium", "low")}
    assert len(without_keda.pods("high")) == 1
    # with an output of its own, for `kubectl exec` waits until ours is closed
    load = "timeout 90 sh -c 'while :; do :; done' >/dev/null 2>&1 &"
    without_keda.kubectl("exec", f"deploy/{NAME}-high", "--", "sh", "-c", load)
    with timed("CPU at its limit → second pod of the tier, by a HorizontalPodAutoscaler"):
        eventually(lambda: len(without_keda.pods("high")) >= 2, 90, "two pods")
    assert len(without_keda.pods("medium")) == 1


def scaled_objects_ready(release: Release) -> bool:
    """Whether KEDA scales every tier."""
    found = release.get("scaledobjects")["items"]
    ready = [
        one
        for one in found
        for condition in one.get("status", {}).get("conditions", [])
        if condition["type"] == "Ready" and condition["status"] == "True"
    ]
    return len(ready) == len(found) == 4
