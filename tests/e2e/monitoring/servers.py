"""Runs Prometheus and Alertmanager in the cluster, and queries them through the API server.

This module builds their images, because the cluster has no registry from which it could pull them.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from e2e import namespaces
from e2e.cluster import Cluster
from e2e.monitoring import manifests
from e2e.monitoring.manifests import CONFIGURATION, NAMESPACE, PORTS, image
from test_cluster.binaries.finder import program
from test_cluster.binaries.programs import ALERTMANAGER, PROMETHEUS, Program
from test_cluster.node.archive import write_archive

#: Default seconds between two scrapes of a job and between two evaluations of a rule group.
INTERVAL_SECONDS = 5


def install(
    cluster: Cluster, namespace: str, *, rules: Mapping[str, Any], scrape_jobs: Sequence[Mapping[str, Any]]
) -> None:
    """Run Alertmanager and a Prometheus that scrapes a namespace, and wait until both are ready.

    Args:
        cluster: The cluster.
        namespace: Namespace whose pods Prometheus may discover.
        rules: Content of its rule file.
        scrape_jobs: Scrape jobs of its configuration.
    """
    with tempfile.TemporaryDirectory() as folder:
        for server in (PROMETHEUS, ALERTMANAGER):
            archive = Path(folder) / f"{server.name}.tar"
            path = f"/{server.name}"
            write_archive(archive, image(server), {path: program(server)}, entrypoint=[path])
            cluster.target.load(archive)
    interval = f"{INTERVAL_SECONDS}s"
    prometheus = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [f"{CONFIGURATION}/rules.json"],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"{ALERTMANAGER.name}:{PORTS[ALERTMANAGER.name]}"]}]}]
        },
        "scrape_configs": list(scrape_jobs),
    }
    # The tests read alerts from its API, so its only receiver does nothing.
    alertmanager = {"route": {"receiver": "none"}, "receivers": [{"name": "none"}]}
    # JSON is valid YAML.
    items = [
        *manifests.rights(namespace),
        *manifests.server(PROMETHEUS, {"prometheus.yml": json.dumps(prometheus), "rules.json": json.dumps(rules)}),
        *manifests.server(ALERTMANAGER, {"alertmanager.yml": json.dumps(alertmanager)}),
    ]
    namespaces.create(cluster, NAMESPACE, {"pod-security.kubernetes.io/enforce": "restricted"})
    manifest = {"apiVersion": "v1", "kind": "List", "items": items}
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(manifest))
    for name in PORTS:
        cluster.kubectl("rollout", "status", "--namespace", NAMESPACE, f"deployment/{name}", "--timeout=120s")


def uninstall(cluster: Cluster) -> None:
    """Remove both servers. The right to read pods is removed with the namespace of the pods.

    Args:
        cluster: The cluster.
    """
    cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


class Servers:
    """Client of Prometheus and Alertmanager.

    Args:
        cluster: The cluster in which they run.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def prometheus(self, path: str, **parameters: str) -> Any:
        """Return the `data` field of a response of Prometheus's HTTP API.

        Args:
            path: Path after `/api/v1/`.
            parameters: Query parameters.
        """
        answer = json.loads(self._text(PROMETHEUS, f"/api/v1/{path}", parameters))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Return the result of an instant query: each series' labels, sorted by name → its value.

        Args:
            expression: PromQL expression.
        """
        result = self.prometheus("query", query=expression)["result"]
        return {tuple(sorted(series["metric"].items())): float(series["value"][1]) for series in result}

    def active_alerts(self) -> list[dict[str, Any]]:
        """Return the active alerts in Alertmanager."""
        return list(json.loads(self._text(ALERTMANAGER, "/api/v2/alerts", {"active": "true"})))

    def metrics(self, server: Program) -> dict[str, float]:
        """Return a server's own metrics: each series in the text format → its value.

        Args:
            server: The server's program.
        """
        lines = [line for line in self._text(server, "/metrics", {}).splitlines() if not line.startswith("#")]
        return {series: float(value) for series, _, value in (line.rpartition(" ") for line in lines)}

    def _text(self, server: Program, path: str, parameters: Mapping[str, str]) -> str:
        # The API server can reach Services in every cluster; the tests cannot.
        service = f"/api/v1/namespaces/{NAMESPACE}/services/{server.name}:{PORTS[server.name]}/proxy"
        return self._cluster.kubectl("get", "--raw", f"{service}{path}?{urlencode(parameters)}").stdout
