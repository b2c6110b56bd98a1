"""Generates the CRDs of the Prometheus operator from its Go types, and installs them.

With these CRDs, the API server validates a PodMonitor and a PrometheusRule as in a cluster with the operator.
"""

import json
import os
import subprocess
from typing import Any

import yaml

from e2e.cluster import Cluster
from test_cluster.binaries.finder import go, program
from test_cluster.binaries.programs import CONTROLLER_GEN, CONTROLLER_GEN_PROJECT

_TYPES = "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
#: The kinds of that package that the chart renders.
_NAMES = ("podmonitors.monitoring.coreos.com", "prometheusrules.monitoring.coreos.com")


def generate() -> list[dict[str, Any]]:
    """Return the CustomResourceDefinitions of PodMonitor and PrometheusRule.

    The first call downloads the modules that the types need. Later calls work without a network.

    Raises:
        FileNotFoundError: Go or controller-gen is missing.
        subprocess.CalledProcessError: controller-gen failed. Its output contains the cause.
    """
    compiler = go()
    if compiler is None:
        raise FileNotFoundError("the CRDs of PodMonitor and PrometheusRule are generated from Go code; install Go")
    done = subprocess.run(
        [program(CONTROLLER_GEN), "crd:crdVersions=v1", f"paths={_TYPES}", "output:crd:stdout"],
        cwd=CONTROLLER_GEN_PROJECT.folder,
        # controller-gen calls `go`, which is not on every PATH.
        env={**os.environ, "PATH": f"{compiler.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    generated = {crd["metadata"]["name"]: crd for crd in yaml.safe_load_all(done.stdout) if crd}
    return [generated[name] for name in _NAMES]


def install(cluster: Cluster) -> None:
    """Install the CRDs and wait until the API server serves their resources.

    Args:
        cluster: The cluster.
    """
    manifest = {"apiVersion": "v1", "kind": "List", "items": generate()}
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(manifest))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", *(f"crd/{name}" for name in _NAMES))


def uninstall(cluster: Cluster) -> None:
    """Remove the CRDs and every PodMonitor and PrometheusRule.

    Args:
        cluster: The cluster.
    """
    cluster.kubectl("delete", "--ignore-not-found", *(f"crd/{name}" for name in _NAMES))
