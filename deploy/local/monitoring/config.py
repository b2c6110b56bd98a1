"""The configuration of Prometheus, with the processes of `make run` as targets and the rules of the chart."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy/helm/financehub/files/rules"
DASHBOARDS = ROOT / "deploy/helm/financehub/files/dashboards"
#: The processes of `make run` that serve metrics, in the order of their ports. The first port of `make run` is that of
#: the console, which serves none.
PROCESSES = ("high", "medium", "low", "scheduler", "web")
#: Number of consecutive ports of `make run`.
PORTS = 1 + len(PROCESSES)
#: Ports of `make monitoring` and of the Prometheus in compose.yaml. They differ, so that both can run together.
PORT = 9090
COMPOSE_PORT = 9091
#: Interval of scrapes and evaluations, short enough that alerts and panels react within half a minute.
INTERVAL = "15s"


def configuration(http_port: int, host: str, rules: str) -> dict[str, Any]:
    """Return the configuration of a Prometheus that scrapes `make run`.

    It uses the chart's rule files unchanged. Their `runbook_url` is a path in the repository, because a browser
    does not follow a file:// link from a page of Prometheus.

    Args:
        http_port: First port of `make run`. The processes themselves report which component they are.
        host: Host name of the processes as Prometheus sees it.
        rules: Folder of the rule files as Prometheus sees it.
    """
    targets = [f"{host}:{http_port + index}" for index in range(1, PORTS)]
    return {
        "global": {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": [f"{rules}/*.yaml"],
        "scrape_configs": [{"job_name": "financehub", "static_configs": [{"targets": targets}]}],
    }


def to_yaml(content: dict[str, Any]) -> str:
    """Return the configuration as YAML."""
    return yaml.safe_dump(content, sort_keys=False)
