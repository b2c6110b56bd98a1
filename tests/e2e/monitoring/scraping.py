"""Scrape jobs of Prometheus: pods by their annotations, and pods by a PodMonitor as the operator translates it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

#: Names of the jobs in the configuration.
ANNOTATIONS, POD_MONITOR = "kubernetes-pods", "pod-monitor"
_POD = "__meta_kubernetes_pod"


def by_annotations(namespaces: Iterable[str]) -> dict[str, Any]:
    """The job that follows `prometheus.io/` annotations, as in the configuration of the community's Helm chart.

    Args:
        namespaces: whose pods are discovered; reading them needs no right beyond these.
    """
    return {
        "job_name": ANNOTATIONS,
        "honor_labels": True,
        "kubernetes_sd_configs": [_discovery(namespaces)],
        "relabel_configs": [
            _keep(f"{_POD}_annotation_prometheus_io_scrape", "true"),
            _drop(f"{_POD}_phase", "Pending|Succeeded|Failed|Completed"),
            {
                "source_labels": [f"{_POD}_annotation_prometheus_io_path"],
                "regex": "(.+)",
                "target_label": "__metrics_path__",
            },
            {
                "source_labels": [f"{_POD}_ip", f"{_POD}_annotation_prometheus_io_port"],
                "regex": r"(.+);(\d+)",
                "replacement": "$1:$2",
                "target_label": "__address__",
            },
            {"action": "labelmap", "regex": f"{_POD}_label_(.+)"},
            {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
            {"source_labels": [f"{_POD}_name"], "target_label": "pod"},
        ],
    }


def by_pod_monitor(resource: Mapping[str, Any], *, only: str) -> dict[str, Any]:
    """The job that the Prometheus operator makes of a PodMonitor with one endpoint.

    Args:
        resource: the PodMonitor as the API server returns it.
        only: regular expression of the series that are kept, because the other job stores the rest already.

    Raises:
        ValueError: the PodMonitor has a field that is not translate_errors here.
    """
    spec, namespace = resource["spec"], resource["metadata"]["namespace"]
    (endpoint,) = spec["podMetricsEndpoints"]
    _refuse_others(spec, {"selector", "podTargetLabels", "podMetricsEndpoints"})
    _refuse_others(spec["selector"], {"matchLabels", "matchExpressions"})
    _refuse_others(endpoint, {"port", "path", "interval", "scrapeTimeout", "honorLabels"})
    # a definition may write defaults into what it stores
    return {
        "job_name": POD_MONITOR,
        "honor_labels": endpoint.get("honorLabels", False),
        "metrics_path": endpoint["path"],
        "scrape_interval": endpoint["interval"],
        **({"scrape_timeout": endpoint["scrapeTimeout"]} if "scrapeTimeout" in endpoint else {}),
        "kubernetes_sd_configs": [_discovery([namespace])],
        "relabel_configs": [
            _drop(f"{_POD}_phase", "Succeeded|Failed"),
            *(_keep(_label(name), re.escape(value)) for name, value in spec["selector"]["matchLabels"].items()),
            *(_expression(each) for each in spec["selector"].get("matchExpressions", [])),
            _keep(f"{_POD}_container_port_name", re.escape(endpoint["port"])),
            {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
            {"source_labels": [f"{_POD}_container_name"], "target_label": "container"},
            {"source_labels": [f"{_POD}_name"], "target_label": "pod"},
            *(
                {"source_labels": [_label(name)], "regex": "(.+)", "target_label": _sanitized(name)}
                for name in spec.get("podTargetLabels", [])
            ),
            {"target_label": "endpoint", "replacement": endpoint["port"]},
        ],
        "metric_relabel_configs": [_keep("__name__", only)],
    }


def _discovery(namespaces: Iterable[str]) -> dict[str, Any]:
    return {"role": "pod", "namespaces": {"names": list(namespaces)}}


def _keep(label: str, regex: str) -> dict[str, Any]:
    return {"action": "keep", "source_labels": [label], "regex": regex}


def _drop(label: str, regex: str) -> dict[str, Any]:
    return {"action": "drop", "source_labels": [label], "regex": regex}


def _expression(expression: Mapping[str, Any]) -> dict[str, Any]:
    values = "|".join(re.escape(value) for value in expression.get("values", []))
    match expression["operator"]:
        case "In":
            return _keep(_label(expression["key"]), values)
        case "NotIn":
            return _drop(_label(expression["key"]), values)
        case other:
            raise ValueError(f"matchExpressions: the operator {other} is not translate_errors")


def _label(name: str) -> str:
    return f"{_POD}_label_{_sanitized(name)}"


def _sanitized(name: str) -> str:
    """A label's name as Prometheus' discovery writes it."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)


def _refuse_others(given: Mapping[str, Any], known: set[str]) -> None:
    if others := set(given) - known:
        raise ValueError(f"PodMonitor: {', '.join(sorted(others))} is not translate_errors into a scrape job")
