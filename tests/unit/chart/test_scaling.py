"""Who sets the number of a tier's pods, and by what."""

from typing import Any

import pytest

from support.chart import Document, Manifests, render
from support.chart_values import merged

KEDA = {"autoscaling": {"mode": "keda"}}
TIERS = ("high", "low", "medium")


def _scaled(manifests: Manifests, kind: str) -> dict[str, Document]:
    return {each["metadata"]["name"].removeprefix("financehub-"): each["spec"] for each in manifests.all(kind)}


def test_each_tier_is_scaled_by_itself():
    """KEDA or a HorizontalPodAutoscaler: one for each tier and none for anything else."""
    assert _scaled(render(KEDA), "ScaledObject").keys() == {*TIERS}
    assert not render(KEDA).all("HorizontalPodAutoscaler")
    assert _scaled(render(), "HorizontalPodAutoscaler").keys() == {*TIERS}
    assert not render().all("ScaledObject", "TriggerAuthentication")


def test_a_fixed_tier_has_its_replicas():
    """With autoscaling off a tier has `replicas` pods, and the others go on being scaled."""
    manifests = render({"tiers": {"high": {"replicas": 3, "autoscaling": {"enabled": False}}}} | KEDA)
    assert manifests.deployment("high")["spec"]["replicas"] == 3
    assert _scaled(manifests, "ScaledObject").keys() == {"low", "medium"}


@pytest.mark.parametrize("tier", TIERS)
def test_three_signals(tier: str):
    """A tier grows with what of its own waits and runs, with what is delayed and with the age of the oldest message."""
    triggers = {each["name"]: each for each in _scaled(render(KEDA), "ScaledObject")[tier]["triggers"]}
    assert triggers["messages"]["type"] == triggers["delayed"]["type"] == "redis"
    assert triggers["messages"]["metadata"]["listName"] == f"dramatiq:{tier}.msgs"
    assert triggers["delayed"]["metadata"]["listName"] == f"dramatiq:{tier}.DQ.msgs"
    assert triggers["oldest"]["type"] == "metrics-api"
    assert triggers["oldest"]["metadata"]["url"] == f"http://financehub-scheduler.market.svc:8000/queues/{tier}"
    assert triggers["oldest"]["metadata"]["valueLocation"] == "oldest_age_seconds"


def test_figures_of_keda_are_text():
    """KEDA takes the metadata of a trigger as strings; a number there is refused by its definition."""
    for scaled in _scaled(render(KEDA), "ScaledObject").values():
        for trigger in scaled["triggers"]:
            assert {type(value) for value in trigger["metadata"].values()} == {str}


EXTERNAL: dict[str, Any] = {"redis": {"enabled": False}}


@pytest.mark.parametrize(
    ("values", "address", "database", "tls"),
    [
        ({}, "financehub-redis.market.svc:6379", "0", False),
        (EXTERNAL | {"externalRedis": {"url": "redis://cache.example:6380/2"}}, "cache.example:6380", "2", False),
        (EXTERNAL | {"externalRedis": {"url": "rediss://reader@cache.example"}}, "cache.example:6379", "0", True),
        (EXTERNAL | {"externalRedis": {"url": "redis://[fd00::1]:6380/1"}}, "[fd00::1]:6380", "1", False),
    ],
    ids=["embedded", "external", "TLS", "IPv6"],
)
def test_keda_asks_the_redis_of_the_release(values: dict[str, Any], address: str, database: str, tls: bool):
    """KEDA looks into the Redis that the workers use: address, database and encryption."""
    for scaled in _scaled(render(values | KEDA), "ScaledObject").values():
        for trigger in scaled["triggers"][:2]:
            assert trigger["metadata"]["address"] == address
            assert trigger["metadata"]["databaseIndex"] == database
            assert (trigger["metadata"].get("enableTLS") == "true") is tls
            assert trigger["metadata"].get("username") == ("reader" if tls else None)


def test_keda_has_the_password_from_the_secret():
    """The password reaches KEDA by a reference to the Secret and nothing else; without a password there is none."""
    manifests = render(KEDA)
    (authentication,) = manifests.all("TriggerAuthentication")
    (target,) = authentication["spec"]["secretTargetRef"]
    assert (target["parameter"], target["name"], target["key"]) == ("password", "financehub-redis", "redis-password")
    for scaled in _scaled(manifests, "ScaledObject").values():
        for trigger in scaled["triggers"]:
            reference = trigger.get("authenticationRef", {}).get("name")
            assert reference == (authentication["metadata"]["name"] if trigger["type"] == "redis" else None)
    open_redis = render(KEDA | EXTERNAL | {"externalRedis": {"url": "redis://cache.example"}})
    assert not open_redis.all("TriggerAuthentication")


def test_keda_knows_who_signed_for_redis():
    """The authority of an external Redis reaches KEDA from its Secret, with a password and without."""
    external = {"url": "rediss://cache.example", "tls": {"caSecret": "authority"}}
    for secret, parameters in (("", ["ca"]), ("mine", ["password", "ca"])):
        manifests = render(KEDA | EXTERNAL | {"externalRedis": external | {"existingSecret": secret}})
        (authentication,) = manifests.all("TriggerAuthentication")
        assert [one["parameter"] for one in authentication["spec"]["secretTargetRef"]] == parameters
        trigger = _scaled(manifests, "ScaledObject")["high"]["triggers"][0]
        assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]


def test_keda_may_take_over():
    """A HorizontalPodAutoscaler of the chart tells KEDA's admission that it is no obstacle."""
    for each in render().all("HorizontalPodAutoscaler"):
        assert each["metadata"]["annotations"]["validations.keda.sh/hpa-ownership"] == "false"


def test_a_pod_goes_late_and_alone():
    """Up at once and twofold, down one pod a minute after calm; to zero only when a drained pod is gone."""
    for manifests, kind in ((render(KEDA), "ScaledObject"), (render(), "HorizontalPodAutoscaler")):
        for tier, scaled in _scaled(manifests, kind).items():
            behavior = (scaled["advanced"]["horizontalPodAutoscalerConfig"] if kind == "ScaledObject" else scaled)[
                "behavior"
            ]
            assert behavior["scaleUp"]["policies"] == [{"type": "Percent", "value": 100, "periodSeconds": 15}]
            assert behavior["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]
            assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 300
            if kind == "ScaledObject":
                pod = manifests.deployment(tier)["spec"]["template"]["spec"]
                assert scaled["cooldownPeriod"] > pod["terminationGracePeriodSeconds"]


def test_low_may_rest():
    """With KEDA a tier may have no pod, which is no fault of the fleet's health; when KEDA cannot see, it has one."""
    values = merged(KEDA, {"tiers": {"low": {"autoscaling": {"minReplicas": 0}}}})
    manifests = render(values)
    assert manifests.environment("low")["FINANCEHUB_IDLE_TIERS"] == "low"
    assert "FINANCEHUB_IDLE_TIERS" not in render(KEDA).environment("low")
    scaled = _scaled(manifests, "ScaledObject")["low"]
    assert scaled["minReplicaCount"] == 0
    assert scaled["fallback"]["replicas"] == 1


@pytest.mark.parametrize("seconds", [1, 60, 3600])
def test_a_worker_has_time_to_hand_back(seconds: int):
    """The grace period is at least 15 s longer than the shutdown timeout that the worker is told."""
    manifests = render({"tiers": {tier: {"shutdownTimeoutSeconds": seconds} for tier in TIERS}})
    for tier in TIERS:
        spec = manifests.deployment(tier)["spec"]["template"]["spec"]
        assert f"--worker-shutdown-timeout={seconds * 1000}" in spec["containers"][0]["command"]
        assert spec["terminationGracePeriodSeconds"] - seconds >= 15


def test_a_pod_is_ready_only_while_it_can_work():
    """Startup and liveness ask whether the process lives, readiness whether it can work."""
    for component in (*TIERS, "scheduler"):
        (container,) = render().deployment(component)["spec"]["template"]["spec"]["containers"]
        assert {
            name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")
        } == {
            "startup": "/livez",
            "liveness": "/livez",
            "readiness": "/readyz",
        }
        # a second signal would end a draining worker at once
        assert "lifecycle" not in container
