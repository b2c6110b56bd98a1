"""Who may talk to whom, and who is told of metrics."""

import re
from typing import Any

import pytest

from support import catalogue
from support.chart import NAMESPACE, Document, Manifests, render
from support.chart_values import OPTIONS

_COMPONENTS = ("high", "medium", "low", "scheduler")
_MONITORING = {"namespaceSelector": {"matchLabels": {"team": "ops"}}}
_SIMULATOR = {"simulator": {"enabled": True}}
#: What the Prometheus operator puts on every target of a PodMonitor.
_OPERATOR_LABELS = {"namespace", "pod", "container", "endpoint", "job", "instance"}


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


def _selects(selector: Document | None, labels: dict[str, str]) -> bool:
    """Whether a label selector selects these; one that is missing selects nothing."""
    if selector is None:
        return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        (labels.get(rule["key"]) in rule["values"]) is (rule["operator"] == "In")
        for rule in selector.get("matchExpressions", [])
    )


def _admits(source: Document, namespace: dict[str, str], pod: dict[str, str]) -> bool:
    """Whether a source of a NetworkPolicy is this pod: without a namespaceSelector, the policy's namespace is meant."""
    where = source.get("namespaceSelector", {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}})
    return _selects(where, namespace) and _selects(source.get("podSelector", {}), pod)


def _reaches(manifests: Manifests, component: str, namespace: str, pod: dict[str, str]) -> bool:
    """Whether Kubernetes lets a pod of this namespace, with these labels, open the port `http` of a process."""
    template = manifests.deployment(component)["spec"]["template"]
    assert [each["name"] for each in template["spec"]["containers"][0]["ports"]] == ["http"]
    guards = [
        each["spec"]
        for each in manifests.all("NetworkPolicy")
        if _selects(each["spec"]["podSelector"], template["metadata"]["labels"])
    ]
    named = {"kubernetes.io/metadata.name": namespace}
    rules = [rule for each in guards for rule in each["ingress"] if {"port": "http"} in rule["ports"]]
    return not guards or any(
        "from" not in rule or any(_admits(source, named, pod) for source in rule["from"]) for rule in rules
    )


@pytest.mark.parametrize("component", _COMPONENTS)
def test_prometheus_in_another_namespace_reaches_every_process(component: str):
    """By default any Prometheus may scrape each process; with `metricsFrom`, the one that it names and no other."""
    prometheus = {"app.kubernetes.io/name": "prometheus"}
    assert _reaches(render(), component, "monitoring", prometheus)
    by_namespace = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    for source in (by_namespace, by_namespace | {"podSelector": {"matchLabels": prometheus}}):
        manifests = render({"networkPolicy": {"metricsFrom": [source]}})
        assert _reaches(manifests, component, "monitoring", prometheus)
        assert not _reaches(manifests, component, "elsewhere", prometheus)
        assert _reaches(manifests, component, "monitoring", {}) is ("podSelector" not in source)
    alone = render({"networkPolicy": {"metricsFrom": [{"podSelector": {"matchLabels": prometheus}}]}})
    assert not _reaches(alone, component, "monitoring", prometheus)
    assert _reaches(alone, component, NAMESPACE, prometheus)


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


def _monitor(**values: Any) -> Document:
    (monitor,) = render({"metrics": {"podMonitor": {"enabled": True} | values}}).all("PodMonitor")
    return monitor


def test_a_pod_monitor_says_no_more_than_the_values():
    """Without values a PodMonitor leaves timeout, job, honorLabels and relabeling to the operator."""
    spec = _monitor()["spec"]
    assert spec.keys() == {"selector", "podTargetLabels", "podMetricsEndpoints"}
    assert spec["podMetricsEndpoints"] == [{"port": "http", "path": "/metrics", "interval": "30s"}]


def test_a_pod_monitor_has_all_that_the_values_say():
    """Each value of `metrics.podMonitor` arrives where the operator reads it."""
    (monitor,) = render(OPTIONS["metrics"]["elsewhere"]).all("PodMonitor")
    values = OPTIONS["metrics"]["elsewhere"]["metrics"]["podMonitor"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert monitor["metadata"]["annotations"] == values["annotations"]
    assert monitor["spec"]["jobLabel"] == values["jobLabel"]
    for name in ("interval", "scrapeTimeout", "honorLabels", "relabelings", "metricRelabelings"):
        assert endpoint[name] == values[name]


@pytest.mark.parametrize(("namespace", "selected"), [("", None), (NAMESPACE, None), ("monitoring", [NAMESPACE])])
def test_a_pod_monitor_elsewhere_still_selects_the_release(namespace: str, selected: list[str] | None):
    """In another namespace a PodMonitor names the release's, for it would look for pods in its own."""
    monitor = _monitor(namespace=namespace)
    assert monitor["metadata"]["namespace"] == (namespace or NAMESPACE)
    assert monitor["spec"].get("namespaceSelector", {}).get("matchNames") == selected


def test_labels_of_targets_hide_none_of_a_process():
    """No label that the PodMonitor puts on a target has the name of a label in the catalogue of metrics."""
    served = catalogue.COMMON_LABELS.union(*(row.labels for row in catalogue.rows()))
    assert served > {"release", "component", "queue", "scheduledtask", "provider"}
    copied = {re.sub(r"\W", "_", name) for name in _monitor()["spec"]["podTargetLabels"]}
    assert copied
    assert served & (_OPERATOR_LABELS | copied) == set()
