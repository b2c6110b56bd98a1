"""Chooses the cluster for the end-to-end tests: an external one, kind if available, or this package's node."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from test_cluster.node import network
from test_cluster.node.kubernetes import start_api_server
from test_cluster.node.layout import Layout
from test_cluster.node.node import down, up
from test_cluster.node.processes import stop
from test_cluster.node.runtime import load

_DATA = Path(__file__).parents[3] / ".data"
_KIND_CLUSTER = "financehub"
_KIND_CONFIGURATION = Path(__file__).with_name("kind.yaml")


class Target(Protocol):
    """A cluster, with operations that the Kubernetes API does not offer."""

    @property
    def name(self) -> str:
        """The value of E2E_TARGET that selects this target. Empty for an external cluster."""

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig of the administrator."""

    @property
    def outside_kubeconfig(self) -> Path:
        """Kubeconfig of the administrator for programs on this machine that `inside` does not run."""

    @property
    def programs(self) -> str:
        """The group of `test_cluster.binaries` that the cluster and its tests need."""

    def up(self) -> None:
        """Start the cluster, or those of its servers that are not running."""

    def down(self) -> None:
        """Remove everything that `up` has created."""

    def load(self, archive: Path) -> None:
        """Load the images from an archive that `docker save` wrote."""

    def inside(self, command: Sequence[str | Path]) -> list[str]:
        """Return the command line that runs a command with access to pods and Services."""

    def restart_api_server(self) -> None:
        """Stop the API server and start it again."""


class NodeTarget:
    """The node of `test_cluster.node`."""

    name = "node"
    programs = "node"

    def __init__(self) -> None:
        self._layout = Layout()

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig of the administrator."""
        return self._layout.kubeconfig

    @property
    def outside_kubeconfig(self) -> Path:
        """Kubeconfig of the administrator for programs outside the node's network."""
        return self._layout.outside_kubeconfig

    def up(self) -> None:
        """Start the node, or those of its servers that are not running."""
        up(self._layout)

    def down(self) -> None:
        """Stop the node and remove all of its files."""
        down(self._layout)

    def load(self, archive: Path) -> None:
        """Import the images from an archive."""
        load(self._layout, archive)

    def inside(self, command: Sequence[str | Path]) -> list[str]:
        """Return the command line that runs a command in the node's network namespace."""
        return network.inside(command)

    def restart_api_server(self) -> None:
        """Stop the API server's process and start it again."""
        stop(self._layout, "api-server")
        start_api_server(self._layout)


class KindTarget:
    """A cluster in containers, for a machine that has kind and a Docker engine that can pull kind's image."""

    name = "kind"
    programs = "tools"
    kubeconfig = outside_kubeconfig = _DATA / "kind.kubeconfig"

    def up(self) -> None:
        """Create the cluster unless it exists."""
        _DATA.mkdir(exist_ok=True)
        if _KIND_CLUSTER in _kind("get", "clusters").split():
            _kind("export", "kubeconfig", "--name", _KIND_CLUSTER, "--kubeconfig", str(self.kubeconfig))
            return
        record_of_loaded_images(self).unlink(missing_ok=True)
        configuration = ("--config", str(_KIND_CONFIGURATION), "--kubeconfig", str(self.kubeconfig))
        _kind("create", "cluster", "--name", _KIND_CLUSTER, *configuration, "--wait", "120s")

    def down(self) -> None:
        """Delete the cluster."""
        _kind("delete", "cluster", "--name", _KIND_CLUSTER)
        for file in (self.kubeconfig, record_of_loaded_images(self)):
            file.unlink(missing_ok=True)

    def load(self, archive: Path) -> None:
        """Import the images from an archive."""
        _kind("load", "image-archive", str(archive), "--name", _KIND_CLUSTER)

    def inside(self, command: Sequence[str | Path]) -> list[str]:
        """Return the command line unchanged. Kubectl works from outside, and tests reach pods only through it."""
        return [*map(str, command)]

    def restart_api_server(self) -> None:
        """Kill the API server's process, which the kubelet starts again, and wait until it is ready."""
        node = ["docker", "exec", f"{_KIND_CLUSTER}-control-plane"]
        subprocess.run([*node, "pkill", "--signal", "KILL", "kube-apiserver"], check=True)
        ready = [
            "curl",
            "--silent",
            "--insecure",
            "--fail",
            "--retry",
            "60",
            "--retry-delay",
            "1",
            "--retry-all-errors",
        ]
        subprocess.run([*node, *ready, "https://localhost:6443/readyz"], check=True, stdout=subprocess.DEVNULL)


class ExternalTarget:
    """A cluster that the tests neither start nor stop. It pulls the images from a registry.

    Args:
        kubeconfig: Kubeconfig of its administrator.
    """

    name = ""
    programs = "tools"

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = self.outside_kubeconfig = kubeconfig

    def up(self) -> None:
        """Do nothing, because the user starts it."""

    def down(self) -> None:
        """Do nothing, because the user stops it."""

    def load(self, archive: Path) -> None:
        """Do nothing, because the cluster pulls its images."""

    def inside(self, command: Sequence[str | Path]) -> list[str]:
        """Return the command line unchanged."""
        return [*map(str, command)]

    def restart_api_server(self) -> None:
        """Refuse to restart an API server that others may use.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("the tests must not restart the API server of E2E_KUBECONFIG")


def choose_target(environment: Mapping[str, str] = os.environ) -> Target:
    """Return the cluster that the tests use on this machine.

    Args:
        environment: Environment of the process. `E2E_KUBECONFIG` names an external cluster. `E2E_TARGET` is the `name`
            of a target that the calling process has already chosen.
    """
    if kubeconfig := environment.get("E2E_KUBECONFIG"):
        return ExternalTarget(Path(kubeconfig))
    for target in (NodeTarget, KindTarget):
        if environment.get("E2E_TARGET") == target.name:
            return target()
    if shutil.which("kind") and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0:
        return KindTarget()
    return NodeTarget()


def existing_targets() -> list[Target]:
    """Return the clusters that were started on this machine, regardless of which one would be chosen now."""
    return [
        *([NodeTarget()] if Layout().root.exists() else []),
        *([KindTarget()] if KindTarget.kubeconfig.exists() else []),
    ]


def record_of_loaded_images(target: Target) -> Path:
    """Return the path of the file that lists the images in a cluster.

    Args:
        target: The cluster.
    """
    return target.kubeconfig.with_suffix(".images")


def _kind(*arguments: str) -> str:
    return subprocess.run(["kind", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
