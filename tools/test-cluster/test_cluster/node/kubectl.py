"""Queries the cluster and its servers."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from test_cluster.binaries.finder import program
from test_cluster.binaries.programs import KUBECTL
from test_cluster.node.layout import Layout
from test_cluster.node.network import inside


def kubectl(
    layout: Layout,
    *arguments: str,
    stdin: str | None = None,
    kubeconfig: Path | None = None,
    within: Callable[[Sequence[str | Path]], list[str | Path] | list[str]] = inside,
) -> str | None:
    """Run kubectl as the administrator and return its output, or None if it fails.

    Args:
        layout: Files of the node.
        arguments: Arguments of kubectl.
        stdin: Standard input, for `-f -`.
        kubeconfig: The administrator's kubeconfig for that network, which is the node's by default.
        within: Returns the command line that runs a command in the network, which is the node's by default.
    """
    options = ["--kubeconfig", kubeconfig or layout.kubeconfig, "--request-timeout", "20s"]
    command = within([program(KUBECTL), *options, *arguments])
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def answers(url: str) -> bool:
    """Whether a server in the node's network responds successfully.

    Args:
        url: HTTP URL, or HTTPS URL with any certificate.
    """
    command = ["curl", "--silent", "--fail", "--insecure", "--max-time", "2", "--output", "/dev/null", url]
    return subprocess.run(inside(command), check=False).returncode == 0
