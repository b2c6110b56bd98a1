"""Tests of the tiers' autoscalers and the signals that they use."""

from typing import Any

import pytest

from financehub_shared.core.redis_url_parser import parse_redis_url
from support.chart import Document, Manifests, render
from support.chart_values import merged

KEDA = {"autoscaling": {"mode": "keda"}}
TIERS = ("high", "low", "medium")


def _scaled(manifests: Manifests, kind: str) -> dict[str, Document]:
    return {each["metadata"]["name"].removeprefix("financehub-"): each["spec"] for each in manifests.all(kind)}


def test_each_tier_has_its_own_autoscaler():
    """Each tier has one ScaledObject or HorizontalPodAutoscaler, and by default nothing else has one."""
    assert _scaled(render(KEDA), "ScaledObject").keys() == {*TIERS}
    assert not render(KEDA).all("HorizontalPodAutoscaler")
    assert _scaled(render(), "HorizontalPodAutoscaler").keys() == {*TIERS}
    assert not render().all("ScaledObject", "TriggerAuthentication")


@pytest.mark.parametrize("mode", ["keda", "hpa"])
def test_console_is_scaled_by_cpu_with_either_autoscaler(mode: str):
    """The console has no messages, so it has a HorizontalPodAutoscaler also where KEDA scales the tiers."""
    manifests = render({"autoscaling": {"mode": mode}, "web": {"autoscaling": {"enabled": True}}})
    assert "web" in _scaled(manifests, "HorizontalPodAutoscaler")
    assert "web" not in _scaled(manifests, "ScaledObject")


def test_tier_without_autoscaling_has_fixed_replicas():
    """A tier without autoscaling has `replicas` pods, and the other tiers keep their autoscalers."""
    manifests = render({"tiers": {"high": {"replicas": 3, "autoscaling": {"enabled": False}}}} | KEDA)
    assert manifests.deployment("high")["spec"]["replicas"] == 3
    assert _scaled(manifests, "ScaledObject").keys() == {"low", "medium"}


@pytest.mark.parametrize("tier", TIERS)
def test_keda_scales_a_tier_by_three_signals(tier: str):
    """KEDA scales a tier by its waiting and running messages, its delayed messages and its oldest message's age."""
    triggers = {each["name"]: each for each in _scaled(render(KEDA), "ScaledObject")[tier]["triggers"]}
    assert triggers["messages"]["type"] == triggers["delayed"]["type"] == "redis"
    assert triggers["messages"]["metadata"]["listName"] == f"dramatiq:{tier}.msgs"
    assert triggers["delayed"]["metadata"]["listName"] == f"dramatiq:{tier}.DQ.msgs"
    assert triggers["oldest"]["type"] == "metrics-api"
    assert triggers["oldest"]["metadata"]["url"] == f"http://financehub-scheduler.market.svc:8000/queues/{tier}"
    assert triggers["oldest"]["metadata"]["valueLocation"] == "oldest_age_seconds"


def test_trigger_metadata_contains_only_strings():
    """KEDA's CRD refuses numbers in a trigger's metadata."""
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
def test_keda_uses_the_redis_of_the_workers(values: dict[str, Any], address: str, database: str, tls: bool):
    """KEDA connects to the workers' Redis, with the same address, database and encryption."""
    for scaled in _scaled(render(values | KEDA), "ScaledObject").values():
        for trigger in scaled["triggers"][:2]:
            assert trigger["metadata"]["address"] == address
            assert trigger["metadata"]["databaseIndex"] == database
            assert (trigger["metadata"].get("enableTLS") == "true") is tls
            assert trigger["metadata"].get("username") == ("reader" if tls else None)


@pytest.mark.parametrize(
    ("url", "addresses", "service", "database", "user", "tls"),
    [
        (
            "redis+sentinel://a.example,b.example:1/mymaster",
            "a.example:26379,b.example:1",
            "mymaster",
            "0",
            None,
            False,
        ),
        ("rediss+sentinel://u@[fd00::1],[fd00::2]:1/m/3", "[fd00::1]:26379,[fd00::2]:1", "m", "3", "u", True),
        ("redis+sentinel://u%40%3A@a.example/my%2Fm+%25/2", "a.example:26379", "my/m+%", "2", "u@:", False),
    ],
)
def test_keda_asks_the_sentinels(
    url: str, addresses: str, service: str, database: str, user: str | None, tls: bool
) -> None:
    """KEDA finds the master as the workers do, with KEDA's trigger for Sentinels."""
    values = KEDA | EXTERNAL | {"externalRedis": {"url": url}}
    for scaled in _scaled(render(values), "ScaledObject").values():
        for trigger in scaled["triggers"][:2]:
            found = trigger["metadata"]
            assert trigger["type"] == "redis-sentinel"
            assert (found["addresses"], found["sentinelMaster"]) == (addresses, service)
            assert (found["databaseIndex"], found.get("username")) == (database, user)
            assert (found.get("enableTLS") == "true") is tls
            assert "address" not in found
    parsed = parse_redis_url(url)
    assert (service, int(database), user) == (parsed.service, parsed.db, parsed.login.username), (
        "as the workers read it"
    )


def test_keda_reads_the_password_from_the_secret():
    """KEDA gets the password only through a reference to the Secret. Without a password there is no reference."""
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


def test_keda_reads_the_ca_certificate_from_the_secret():
    """KEDA gets the CA certificate of an external Redis from its Secret, with and without a password."""
    external = {"url": "rediss://cache.example", "tls": {"caSecret": "authority"}}
    for secret, parameters in (("", ["ca"]), ("mine", ["password", "ca"])):
        manifests = render(KEDA | EXTERNAL | {"externalRedis": external | {"existingSecret": secret}})
        (authentication,) = manifests.all("TriggerAuthentication")
        assert [target["parameter"] for target in authentication["spec"]["secretTargetRef"]] == parameters
        trigger = _scaled(manifests, "ScaledObject")["high"]["triggers"][0]
        assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]


def test_keda_may_replace_a_horizontal_pod_autoscaler():
    """A HorizontalPodAutoscaler has the annotation with which KEDA's admission allows a second autoscaler."""
    for each in render().all("HorizontalPodAutoscaler"):
        assert each["metadata"]["annotations"]["validations.keda.sh/hpa-ownership"] == "false"


def test_scaling_up_is_fast_and_scaling_down_is_slow():
    """A tier doubles immediately, loses one pod a minute, and reaches zero only after a drained pod terminated."""
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


def test_tier_with_zero_minimum_pods_is_healthy_without_a_pod():
    """With KEDA, a tier may have no pods and is then listed as idle. If KEDA cannot read Redis, it has one pod."""
    values = merged(KEDA, {"tiers": {"low": {"autoscaling": {"minReplicas": 0}}}})
    manifests = render(values)
    assert manifests.environment("low")["FINANCEHUB_IDLE_TIERS"] == "low"
    assert "FINANCEHUB_IDLE_TIERS" not in render(KEDA).environment("low")
    scaled = _scaled(manifests, "ScaledObject")["low"]
    assert scaled["minReplicaCount"] == 0
    assert scaled["fallback"]["replicas"] == 1


@pytest.mark.parametrize("seconds", [1, 60, 3600])
def test_grace_period_exceeds_the_shutdown_timeout(seconds: int):
    """The grace period is at least 15 s longer than the shutdown timeout in the worker's command."""
    manifests = render({"tiers": {tier: {"shutdownTimeoutSeconds": seconds} for tier in TIERS}})
    for tier in TIERS:
        spec = manifests.deployment(tier)["spec"]["template"]["spec"]
        assert f"--worker-shutdown-timeout={seconds * 1000}" in spec["containers"][0]["command"]
        assert spec["terminationGracePeriodSeconds"] - seconds >= 15


def test_probes_use_the_liveness_and_readiness_endpoints():
    """The startup and liveness probes call /livez, and the readiness probe calls /readyz."""
    for component in (*TIERS, "scheduler", "web"):
        (container,) = render().deployment(component)["spec"]["template"]["spec"]["containers"]
        assert {
            name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")
        } == {
            "startup": "/livez",
            "liveness": "/livez",
            "readiness": "/readyz",
        }
        # A preStop hook could send a second signal, which would stop a draining worker immediately. That of the console
        # only waits.
        assert container.get("lifecycle") == ({"preStop": {"sleep": {"seconds": 5}}} if component == "web" else None)
