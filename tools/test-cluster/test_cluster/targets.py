"""Which cluster the end-to-end tests use: a given one, kind where it can be had, otherwise a node of our own."""

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
_KIND_NAME = "financehub"
_KIND_CONFIGURATION = Path(__file__).with_name("kind.yaml")


class Target(Protocol):
    """A cluster and what tests need of it beyond its API."""

    @property
    def kubeconfig(self) -> Path:
        """Of the administrator."""

    @property
    def programs(self) -> str:
        """Group of `test_cluster.binaries` that it and its tests need."""

    def up(self) -> None:
        """Start it, or what of it does not run."""

    def down(self) -> None:
        """Remove all that `up` has made."""

    def load(self, archive: Path) -> None:
        """Give it images, as `docker save` writes them."""

    def inside(self, command: Sequence[str | Path]) -> list[str]:
        """The command as it reaches pods and Services."""

    def restart_api_server(self) -> None:
        """Stop the API server and start it again."""


class OwnNode:
    """The node of `test_cluster.node`."""

    programs = "node"

    def __init__(self) -> None:
        self._layout = Layout()

    @property
    def kubeconfig(self) -> Path:
        """Of the administrator."""
        return self._layout.kubeconfig

    def up(self) -> None:
        """Start it, or what of it does not run."""
        up(self._layout)

    def down(self) -> None:
        """Leave nothing of it."""
        down(self._layout)

    def load(self, archive: Path) -> None:
        """Import images."""
        load(self._layout, archive)

    def inside(self, command: Sequence[str | Path]) -> list[str]:
        """Its network is a namespace."""
        return network.inside(command)

    def restart_api_server(self) -> None:
        """Stop the process and start it again."""
        stop(self._layout, "api-server")
        start_api_server(self._layout)


class Kind:
    """A cluster in containers, for a machine with kind and a Docker engine that can pull its image."""

    programs = "tools"
    kubeconfig = _DATA / "kind.kubeconfig"

    def up(self) -> None:
        """Create it unless it is there."""
        _DATA.mkdir(exist_ok=True)
        if _KIND_NAME in _kind("get", "clusters").split():
            _kind("export", "kubeconfig", "--name", _KIND_NAME, "--kubeconfig", str(self.kubeconfig))
            return
        loaded(self).unlink(missing_ok=True)
        configuration = ("--config", str(_KIND_CONFIGURATION), "--kubeconfig", str(self.kubeconfig))
        _kind("create", "cluster", "--name", _KIND_NAME, *configuration, "--wait", "120s")

    def down(self) -> None:
        """Delete it."""
        _kind("delete", "cluster", "--name", _KIND_NAME)
        for file in (self.kubeconfig, loaded(self)):
            file.unlink(missing_ok=True)

    def load(self, archive: Path) -> None:
        """Import images."""
        _kind("load", "image-archive", str(archive), "--name", _KIND_NAME)

    def inside(self, command: Sequence[str | Path]) -> list[str]:
        """Only inside the container that is its node are pods reached: kubectl does it from outside."""
        return [*map(str, command)]

    def restart_api_server(self) -> None:
        """End its process, which the kubelet starts again, and wait for it."""
        node = ["docker", "exec", f"{_KIND_NAME}-control-plane"]
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


class Given:
    """A cluster that somebody else keeps; the images are where it can pull them.

    Args:
        kubeconfig: of its administrator.
    """

    programs = "tools"

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    def up(self) -> None:
        """It is not ours to start."""

    def down(self) -> None:
        """It is not ours to end."""

    def load(self, archive: Path) -> None:
        """It pulls what it needs."""

    def inside(self, command: Sequence[str | Path]) -> list[str]:
        """As it is."""
        return [*map(str, command)]

    def restart_api_server(self) -> None:
        """Others may be using it.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("the API server of E2E_KUBECONFIG is not ours to restart")


def choose(environment: Mapping[str, str] = os.environ) -> Target:
    """The cluster that is used here.

    Args:
        environment: of the process; `E2E_KUBECONFIG` names a cluster, `E2E_TARGET` a class, for whoever has chosen.
    """
    if given := environment.get("E2E_KUBECONFIG"):
        return Given(Path(given))
    for chosen in (OwnNode, Kind):
        if environment.get("E2E_TARGET") == chosen.__name__:
            return chosen()
    if shutil.which("kind") and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0:
        return Kind()
    return OwnNode()


def made() -> list[Target]:
    """The clusters that were started here, whichever is chosen now."""
    return [
        *([OwnNode()] if Layout().root.exists() else []),
        *([Kind()] if Kind.kubeconfig.exists() else []),
    ]


def loaded(target: Target) -> Path:
    """Where it is written which images a cluster has.

    Args:
        target: which.
    """
    return target.kubeconfig.with_suffix(".images")


def _kind(*arguments: str) -> str:
    return subprocess.run(["kind", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
