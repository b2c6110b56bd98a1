"""KEDA in the cluster: its own manifests, its programs in images of ours, for there is no registry to pull from."""

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
#: Deployment → what runs in it.
_PROGRAMS = {"keda-operator": KEDA_OPERATOR, "keda-metrics-apiserver": KEDA_ADAPTER}


def is_there(cluster: Cluster) -> bool:
    """Whether the cluster has KEDA.

    Args:
        cluster: where.
    """
    return cluster.kubectl("get", "crd", "scaledobjects.keda.sh", check=False).returncode == 0


def install(cluster: Cluster) -> None:
    """Install KEDA and wait until it serves.

    Args:
        cluster: where.
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
    """Remove KEDA, whose resources must be gone before.

    Args:
        cluster: where.
    """
    cluster.kubectl("delete", "--ignore-not-found", "--wait", "-f", "-", stdin=json.dumps(_manifests()))


def source() -> Path:
    """Folder of KEDA's Go module, which has its manifests; fetched unless Go has it.

    Raises:
        FileNotFoundError: there is no Go.
        subprocess.CalledProcessError: it cannot be fetched.
    """
    compiler = go()
    if compiler is None:
        raise FileNotFoundError("KEDA's manifests are in its Go module: install Go")
    return module_source(KEDA, compiler)


def _manifests() -> dict[str, Any]:
    command = [program(KUBECTL), "kustomize", source() / "config" / "minimal"]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    items = list(yaml.safe_load_all(made))
    for item in items:
        if item["kind"] == "Deployment":
            name = item["metadata"]["name"]
            (container,) = item["spec"]["template"]["spec"]["containers"]
            container["image"], container["imagePullPolicy"] = _image(name), "Never"
            container["command"] = [f"/{_PROGRAMS[name].name}"]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _image(deployment: str) -> str:
    return f"localhost/{deployment}:{KEDA.version}"
