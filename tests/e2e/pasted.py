"""Runs documented commands outside the network of the cluster, as people do, in another namespace and on free ports.

A developer may have a release in the namespace of the documents, and `make run` listens on their port.
"""

import os
import re
import subprocess
import sys

#: The namespace in which the documents have their release.
_DOCUMENTED = "market"
_FREE_PORT = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1])
"""


def outside() -> list[str]:
    """Return the beginning of a command line that runs a command outside the network of the cluster."""
    network = os.environ.get("E2E_OUTSIDE")
    return ["nsenter", f"--net={network}", "--"] if network else []


def free_port() -> int:
    """Return a port on which no process outside the cluster listens."""
    command = [*outside(), sys.executable, "-c", _FREE_PORT]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def elsewhere(commands: str, namespace: str) -> str:
    """Return documented commands with another namespace, and with free ports where they listen on this machine.

    Args:
        commands: The commands, in any number of lines.
        namespace: The namespace to use.
    """
    commands = re.sub(rf"(-n |{{){_DOCUMENTED}\b", rf"\g<1>{namespace}", commands)
    assert not re.search(rf"\b{_DOCUMENTED}\b(?!\.)", commands), commands
    for port in {*re.findall(r"port-forward .*? (\d+):\d+\b", commands)}:
        commands = re.sub(rf"(localhost:| ){port}\b", rf"\g<1>{free_port()}", commands)
    return commands
