"""Runs the container runtime, containerd with runc, and manages its images and containers."""

import contextlib
import json
import subprocess
from pathlib import Path

from test_cluster.node import network
from test_cluster.node.archive import write_archive
from test_cluster.node.layout import Layout
from test_cluster.node.processes import start

_PAUSE = "localhost/pause:1"
_PAUSE_SOURCE = Path(__file__).with_name("pause.c")
#: Kubernetes uses this containerd namespace.
_NAMESPACE = "k8s.io"


def start_runtime(layout: Layout) -> None:
    """Start containerd and import the pause image, which each pod's first container uses."""
    plugins = layout.root / "cni" / "10-pods.conflist"
    plugins.write_text(json.dumps(network.cni_configuration()), encoding="utf-8")
    configuration = layout.root / "containerd.toml"
    configuration.write_text(_configuration(layout), encoding="utf-8")
    start(layout, "containerd", ["containerd", "--config", configuration], lambda: _answers(layout))
    if _PAUSE not in images(layout):
        program = layout.root / "pause"
        subprocess.run(["gcc", "-O2", "-static", "-o", program, _PAUSE_SOURCE], check=True)
        archive = layout.root / "pause.tar"
        write_archive(archive, _PAUSE, {"/pause": program}, entrypoint=["/pause"])
        load(layout, archive)


def load(layout: Layout, archive: Path) -> None:
    """Import the images from an archive.

    Args:
        layout: Files of the node.
        archive: Archive in the format of `docker save`.
    """
    _ctr(layout, "images", "import", str(archive))


def images(layout: Layout) -> set[str]:
    """Return the references of all images."""
    return set(_ctr(layout, "images", "list", "-q").split())


def end_containers(layout: Layout) -> None:
    """Kill and remove all containers. The kubelet must be stopped first."""
    for task in _ctr(layout, "tasks", "list", "-q").split():
        with contextlib.suppress(subprocess.CalledProcessError):
            _ctr(layout, "tasks", "delete", "--force", task)
    for container in _ctr(layout, "containers", "list", "-q").split():
        with contextlib.suppress(subprocess.CalledProcessError):
            _ctr(layout, "containers", "delete", container)


def _ctr(layout: Layout, *arguments: str) -> str:
    command = ["ctr", "--address", str(layout.containerd), "--namespace", _NAMESPACE, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _answers(layout: Layout) -> bool:
    with contextlib.suppress(subprocess.CalledProcessError):
        _ctr(layout, "version")
        return True
    return False


def _configuration(layout: Layout) -> str:
    return f"""\
version = 2
root = "{layout.root}/containerd/root"
state = "{layout.root}/containerd/state"
[grpc]
  address = "{layout.containerd}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{_PAUSE}"
  # Without CAP_SYS_RESOURCE, runc cannot lower the OOM score, and pods would not start.
  restrict_oom_score_adj = true
  # The network namespaces are removed with the node's folder.
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{layout.root}/cni"
"""
