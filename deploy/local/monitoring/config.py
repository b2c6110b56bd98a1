"""Prometheus's configuration: which processes it scrapes, and the rules of the chart."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy/helm/financehub/files/rules"
DASHBOARDS = ROOT / "deploy/helm/financehub/files/dashboards"
#: The processes of `make run`, in the order of their ports.
PROCESSES = ("scheduler", "high", "medium", "low")
#: Where `make monitoring` listens, and where compose.yaml publishes its Prometheus: both can run at once.
PORT = 9090
COMPOSE_PORT = 9091
#: Alerts and panels react on a laptop within half a minute.
INTERVAL = "15s"


def configuration(http_port: int, host: str, rules: str) -> dict[str, Any]:
    """The configuration of a Prometheus that scrapes `make run`.

    The rule files are those of the chart, unchanged. Their `runbook_url` stays a path in the repository, which
    opens in a checkout; a browser does not follow a file:// link from a page of Prometheus.

    Args:
        http_port: the first of the ports of `make run`; the processes themselves say which component they are.
        host: where the processes are, as Prometheus sees it.
        rules: the folder of the rule files, as Prometheus sees it.
    """
    targets = [f"{host}:{http_port + index}" for index in range(len(PROCESSES))]
    return {
        "global": {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": [f"{rules}/*.yaml"],
        "scrape_configs": [{"job_name": "financehub", "static_configs": [{"targets": targets}]}],
    }


def text(content: dict[str, Any]) -> str:
    """The configuration as a file."""
    return yaml.safe_dump(content, sort_keys=False)
