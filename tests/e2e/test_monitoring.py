"""Tests with a real Prometheus, which scrapes a release and evaluates its rules, and a real Alertmanager."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from e2e.cluster import CHART, Cluster, eventually
from e2e.conftest import skip_on_external_cluster
from e2e.monitoring import definitions, servers
from e2e.monitoring.manifests import NAMESPACE
from e2e.monitoring.policies import admits
from e2e.monitoring.scraping import ANNOTATIONS_JOB, POD_MONITOR_JOB, annotations_job, pod_monitor_job
from e2e.monitoring.servers import Servers
from e2e.release import NAME, PROCESSES, Release
from e2e.report import note, timed
from test_cluster.binaries.programs import ALERTMANAGER, PROMETHEUS

#: The tier that loses its pods, the alert that fires for it, and an alert that the values disable.
_TIER, _ALERT, _DISABLED = "high", "FinanceHubTierWithoutWorker", "FinanceHubClockSkew"
_RUNBOOKS = "https://runbooks.example/financehub"
#: Names of the series that Prometheus adds to each scrape.
_SCRAPE_SERIES = "up|scrape_.+"
#: The only series that the second job stores. No rule reads it.
_PROBE_SERIES = "process_start_time_seconds"
_FAILURE_COUNTERS = ("rule_evaluation_failures", "notifications_errors", "notifications_dropped")
_DASHBOARD_LABEL = {"grafana_dashboard": "1"}
_DASHBOARDS = {f"financehub-{name}" for name in ("overview", "tier", "schedules", "providers", "redis", "web")}
_VALUES: dict[str, Any] = {
    "metrics": {
        "podMonitor": {"enabled": True, "interval": f"{servers.INTERVAL_SECONDS}s", "scrapeTimeout": "5s"},
        "prometheusRule": {
            "enabled": True,
            "runbookUrl": _RUNBOOKS,
            "disabled": {_DISABLED: True},
            "overrides": {_ALERT: {"for": "10s"}},
        },
        "dashboards": {"enabled": True},
    },
    "networkPolicy": {
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}}]
    },
    # The tests set the number of pods. The short period ensures a due time soon after the fault. With catchUp All, a
    # Redis that starts late, after the schedulers, causes no missed due times and therefore no second alert.
    "tierDefaults": {"autoscaling": {"enabled": False}},
    "schedules": {"fetch-crypto-prices": {"spec": {"schedule": "@every 10s", "catchUp": "All"}}},
}


@pytest.fixture(scope="module")
def _crds(cluster: Cluster) -> Iterator[None]:
    """The CRDs of the Prometheus operator. They are installed before the module's release and removed after it."""
    skip_on_external_cluster(cluster, "the CRDs of the Prometheus operator")
    definitions.install(cluster)
    yield
    definitions.uninstall(cluster)


@pytest.fixture(scope="module")
def release(_crds: None, release_in: Callable[..., Release]) -> Release:
    """A release with PodMonitor, PrometheusRule and dashboards. One per module."""
    release = release_in("e2e-monitoring")
    release.install(**_VALUES)
    return release


@pytest.fixture(scope="module")
def monitoring(release: Release) -> Iterator[Servers]:
    """Prometheus with the rules and the PodMonitor as the API server returns them, and Alertmanager. One per module.

    An operator would mount the PrometheusRule's groups as a rule file and translate the PodMonitor into a scrape job.
    Here the tests do both.
    """
    jobs = [
        annotations_job([release.namespace]),
        pod_monitor_job(release.get("podmonitor", NAME), kept_series=_PROBE_SERIES),
    ]
    rules = release.get("prometheusrule", NAME)["spec"]
    for group in rules["groups"]:
        # Prometheus spreads the first evaluations over the interval of a group, which is up to two minutes.
        group["interval"] = f"{servers.INTERVAL_SECONDS}s"
    servers.install(release.cluster, release.namespace, rules=rules, scrape_jobs=jobs)
    yield Servers(release.cluster)
    servers.uninstall(release.cluster)


def refusal(release: Release, resource: dict[str, Any]) -> str:
    """Return kubectl's error if the API server refuses a changed resource but accepts the unchanged one."""
    unchanged = release.get(resource["kind"].lower(), resource["metadata"]["name"])
    for manifest in (unchanged, resource):
        # An apply must not contain the metadata that the server has added.
        manifest["metadata"] = {key: manifest["metadata"][key] for key in ("name", "namespace")}
    apply = ("apply", "--server-side", "--dry-run=server", "--force-conflicts", "-f", "-")
    release.kubectl(*apply, stdin=json.dumps(unchanged))
    done = release.kubectl(*apply, stdin=json.dumps(resource), check=False)
    assert done.returncode != 0, "the API server accepted the changed resource"
    error: str = done.stderr
    return error


def test_api_server_with_an_invalid_pod_monitor_refuses_it(release: Release) -> None:
    """The operator's CRD accepts the chart's PodMonitor and refuses a misspelled field and an invalid value."""
    pod_monitor = release.get("podmonitor", NAME)
    misspelled, invalid = copy.deepcopy(pod_monitor), copy.deepcopy(pod_monitor)
    misspelled["spec"]["podMetricsEndpoints"][0]["scrapeTimeOut"] = "5s"
    assert "scrapeTimeOut" in refusal(release, misspelled)
    invalid["spec"]["podMetricsEndpoints"][0]["interval"] = "5 seconds"
    assert "podMetricsEndpoints[0].interval" in refusal(release, invalid)


def test_api_server_with_an_invalid_rule_refuses_it(release: Release) -> None:
    """The operator's CRD accepts the chart's PrometheusRule and refuses a misspelled field and an invalid value."""
    rule = release.get("prometheusrule", NAME)
    misspelled, invalid = copy.deepcopy(rule), copy.deepcopy(rule)
    misspelled["spec"]["groups"][0]["rules"][0]["annotation"] = {}
    assert "annotation" in refusal(release, misspelled)
    invalid["spec"]["groups"][0]["rules"][0]["for"] = "5 minutes"
    assert "groups[0].rules[0].for" in refusal(release, invalid)


def components_of_pods(release: Release) -> dict[str, str]:
    """Return the component of each FinanceHub pod that serves metrics, by the pod's name."""
    return {pod["metadata"]["name"]: component for component in PROCESSES for pod in release.pods(component)}


@pytest.mark.parametrize("job", [ANNOTATIONS_JOB, POD_MONITOR_JOB])
def test_scrape_job_finds_exactly_the_pods_with_metrics(release: Release, monitoring: Servers, job: str) -> None:
    """By annotations and by PodMonitor, Prometheus scrapes two schedulers and one pod of each other kind."""
    expected = components_of_pods(release)
    assert sorted(expected.values()) == ["high", "low", "medium", "scheduler", "scheduler", "web"]

    def targets() -> list[dict[str, Any]]:
        active = monitoring.prometheus("targets")["activeTargets"]
        return [target for target in active if target["scrapePool"] == job]

    def problems() -> dict[str, str]:
        return {target["labels"]["pod"]: target["lastError"] for target in targets() if target["health"] != "up"}

    eventually(lambda: len(targets()) >= len(expected), f"{len(expected)} targets of {job} are found", 120)
    # A busy machine may answer one scrape too late.
    eventually(lambda: not problems(), f"all targets of {job} are scraped; the first problems are {problems()}", 120)
    found = targets()
    assert sorted(target["labels"]["pod"] for target in found) == sorted(expected)
    assert {target["labels"]["namespace"] for target in found} == {release.namespace}
    longest = max(target["lastScrapeDuration"] for target in found)
    note(f"longest scrape, job {job}", f"{longest * 1000:.0f} ms")


@pytest.mark.parametrize("job", [ANNOTATIONS_JOB, POD_MONITOR_JOB])
def test_scraped_series_have_release_and_component_labels(release: Release, monitoring: Servers, job: str) -> None:
    """Each series of each target has the labels `release`, the release's name, and `component`, its pod's component."""
    expression = f'count by (pod, release, component) ({{job="{job}", __name__!~"{_SCRAPE_SERIES}"}})'

    def found() -> dict[tuple[tuple[str, str], ...], float]:
        counts = monitoring.query(expression)
        return counts if len(counts) >= len(components_of_pods(release)) else {}

    counts = eventually(found, "series of every pod", 120)
    labels = {
        (("component", component), ("pod", pod), ("release", NAME))
        for pod, component in components_of_pods(release).items()
    }
    assert set(counts) == labels
    if job == ANNOTATIONS_JOB:
        for component in PROCESSES:
            most = max(count for key, count in counts.items() if dict(key)["component"] == component)
            note(f"series of a {component} process", f"{most:.0f}")


def test_prometheus_with_the_rules_evaluates_all_without_error(release: Release, monitoring: Servers) -> None:
    """Prometheus evaluates every rule of the PrometheusRule without an error, and has no disabled alert."""
    groups = release.get("prometheusrule", NAME)["spec"]["groups"]
    expected = sorted(
        (group["name"], rule.get("alert") or rule["record"]) for group in groups for rule in group["rules"]
    )

    def loaded() -> list[dict[str, Any]]:
        found = monitoring.prometheus("rules")["groups"]
        return [{"group": group["name"], **rule} for group in found for rule in group["rules"]]

    eventually(lambda: "unknown" not in {rule["health"] for rule in loaded()}, "every rule is evaluated", 120)
    rules = loaded()
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}
    assert sorted((rule["group"], rule["name"]) for rule in rules) == expected
    names = {rule["name"] for rule in rules}
    assert _ALERT in names
    assert _DISABLED not in names
    note("rules loaded", f"{len(expected)}")


def test_network_policies_with_metrics_from_admit_prometheus_only_to_targets(
    release: Release, monitoring: Servers
) -> None:
    """`networkPolicy.metricsFrom` admits only Prometheus's namespace, and only at the port of each target."""
    policies = release.get("networkpolicies")["items"]
    prometheus, other = (release.cluster.get("namespace", name) for name in (NAMESPACE, "default"))
    targets = {
        target["labels"]["pod"]: int(target["scrapeUrl"].rpartition(":")[2].partition("/")[0])
        for target in monitoring.prometheus("targets")["activeTargets"]
    }
    assert len(targets) == len(components_of_pods(release))
    for name, port in targets.items():
        pod = release.get("pod", name)
        assert admits(policies, pod, prometheus, port)
        assert not admits(policies, pod, other, port)
    for component in ("redis", "simulator"):
        (pod,) = release.pods(component)
        for container in pod["spec"]["containers"]:
            for port in container["ports"]:
                assert not admits(policies, pod, prometheus, port["containerPort"])


def test_dashboard_config_maps_are_found_by_label(release: Release) -> None:
    """The label selector of Grafana's sidecar finds one ConfigMap per dashboard, with a .json file and a fixed uid."""
    selector = ",".join(f"{name}={value}" for name, value in _DASHBOARD_LABEL.items())
    found = release.cluster.get("configmaps", "--all-namespaces", "--selector", selector)["items"]
    assert {config_map["metadata"]["namespace"] for config_map in found} == {release.namespace}
    files = {name: text for config_map in found for name, text in config_map["data"].items()}
    assert len(files) == len(found)
    assert {name.rpartition(".")[2] for name in files} == {"json"}
    assert {json.loads(text)["uid"] for text in files.values()} == _DASHBOARDS
    sources = [path.read_text(encoding="utf-8") for path in (CHART / "files" / "dashboards").glob("*.json")]
    # The runbooks' URL is the only part of a dashboard that depends on values.
    assert set(files.values()) == {text.replace('"docs/runbooks"', f'"{_RUNBOOKS}"') for text in sources}


def firing_alerts(monitoring: Servers) -> list[str]:
    """Return the names of the alerts that fire in Prometheus."""
    return sorted(
        alert["labels"]["alertname"]
        for alert in monitoring.prometheus("alerts")["alerts"]
        if alert["state"] == "firing"
    )


def test_tier_without_pods_fires_one_alert_until_they_are_back(release: Release, monitoring: Servers) -> None:
    """No alert fires before the fault. Then Alertmanager has one alert, with its runbook, until the tier is back."""
    release.wait_until_healthy()
    assert firing_alerts(monitoring) == []
    assert monitoring.active_alerts() == []

    deployment = f"deployment/{NAME}-{_TIER}"
    release.kubectl("scale", deployment, "--replicas=0")
    with timed("tier scaled to zero → its alert in Alertmanager (`for` 10 s, a due time each 10 s)"):
        (alert,) = eventually(monitoring.active_alerts, "an alert in Alertmanager", 180)
    expected = {"alertname": _ALERT, "queue": _TIER, "release": NAME, "namespace": release.namespace}
    assert expected | {"severity": "critical"} == alert["labels"]
    assert alert["annotations"]["runbook_url"] == f"{_RUNBOOKS}/{_ALERT}.md"
    assert NAME in alert["annotations"]["summary"]
    description = alert["annotations"]["description"]
    assert NAME in description
    assert _TIER in description
    assert re.search(r"\b[1-9]\d*\b", description), "the description does not contain the number of waiting messages"
    assert firing_alerts(monitoring) == [_ALERT]

    release.kubectl("scale", deployment, "--replicas=1")
    with timed("tier back → alert resolved in Alertmanager"):
        eventually(lambda: _ALERT not in alertmanager_alerts(monitoring), "the alert has ended", 120)
    # Prometheus reported the end of the alert, so it did not just expire in Alertmanager.
    resolved = 'alertmanager_alerts_received_total{status="resolved",version="v2"}'
    assert monitoring.metrics(ALERTMANAGER)[resolved] >= 1
    assert _ALERT not in firing_alerts(monitoring)


def test_rules_and_notifications_during_the_fault_do_not_fail(monitoring: Servers) -> None:
    """During the fault of the previous test, no evaluation of a rule and no notification failed."""
    counters = {f"prometheus_{name}_total" for name in _FAILURE_COUNTERS}
    found = [
        (series, value) for series, value in monitoring.metrics(PROMETHEUS).items() if _metric_name(series) in counters
    ]
    assert {_metric_name(series) for series, _ in found} == counters
    assert [(series, value) for series, value in found if value] == []


def alertmanager_alerts(monitoring: Servers) -> list[str]:
    """Return the names of the active alerts in Alertmanager."""
    return [alert["labels"]["alertname"] for alert in monitoring.active_alerts()]


def _metric_name(series: str) -> str:
    return series.partition("{")[0]
