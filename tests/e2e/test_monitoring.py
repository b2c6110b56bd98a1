"""A real Prometheus scrapes a release and evaluates its rules, and a real Alertmanager is told of a real fault."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from e2e.cluster import CHART, Cluster, eventually
from e2e.conftest import not_given
from e2e.monitoring import definitions, servers
from e2e.monitoring.manifests import NAMESPACE
from e2e.monitoring.policies import admits
from e2e.monitoring.scraping import ANNOTATIONS, POD_MONITOR, by_annotations, by_pod_monitor
from e2e.monitoring.servers import Servers
from e2e.release import NAME, TIERS, Release
from e2e.report import note, timed
from test_cluster.binaries.programs import ALERTMANAGER, PROMETHEUS

#: The tier that loses its pods, and the alert that this raises.
_TIER, _ALERT, _DISABLED = "high", "FinanceHubTierWithoutWorker", "FinanceHubClockSkew"
_RUNBOOKS = "https://runbooks.example/financehub"
#: Series that Prometheus itself writes of each scrape.
_OF_PROMETHEUS = "up|scrape_.+"
#: What the second job stores; no rule reads it.
_PROBE = "process_start_time_seconds"
_FAILED = ("rule_evaluation_failures", "notifications_errors", "notifications_dropped")
_LABEL = {"grafana_dashboard": "1"}
_DASHBOARDS = {f"financehub-{name}" for name in ("overview", "tier", "schedules", "providers", "redis")}
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
    # as many pods as the tests say, and a due time soon after the fault
    "tierDefaults": {"autoscaling": {"enabled": False}},
    "schedules": {"fetch-crypto-prices": {"spec": {"schedule": "@every 10s"}}},
}


@pytest.fixture(scope="module")
def _definitions(cluster: Cluster) -> Iterator[None]:
    """In the cluster before the chart's resources, and gone after them."""
    not_given(cluster, "the monitoring")
    definitions.install(cluster)
    yield
    definitions.uninstall(cluster)


@pytest.fixture(scope="module")
def release(_definitions: None, release_in: Callable[..., Release]) -> Release:
    """With PodMonitor, PrometheusRule and dashboards."""
    release = release_in("e2e-monitoring")
    release.install(**_VALUES)
    return release


@pytest.fixture(scope="module")
def monitoring(release: Release) -> Iterator[Servers]:
    """Prometheus with the rules and the PodMonitor as the API server returns them.

    An operator would mount the PrometheusRule's groups as a rule file and translate the PodMonitor into a scrape job;
    here the tests do both.
    """
    jobs = [
        by_annotations([release.namespace]),
        by_pod_monitor(release.get("podmonitor", NAME), only=_PROBE),
    ]
    rules = release.get("prometheusrule", NAME)["spec"]
    servers.install(release.cluster, release.namespace, rules=rules, scrape_jobs=jobs)
    yield Servers(release.cluster)
    servers.uninstall(release.cluster)


def refused(release: Release, resource: dict[str, Any]) -> str:
    """What kubectl says when the API server refuses a changed resource, which it takes unchanged."""
    unchanged = release.get(resource["kind"].lower(), resource["metadata"]["name"])
    for server_side in (unchanged, resource):
        # without what the server has written, which an apply must not contain
        server_side["metadata"] = {key: server_side["metadata"][key] for key in ("name", "namespace")}
    apply = ("apply", "--server-side", "--dry-run=server", "--force-conflicts", "-f", "-")
    release.kubectl(*apply, stdin=json.dumps(unchanged))
    done = release.kubectl(*apply, stdin=json.dumps(resource), check=False)
    assert done.returncode != 0, "not refused"
    said: str = done.stderr
    return said


def test_api_server_refuses_a_wrong_pod_monitor(release: Release) -> None:
    """The operator's definition accepts the chart's PodMonitor and refuses a misspelled field and a wrong value."""
    pod_monitor = release.get("podmonitor", NAME)
    misspelled, wrong = copy.deepcopy(pod_monitor), copy.deepcopy(pod_monitor)
    misspelled["spec"]["podMetricsEndpoints"][0]["scrapeTimeOut"] = "5s"
    assert "scrapeTimeOut" in refused(release, misspelled)
    wrong["spec"]["podMetricsEndpoints"][0]["interval"] = "5 seconds"
    assert "podMetricsEndpoints[0].interval" in refused(release, wrong)


def test_api_server_refuses_a_wrong_rule(release: Release) -> None:
    """The operator's definition accepts the chart's PrometheusRule and refuses a misspelled field and a wrong value."""
    rule = release.get("prometheusrule", NAME)
    misspelled, wrong = copy.deepcopy(rule), copy.deepcopy(rule)
    misspelled["spec"]["groups"][0]["rules"][0]["annotation"] = {}
    assert "annotation" in refused(release, misspelled)
    wrong["spec"]["groups"][0]["rules"][0]["for"] = "5 minutes"
    assert "groups[0].rules[0].for" in refused(release, wrong)


def processes(release: Release) -> dict[str, str]:
    """Name of each pod of ours that serves metrics → its component."""
    return {
        pod["metadata"]["name"]: component for component in ("scheduler", *TIERS) for pod in release.pods(component)
    }


@pytest.mark.parametrize("job", [ANNOTATIONS, POD_MONITOR])
def test_targets_are_the_four_processes(release: Release, monitoring: Servers, job: str) -> None:
    """By annotations and by PodMonitor alike, Prometheus scrapes two schedulers and each tier, and nothing else."""
    expected = processes(release)
    assert sorted(expected.values()) == ["high", "low", "medium", "scheduler", "scheduler"]

    def targets() -> list[dict[str, Any]]:
        found = [each for each in monitoring.prometheus("targets")["activeTargets"] if each["scrapePool"] == job]
        scraped = [each for each in found if each["health"] != "unknown"]
        return found if len(scraped) == len(found) >= len(expected) else []

    found = eventually(targets, 60, f"{len(expected)} targets of {job} are scraped")
    assert {each["labels"]["pod"]: each["lastError"] for each in found if each["health"] != "up"} == {}
    assert sorted(each["labels"]["pod"] for each in found) == sorted(expected)
    assert {each["labels"]["namespace"] for each in found} == {release.namespace}
    longest = max(each["lastScrapeDuration"] for each in found)
    note(f"longest scrape, job {job}", f"{longest * 1000:.0f} ms")


@pytest.mark.parametrize("job", [ANNOTATIONS, POD_MONITOR])
def test_every_series_names_its_release_and_component(release: Release, monitoring: Servers, job: str) -> None:
    """Each series of each target has the release's name as `release` and its pod's component as `component`."""
    series = f'count by (pod, release, component) ({{job="{job}", __name__!~"{_OF_PROMETHEUS}"}})'

    def found() -> dict[tuple[tuple[str, str], ...], float]:
        seen = monitoring.query(series)
        return seen if len(seen) >= len(processes(release)) else {}

    counts = eventually(found, 60, "series of every pod")
    labels = {
        (("component", component), ("pod", pod), ("release", NAME)) for pod, component in processes(release).items()
    }
    assert set(counts) == labels
    if job == ANNOTATIONS:
        for component in ("scheduler", *TIERS):
            most = max(count for key, count in counts.items() if dict(key)["component"] == component)
            note(f"series of a {component} process", f"{most:.0f}")


def test_rules_are_loaded_and_evaluated_without_an_error(release: Release, monitoring: Servers) -> None:
    """Prometheus has evaluated every rule of the PrometheusRule without error; a disabled alert is not among them."""
    groups = release.get("prometheusrule", NAME)["spec"]["groups"]
    expected = sorted(
        (group["name"], rule.get("alert") or rule["record"]) for group in groups for rule in group["rules"]
    )

    def loaded() -> list[dict[str, Any]]:
        found = monitoring.prometheus("rules")["groups"]
        return [{"group": group["name"], **rule} for group in found for rule in group["rules"]]

    eventually(lambda: "unknown" not in {rule["health"] for rule in loaded()}, 120, "every rule is evaluated")
    rules = loaded()
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}
    assert sorted((rule["group"], rule["name"]) for rule in rules) == expected
    names = {rule["name"] for rule in rules}
    assert _ALERT in names
    assert _DISABLED not in names
    note("rules loaded", f"{len(expected)}")


def test_network_policies_let_prometheus_in_where_it_scrapes_and_nowhere_else(
    release: Release, monitoring: Servers
) -> None:
    """`networkPolicy.metricsFrom` admits Prometheus' namespace alone, at each target's port; Redis stays closed."""
    policies = release.get("networkpolicies")["items"]
    prometheus, other = (release.cluster.get("namespace", name) for name in (NAMESPACE, "default"))
    targets = {
        each["labels"]["pod"]: int(each["scrapeUrl"].rpartition(":")[2].partition("/")[0])
        for each in monitoring.prometheus("targets")["activeTargets"]
    }
    assert len(targets) == len(processes(release))
    for name, port in targets.items():
        pod = release.get("pod", name)
        assert admits(policies, pod, prometheus, port)
        assert not admits(policies, pod, other, port)
    for component in ("redis", "simulator"):
        (pod,) = release.pods(component)
        for container in pod["spec"]["containers"]:
            for each in container["ports"]:
                assert not admits(policies, pod, prometheus, each["containerPort"])


def test_dashboards_are_found_by_their_label(release: Release) -> None:
    """The label selector of Grafana's sidecar finds one ConfigMap a dashboard: a .json file with its fixed uid."""
    selector = ",".join(f"{name}={value}" for name, value in _LABEL.items())
    found = release.cluster.get("configmaps", "--all-namespaces", "--selector", selector)["items"]
    assert {each["metadata"]["namespace"] for each in found} == {release.namespace}
    files = {name: text for each in found for name, text in each["data"].items()}
    assert len(files) == len(found)
    assert {name.rpartition(".")[2] for name in files} == {"json"}
    assert {json.loads(text)["uid"] for text in files.values()} == _DASHBOARDS
    written = [path.read_text(encoding="utf-8") for path in (CHART / "files" / "dashboards").glob("*.json")]
    # nothing else of a dashboard depends on values
    assert set(files.values()) == {text.replace('"docs/runbooks"', f'"{_RUNBOOKS}"') for text in written}


def firing(monitoring: Servers) -> list[str]:
    """Names of the alerts that fire in Prometheus."""
    return sorted(
        each["labels"]["alertname"] for each in monitoring.prometheus("alerts")["alerts"] if each["state"] == "firing"
    )


def test_a_tier_that_loses_its_pods_raises_an_alert_that_ends_with_the_fault(
    release: Release, monitoring: Servers
) -> None:
    """Nothing fires before; Alertmanager then holds one alert, with its runbook's address, until the tier is back."""
    release.settled()
    assert firing(monitoring) == []
    assert monitoring.alertmanager() == []

    deployment = f"deployment/{NAME}-{_TIER}"
    release.kubectl("scale", deployment, "--replicas=0")
    with timed("tier scaled to zero → its alert in Alertmanager (`for` 10 s, a due time each 10 s)"):
        (alert,) = eventually(monitoring.alertmanager, 90, "an alert in Alertmanager")
    expected = {"alertname": _ALERT, "queue": _TIER, "release": NAME, "namespace": release.namespace}
    assert expected | {"severity": "critical"} == alert["labels"]
    assert alert["annotations"]["runbook_url"] == f"{_RUNBOOKS}/{_ALERT}.md"
    assert NAME in alert["annotations"]["summary"]
    description = alert["annotations"]["description"]
    assert NAME in description
    assert _TIER in description
    assert re.search(r"\b[1-9]\d*\b", description), "how many messages wait"
    assert firing(monitoring) == [_ALERT]

    release.kubectl("scale", deployment, "--replicas=1")
    with timed("tier back → alert resolved in Alertmanager"):
        eventually(lambda: _ALERT not in active(monitoring), 120, "the alert has ended")
    # Prometheus said so: Alertmanager did not only give up hearing of it
    resolved = 'alertmanager_alerts_received_total{status="resolved",version="v2"}'
    assert monitoring.metrics(ALERTMANAGER)[resolved] >= 1
    assert _ALERT not in firing(monitoring)


def test_no_rule_has_failed(monitoring: Servers) -> None:
    """Through the fault, too, no evaluation of a rule and no notification failed."""
    counters = {f"prometheus_{name}_total" for name in _FAILED}
    found = [(series, value) for series, value in monitoring.metrics(PROMETHEUS).items() if _name(series) in counters]
    assert {_name(series) for series, _ in found} == counters
    assert [(series, value) for series, value in found if value] == []


def active(monitoring: Servers) -> list[str]:
    """Names of the alerts that Alertmanager holds as active."""
    return [each["labels"]["alertname"] for each in monitoring.alertmanager()]


def _name(series: str) -> str:
    return series.partition("{")[0]
