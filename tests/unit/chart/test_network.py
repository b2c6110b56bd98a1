"""Tests of the network policies, and of how Prometheus discovers metrics."""

import re
from typing import Any

import pytest

from support import metric_catalog
from support.chart import NAMESPACE, Document, Manifests, render
from support.chart_values import OPTIONS

_COMPONENTS = ("high", "medium", "low", "scheduler", "web")
_MONITORING = {"namespaceSelector": {"matchLabels": {"team": "ops"}}}
_SIMULATOR = {"simulator": {"enabled": True}}
#: The labels that the Prometheus operator adds to every target of a PodMonitor.
_OPERATOR_LABELS = {"namespace", "pod", "container", "endpoint", "job", "instance"}


def _sources(manifests: Manifests, name: str) -> list[Document] | None:
    """Return the sources that a policy admits, or None if it admits everything."""
    (rule,) = manifests.one("NetworkPolicy", name)["spec"]["ingress"]
    return rule.get("from")


def _names(sources: list[Document] | None) -> list[str]:
    """Return the value of each source's first label."""
    found = []
    for each in sources or []:
        labels = (each.get("podSelector") or each["namespaceSelector"])["matchLabels"]
        found.append(labels.get("app.kubernetes.io/instance") or next(iter(labels.values())))
    return found


def _allows_no_egress(spec: Document) -> bool:
    # The API server drops an empty list of rules.
    return "Egress" in spec["policyTypes"] and "egress" not in spec


def test_redis_policy_admits_the_release_and_keda():
    """Redis accepts connections from the release's pods and KEDA, and opens none."""
    manifests = render({"networkPolicy": {"kedaNamespace": "scaling"}})
    assert _names(_sources(manifests, "financehub-redis")) == ["financehub", "scaling"]
    assert _allows_no_egress(manifests.one("NetworkPolicy", "financehub-redis")["spec"])


def test_simulator_policy_admits_the_release():
    """The simulator accepts connections from the release's pods and opens none, because it never calls a provider."""
    manifests = render(_SIMULATOR)
    assert _names(_sources(manifests, "financehub-simulator")) == ["financehub"]
    assert _allows_no_egress(manifests.one("NetworkPolicy", "financehub-simulator")["spec"])


def test_metrics_policy_admits_the_sources_in_the_values():
    """By default any pod may read metrics, health and queues, otherwise only `metricsFrom`, the release and KEDA."""
    assert _sources(render(), "financehub") is None
    manifests = render({"networkPolicy": {"metricsFrom": [_MONITORING]}})
    assert _names(_sources(manifests, "financehub")) == ["ops", "financehub", "keda"]


def test_redis_service_publishes_addresses_of_pods_that_are_not_ready():
    """The Redis hostname resolves while its pod is not ready. Clients handle a Redis that refuses connections."""
    spec = render().one("Service", "financehub-redis")["spec"]
    assert (spec["clusterIP"], spec["publishNotReadyAddresses"]) == ("None", True)


def test_everything_is_served_on_both_families():
    """Each Service has addresses of both families where the cluster has them, and no process listens on IPv4 only."""
    manifests = render(_SIMULATOR)
    services = [manifests.one("Service", f"financehub-{name}") for name in ("redis", "scheduler", "simulator", "web")]
    assert {service["spec"]["ipFamilyPolicy"] for service in services} == {"PreferDualStack"}
    assert "bind * -::*" in manifests.one("ConfigMap", "financehub-redis")["data"]["redis.conf"].splitlines()
    (simulator,) = manifests.one("Deployment", "financehub-simulator")["spec"]["template"]["spec"]["containers"]
    assert "--host=::" in simulator["command"]
    assert "0.0.0.0" not in str(manifests.documents)  # noqa: S104 — an address that must not occur


def _selects(selector: Document | None, labels: dict[str, str]) -> bool:
    """Whether a label selector matches these labels. A missing selector matches nothing."""
    if selector is None:
        return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        (labels.get(rule["key"]) in rule["values"]) is (rule["operator"] == "In")
        for rule in selector.get("matchExpressions", [])
    )


def _admits(source: Document, namespace: dict[str, str], pod: dict[str, str]) -> bool:
    """Whether a source of a NetworkPolicy matches a pod. Without a namespaceSelector, the policy's namespace counts."""
    where = source.get("namespaceSelector", {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}})
    return _selects(where, namespace) and _selects(source.get("podSelector", {}), pod)


def _reaches(manifests: Manifests, component: str, namespace: str, pod: dict[str, str], *, port: str = "http") -> bool:
    """Whether the policies let a pod with these labels in this namespace connect to a port of a process."""
    template = manifests.deployment(component)["spec"]["template"]
    assert port in [each["name"] for each in template["spec"]["containers"][0]["ports"]]
    guards = [
        each["spec"]
        for each in manifests.all("NetworkPolicy")
        if _selects(each["spec"]["podSelector"], template["metadata"]["labels"])
    ]
    named = {"kubernetes.io/metadata.name": namespace}
    rules = [rule for each in guards for rule in each["ingress"] if {"port": port} in rule["ports"]]
    return not guards or any(
        "from" not in rule or any(_admits(source, named, pod) for source in rule["from"]) for rule in rules
    )


@pytest.mark.parametrize("component", _COMPONENTS)
def test_prometheus_in_another_namespace_reaches_every_process(component: str):
    """By default, any Prometheus may scrape each process. With `metricsFrom`, only the selected one may."""
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


def test_any_source_reaches_the_console_by_default():
    """Without `ingressFrom`, every source may open the console, because a proxy may run anywhere."""
    assert _sources(render(), "financehub-web") is None
    assert _reaches(render(), "web", "elsewhere", {}, port="web")


def test_only_sources_in_the_values_reach_the_console():
    """With `ingressFrom`, only these sources and the release's pods may open the console. Its metrics do not change."""
    manifests = render({"networkPolicy": {"ingressFrom": [_MONITORING]}})
    assert _names(_sources(manifests, "financehub-web")) == ["ops", "financehub"]
    release = manifests.deployment("scheduler")["spec"]["template"]["metadata"]["labels"]
    assert _reaches(manifests, "web", NAMESPACE, release, port="web")
    assert not _reaches(manifests, "web", "elsewhere", release, port="web")
    assert not _reaches(manifests, "web", NAMESPACE, {}, port="web")
    assert _reaches(manifests, "web", "elsewhere", {})


def test_sources_of_metrics_do_not_reach_the_console():
    """A Prometheus in `metricsFrom` may read metrics, but not the console if `ingressFrom` does not name it."""
    values = {"metricsFrom": [_MONITORING], "ingressFrom": [{"podSelector": {"matchLabels": {"app": "proxy"}}}]}
    manifests = render({"networkPolicy": values})
    assert not _reaches(manifests, "web", "monitoring", {}, port="web")
    assert _reaches(manifests, "web", NAMESPACE, {"app": "proxy"}, port="web")


def test_redis_policy_admits_additional_sources():
    """`redisFrom` adds a source to the Redis policy and removes none."""
    release = [*_names(_sources(render(), "financehub-redis"))]
    named = render({"networkPolicy": {"redisFrom": [_MONITORING]}})
    assert _names(_sources(named, "financehub-redis")) == [*release, "ops"]


def test_policies_do_not_restrict_what_processes_connect_to():
    """Only Redis and the simulator, which connect to nothing, have a policy for connections that they open."""
    policies = {each["metadata"]["name"]: each["spec"] for each in render(_SIMULATOR).all("NetworkPolicy")}
    closed = {name for name, spec in policies.items() if spec["policyTypes"] == ["Ingress", "Egress"]}
    assert closed == {"financehub-redis", "financehub-simulator"}
    assert {name for name, spec in policies.items() if spec["policyTypes"] == ["Ingress"]} == {*policies} - closed


def test_policies_open_only_one_port_each():
    """Each policy opens one of the ports `http`, `web` and `redis`."""
    for policy in render(_SIMULATOR).all("NetworkPolicy"):
        assert [port for rule in policy["spec"]["ingress"] for port in rule["ports"]] in (
            [{"port": "http"}],
            [{"port": "web"}],
            [{"port": "redis"}],
        )


def test_policies_can_be_disabled():
    """With `networkPolicy.enabled=false` there are no policies."""
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
def test_metrics_are_advertised_as_configured(metrics: dict[str, Any], annotated: bool, monitored: bool):
    """The values decide whether annotations, a PodMonitor, both or neither advertise /metrics to Prometheus."""
    manifests = render({"metrics": metrics})
    for component in _COMPONENTS:
        template = manifests.deployment(component)["spec"]["template"]
        annotations = template["metadata"]["annotations"]
        assert (annotations.get("prometheus.io/scrape") == "true") is annotated
        if annotated:
            ports = {each["name"]: each["containerPort"] for each in template["spec"]["containers"][0]["ports"]}
            assert annotations["prometheus.io/port"] == str(ports["http"])
    assert bool(manifests.all("PodMonitor")) is monitored


def test_pod_monitor_selects_the_processes_only():
    """A PodMonitor has the labels by which Prometheus selects it, and selects FinanceHub's processes but not Redis."""
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


def test_pod_monitor_without_values_uses_the_defaults_of_the_operator():
    """By default, a PodMonitor does not set the timeout, the job, honorLabels or relabelings."""
    spec = _monitor()["spec"]
    assert spec.keys() == {"selector", "podTargetLabels", "podMetricsEndpoints"}
    assert spec["podMetricsEndpoints"] == [{"port": "http", "path": "/metrics", "interval": "30s"}]


def test_pod_monitor_contains_every_value():
    """Each value of `metrics.podMonitor` is in the field that the operator reads."""
    (monitor,) = render(OPTIONS["metrics"]["elsewhere"]).all("PodMonitor")
    values = OPTIONS["metrics"]["elsewhere"]["metrics"]["podMonitor"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert monitor["metadata"]["annotations"] == values["annotations"]
    assert monitor["spec"]["jobLabel"] == values["jobLabel"]
    for name in ("interval", "scrapeTimeout", "honorLabels", "relabelings", "metricRelabelings"):
        assert endpoint[name] == values[name]


@pytest.mark.parametrize(("namespace", "selected"), [("", None), (NAMESPACE, None), ("monitoring", [NAMESPACE])])
def test_pod_monitor_in_another_namespace_selects_the_release(namespace: str, selected: list[str] | None):
    """A PodMonitor in another namespace names the release's namespace, because by default it selects its own."""
    monitor = _monitor(namespace=namespace)
    assert monitor["metadata"]["namespace"] == (namespace or NAMESPACE)
    assert monitor["spec"].get("namespaceSelector", {}).get("matchNames") == selected


def test_target_labels_do_not_conflict_with_metric_labels():
    """No label that the PodMonitor adds to a target has the name of a label in the metric catalog."""
    served = metric_catalog.COMMON_LABELS.union(*(row.labels for row in metric_catalog.rows()))
    assert served > {"release", "component", "queue", "scheduledtask", "provider"}
    copied = {re.sub(r"\W", "_", name) for name in _monitor()["spec"]["podTargetLabels"]}
    assert copied
    assert served & (_OPERATOR_LABELS | copied) == set()
