"""Who may talk to whom, and who is told of metrics."""

from typing import Any

import pytest

from support.chart import Document, Manifests, render

_COMPONENTS = ("high", "medium", "low", "scheduler")
_MONITORING = {"namespaceSelector": {"matchLabels": {"team": "ops"}}}
_SIMULATOR = {"simulator": {"enabled": True}}


def _sources(manifests: Manifests, name: str) -> list[Document] | None:
    """Who may talk to what this policy guards; None: everybody."""
    (rule,) = manifests.one("NetworkPolicy", name)["spec"]["ingress"]
    return rule.get("from")


def _names(sources: list[Document] | None) -> list[str]:
    """Each source by its first label."""
    found = []
    for each in sources or []:
        labels = (each.get("podSelector") or each["namespaceSelector"])["matchLabels"]
        found.append(labels.get("app.kubernetes.io/instance") or next(iter(labels.values())))
    return found


def test_redis_is_for_the_release_and_keda():
    """Redis answers pods of the release and KEDA, and talks to nobody."""
    manifests = render({"networkPolicy": {"kedaNamespace": "scaling"}})
    assert _names(_sources(manifests, "financehub-redis")) == ["financehub", "scaling"]
    assert manifests.one("NetworkPolicy", "financehub-redis")["spec"]["egress"] == []


def test_the_simulator_is_for_the_release():
    """The simulator answers the release, and talks to nobody: it never asks a provider."""
    manifests = render(_SIMULATOR)
    assert _names(_sources(manifests, "financehub-simulator")) == ["financehub"]
    assert manifests.one("NetworkPolicy", "financehub-simulator")["spec"]["egress"] == []


def test_metrics_are_for_whom_the_values_name():
    """Metrics, health and queues are for everybody in the cluster, or for those named, the release and KEDA."""
    assert _sources(render(), "financehub") is None
    manifests = render({"networkPolicy": {"metricsFrom": [_MONITORING]}})
    assert _names(_sources(manifests, "financehub")) == ["ops", "financehub", "keda"]


def test_redis_is_for_whom_the_values_name_too():
    """A client that is not of the release reaches its Redis where it is named, and nobody else is shut out by it."""
    release = [*_names(_sources(render(), "financehub-redis"))]
    named = render({"networkPolicy": {"redisFrom": [_MONITORING]}})
    assert _names(_sources(named, "financehub-redis")) == [*release, "ops"]


def test_no_port_but_the_documented_ones():
    """Each policy opens one port, which is one of the container's."""
    for policy in render(_SIMULATOR).all("NetworkPolicy"):
        assert [port for rule in policy["spec"]["ingress"] for port in rule["ports"]] in (
            [{"port": "http"}],
            [{"port": "redis"}],
        )


def test_policies_can_be_left_out():
    """Where the cluster has policies of its own, the chart brings none."""
    assert render(_SIMULATOR | {"networkPolicy": {"enabled": False}}).all("NetworkPolicy") == []


@pytest.mark.parametrize(
    ("metrics", "annotated", "monitored"),
    [
        ({}, True, False),
        ({"annotations": False}, False, False),
        ({"podMonitor": {"enabled": True}}, True, True),
        ({"enabled": False, "podMonitor": {"enabled": True}}, False, False),
    ],
    ids=str,
)
def test_prometheus_is_told_as_the_values_say(metrics: dict[str, Any], annotated: bool, monitored: bool):
    """Prometheus learns of /metrics by annotations, by a PodMonitor, by both or not at all."""
    manifests = render({"metrics": metrics})
    for component in _COMPONENTS:
        template = manifests.deployment(component)["spec"]["template"]
        said = template["metadata"]["annotations"]
        assert (said.get("prometheus.io/scrape") == "true") is annotated
        if annotated:
            (port,) = template["spec"]["containers"][0]["ports"]
            assert said["prometheus.io/port"] == str(port["containerPort"])
    assert bool(manifests.all("PodMonitor")) is monitored


def test_a_pod_monitor_is_found_and_finds():
    """A PodMonitor bears the labels by which Prometheus selects it, and selects processes of ours, not Redis."""
    values = {"metrics": {"podMonitor": {"enabled": True, "interval": "15s", "labels": {"release": "prometheus"}}}}
    (monitor,) = render(values).all("PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"], endpoint["interval"]) == ("http", "/metrics", "15s")
    (excluded,) = monitor["spec"]["selector"]["matchExpressions"]
    assert excluded["operator"] == "NotIn"
    assert not {*excluded["values"]} & {*_COMPONENTS}
