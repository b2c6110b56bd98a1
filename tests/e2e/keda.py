"""Installs KEDA in the cluster: KEDA's own manifests, and its programs in images that this module builds.

The module builds the images because the cluster has no registry from which it could pull them.
"""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from e2e.cluster import Cluster
from test_cluster.binaries.builder import module_source
from test_cluster.binaries.finder import go, program
from test_cluster.binaries.programs import KEDA, KEDA_ADAPTER, KEDA_OPERATOR, KUBECTL
from test_cluster.node.archive import write_archive

NAMESPACE = "keda"
#: Name of each Deployment → the program that it runs.
_PROGRAMS = {"keda-operator": KEDA_OPERATOR, "keda-metrics-apiserver": KEDA_ADAPTER}


def is_installed(cluster: Cluster) -> bool:
    """Whether the cluster has KEDA.

    Args:
        cluster: The cluster.
    """
    return cluster.kubectl("get", "crd", "scaledobjects.keda.sh", check=False).returncode == 0


def install(cluster: Cluster) -> None:
    """Install KEDA and wait until it serves its API.

    Args:
        cluster: The cluster.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, binary in _PROGRAMS.items():
            path = f"/{binary.name}"
            archive = Path(folder) / f"{name}.tar"
            write_archive(archive, _image(name), {path: program(binary)}, entrypoint=[path])
            cluster.target.load(archive)
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(_manifests()))
    for name in _PROGRAMS:
        cluster.kubectl("rollout", "status", "--namespace", NAMESPACE, f"deployment/{name}", "--timeout=120s")
    ready = "--for=condition=Available"
    cluster.kubectl("wait", ready, "apiservice/v1beta1.external.metrics.k8s.io", "--timeout=120s")


def uninstall(cluster: Cluster) -> None:
    """Remove KEDA. All ScaledObjects must have been deleted before.

    Args:
        cluster: The cluster.
    """
    cluster.kubectl("delete", "--ignore-not-found", "--wait", "-f", "-", stdin=json.dumps(_manifests()))


def source() -> Path:
    """Return the folder of KEDA's Go module, which contains its manifests, and download it if necessary.

    Raises:
        FileNotFoundError: Go is missing.
        subprocess.CalledProcessError: The module cannot be downloaded.
    """
    compiler = go()
    if compiler is None:
        raise FileNotFoundError("KEDA's manifests are in its Go module; install Go to download it")
    return module_source(KEDA, compiler)


def _manifests() -> dict[str, Any]:
    command = [program(KUBECTL), "kustomize", source() / "config" / "minimal"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    items = list(yaml.safe_load_all(output))
    for item in items:
        if item["kind"] == "Deployment":
            name = item["metadata"]["name"]
            (container,) = item["spec"]["template"]["spec"]["containers"]
            container["image"], container["imagePullPolicy"] = _image(name), "Never"
            container["command"] = [f"/{_PROGRAMS[name].name}"]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _image(deployment: str) -> str:
    return f"localhost/{deployment}:{KEDA.version}"
