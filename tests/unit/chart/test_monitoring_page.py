"""Tests that the examples in docs/chart-monitoring.md work."""

import copy
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from support.chart import CHART, render
from support.chart_values import merged
from support.promtool import promtool_path

_PAGE = (CHART.parents[2] / "docs/chart-monitoring.md").read_text(encoding="utf-8")
BLOCKS: list[dict[str, Any]] = [
    yaml.load(block, Loader=yaml.CSafeLoader)
    for block in re.findall(r"^```yaml\n(.*?)^```", _PAGE, re.MULTILINE | re.DOTALL)
]
VALUES = [block for block in BLOCKS if "metrics" in block]
CONFIGURATIONS = [block for block in BLOCKS if "scrape_configs" in block]


def test_values_of_the_page_render_the_described_resources():
    """The values for the two operators and for changed alerts are valid, separately and together."""
    kinds = [{each["kind"] for each in render(values).documents} for values in VALUES]
    operator, grafana, changed = kinds
    assert operator >= {"PodMonitor", "PrometheusRule", "ConfigMap"}
    assert "GrafanaDashboard" in grafana
    assert "PrometheusRule" in changed
    assert render(merged(*VALUES)).documents


def test_prometheus_accepts_the_scrape_configuration(tmp_path: Path):
    """Promtool finds no problem in the configuration for a plain Prometheus.

    Debian builds Prometheus without Kubernetes discovery, so the test compares that line instead.
    """
    configuration = copy.deepcopy(CONFIGURATIONS[0])
    assert configuration["scrape_configs"][0].pop("kubernetes_sd_configs") == [{"role": "pod"}]
    path = tmp_path / "prometheus.yaml"
    path.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    done = subprocess.run([promtool_path(), "check", "config", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_scrape_configuration_keeps_only_the_processes():
    """Every FinanceHub process passes all `keep` rules, but neither Redis nor a hook's pod does."""
    (job,) = CONFIGURATIONS[0]["scrape_configs"]
    kept = [rule for rule in job["relabel_configs"] if rule.get("action") == "keep"]
    assert len(kept) == 3
    scraped = set()
    for name, pod in render({"simulator": {"enabled": True}}).pods().items():
        prefixes = {"label": pod["metadata"]["labels"], "annotation": pod["metadata"].get("annotations", {})}
        known = {
            f"__meta_kubernetes_pod_{prefix}_{re.sub('[^a-zA-Z0-9_]', '_', key)}": value
            for prefix, found in prefixes.items()
            for key, value in found.items()
        }
        for port in (port for each in pod["spec"]["containers"] for port in each.get("ports", [])):
            labels = known | {"__meta_kubernetes_pod_container_port_name": port["name"]}
            if all(re.fullmatch(rule["regex"], labels.get(rule["source_labels"][0], "")) for rule in kept):
                scraped.add(name)
    assert scraped == {f"Deployment/financehub-{name}" for name in ("high", "medium", "low", "scheduler", "web")}
