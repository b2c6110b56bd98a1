"""Asking the node from outside of it."""

import subprocess

from test_cluster.binaries.finder import program
from test_cluster.binaries.programs import KUBECTL
from test_cluster.node.layout import Layout
from test_cluster.node.network import inside


def kubectl(layout: Layout, *arguments: str, stdin: str | None = None) -> str | None:
    """What kubectl prints; None when it fails.

    Args:
        layout: of the node.
        arguments: of kubectl.
        stdin: what it reads from `-f -`.
    """
    command = inside([program(KUBECTL), "--kubeconfig", layout.kubeconfig, "--request-timeout", "20s", *arguments])
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def answers(url: str) -> bool:
    """Whether a server inside the node's network answers with success.

    Args:
        url: http, or https whose certificate is its own.
    """
    command = ["curl", "--silent", "--fail", "--insecure", "--max-time", "2", "--output", "/dev/null", url]
    return subprocess.run(inside(command), check=False).returncode == 0
