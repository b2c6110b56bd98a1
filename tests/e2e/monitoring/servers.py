"""Prometheus and Alertmanager in a namespace: their programs in images made here, and access through the API server."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from e2e.cluster import Cluster, eventually
from e2e.monitoring import manifests
from e2e.monitoring.manifests import CONFIGURATION, NAMESPACE, PORTS, image
from test_cluster.binaries.finder import program
from test_cluster.binaries.programs import ALERTMANAGER, PROMETHEUS, Program
from test_cluster.node.archive import write_archive

#: Seconds between two scrapes and between two evaluations, of jobs and rule groups that name no others.
INTERVAL_SECONDS = 5


def install(
    cluster: Cluster, namespace: str, *, rules: Mapping[str, Any], scrape_jobs: Sequence[Mapping[str, Any]]
) -> None:
    """Run Alertmanager and a Prometheus that scrapes a namespace, and wait until both are ready.

    Args:
        cluster: where.
        namespace: whose pods Prometheus may discover.
        rules: content of its rule file.
        scrape_jobs: of its configuration.
    """
    with tempfile.TemporaryDirectory() as folder:
        for each in (PROMETHEUS, ALERTMANAGER):
            archive = Path(folder) / f"{each.name}.tar"
            write_archive(archive, image(each), {f"/{each.name}": program(each)}, entrypoint=[f"/{each.name}"])
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
    # the tests read alerts from its API, so it notifies nobody
    alertmanager = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
    # JSON is YAML
    items = [
        manifests.namespace(),
        *manifests.rights(namespace),
        *manifests.server(PROMETHEUS, {"prometheus.yml": json.dumps(prometheus), "rules.json": json.dumps(rules)}),
        *manifests.server(ALERTMANAGER, {"alertmanager.yml": json.dumps(alertmanager)}),
    ]
    # that of an earlier run may be on its way out
    eventually(lambda: not _is_going(cluster), 120, f"an earlier namespace {NAMESPACE} is gone")
    manifest = {"apiVersion": "v1", "kind": "List", "items": items}
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(manifest))
    for name in PORTS:
        cluster.kubectl("rollout", "status", "--namespace", NAMESPACE, f"deployment/{name}", "--timeout=120s")


def uninstall(cluster: Cluster) -> None:
    """Remove both; the right to read pods goes with the namespace in which they are.

    Args:
        cluster: where.
    """
    cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


class Servers:
    """What Prometheus and Alertmanager answer.

    Args:
        cluster: where they are.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def prometheus(self, path: str, **parameters: str) -> Any:
        """`data` of an answer of Prometheus' HTTP API.

        Args:
            path: after `/api/v1/`.
            parameters: of the query.
        """
        answer = json.loads(self._text(PROMETHEUS, f"/api/v1/{path}", parameters))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Labels, sorted by name, → value of an instant query.

        Args:
            expression: in PromQL.
        """
        found = self.prometheus("query", query=expression)["result"]
        return {tuple(sorted(each["metric"].items())): float(each["value"][1]) for each in found}

    def alertmanager(self) -> list[dict[str, Any]]:
        """The alerts that Alertmanager holds as active."""
        return list(json.loads(self._text(ALERTMANAGER, "/api/v2/alerts", {"active": "true"})))

    def metrics(self, server: Program) -> dict[str, float]:
        """A server's metrics about itself: series as it writes them → value.

        Args:
            server: which.
        """
        lines = [line for line in self._text(server, "/metrics", {}).splitlines() if not line.startswith("#")]
        return {series: float(value) for series, _, value in (line.rpartition(" ") for line in lines)}

    def _text(self, server: Program, path: str, parameters: Mapping[str, str]) -> str:
        # the API server reaches Services in every cluster, also where the tests do not
        service = f"/api/v1/namespaces/{NAMESPACE}/services/{server.name}:{PORTS[server.name]}/proxy"
        return self._cluster.kubectl("get", "--raw", f"{service}{path}?{urlencode(parameters)}").stdout


def _is_going(cluster: Cluster) -> bool:
    found = cluster.kubectl("get", "namespace", NAMESPACE, "-o", "jsonpath={.status.phase}", check=False)
    return found.stdout == "Terminating"
