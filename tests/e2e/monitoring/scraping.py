"""Scrape jobs of Prometheus, made from annotations of pods, or from a PodMonitor as the operator does it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

#: Names of the jobs in the configuration.
ANNOTATIONS_JOB, POD_MONITOR_JOB = "kubernetes-pods", "pod-monitor"
_POD = "__meta_kubernetes_pod"


def annotations_job(namespaces: Iterable[str]) -> dict[str, Any]:
    """Return the job that uses `prometheus.io/` annotations, like that of the community's Helm chart.

    Args:
        namespaces: Namespaces of the pods. Discovery needs no rights in other namespaces.
    """
    return {
        "job_name": ANNOTATIONS_JOB,
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


def pod_monitor_job(resource: Mapping[str, Any], *, kept_series: str) -> dict[str, Any]:
    """Return the job that the Prometheus operator generates from a PodMonitor with one endpoint.

    Args:
        resource: The PodMonitor as the API server returns it.
        kept_series: Regular expression for the names of the series to keep, because the other job stores all series.

    Raises:
        ValueError: The PodMonitor has a field that this function does not translate.
    """
    spec, namespace = resource["spec"], resource["metadata"]["namespace"]
    (endpoint,) = spec["podMetricsEndpoints"]
    _refuse_unknown(spec, {"selector", "podTargetLabels", "podMetricsEndpoints"})
    _refuse_unknown(spec["selector"], {"matchLabels", "matchExpressions"})
    _refuse_unknown(endpoint, {"port", "path", "interval", "scrapeTimeout", "honorLabels"})
    # The CRD may add default values to the stored resource.
    return {
        "job_name": POD_MONITOR_JOB,
        "honor_labels": endpoint.get("honorLabels", False),
        "metrics_path": endpoint["path"],
        "scrape_interval": endpoint["interval"],
        **({"scrape_timeout": endpoint["scrapeTimeout"]} if "scrapeTimeout" in endpoint else {}),
        "kubernetes_sd_configs": [_discovery([namespace])],
        "relabel_configs": [
            _drop(f"{_POD}_phase", "Succeeded|Failed"),
            *(_keep(_label(name), re.escape(value)) for name, value in spec["selector"]["matchLabels"].items()),
            *(_expression(expression) for expression in spec["selector"].get("matchExpressions", [])),
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
        "metric_relabel_configs": [_keep("__name__", kept_series)],
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
            raise ValueError(f"matchExpressions: the operator {other} cannot be translated")


def _label(name: str) -> str:
    return f"{_POD}_label_{_sanitized(name)}"


def _sanitized(name: str) -> str:
    """Return a label's name as Prometheus's service discovery writes it."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)


def _refuse_unknown(fields: Mapping[str, Any], known: set[str]) -> None:
    if unknown := set(fields) - known:
        raise ValueError(f"PodMonitor: {', '.join(sorted(unknown))} cannot be translated into a scrape job")
