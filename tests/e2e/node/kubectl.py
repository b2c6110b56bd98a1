"""Asking the node from outside of it."""

import subprocess

from e2e.node.layout import Layout
from e2e.node.network import inside
from support.binaries.catalogue import KUBECTL
from support.binaries.finder import program


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
