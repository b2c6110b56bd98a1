"""Finds a Prometheus for one machine: a program on PATH, or else a Docker container."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitoring.config import RULES, configuration

#: The long-term release of Prometheus 3; compose.yaml has the same.
IMAGE = "prom/prometheus:v3.5.0"
#: This machine, seen from a container.
CONTAINER_HOST = "host.docker.internal"
MISSING = (
    "there is no prometheus on PATH, and no Docker engine answers; install Prometheus (apt install prometheus, "
    "brew install prometheus) or start Docker"
)


class MissingPrometheusError(Exception):
    """This machine has neither Prometheus nor Docker; the message says what to install."""


@dataclass(frozen=True)
class Launch:
    """How Prometheus is started.

    Args:
        command: runs it until it is told to stop by SIGTERM.
        configuration: what it reads; addresses are as Prometheus sees this machine.
    """

    command: list[str]
    configuration: dict[str, Any]


def _flags(config: str, data: str, listen: str) -> list[str]:
    return [f"--config.file={config}", f"--storage.tsdb.path={data}", f"--web.listen-address={listen}"]


def from_path(program: str, folder: Path, port: int, http_port: int) -> Launch:
    """Start a program on this machine.

    Args:
        program: path of Prometheus, 2 or 3.
        folder: holds the configuration and the data.
        port: where it listens, on loopback.
        http_port: the first of the ports of `make run`.
    """
    flags = _flags(str(folder / "prometheus.yaml"), str(folder / "data"), f"127.0.0.1:{port}")
    return Launch([program, *flags], configuration(http_port, "localhost", str(RULES)))


def from_docker(docker: str, folder: Path, port: int, http_port: int) -> Launch:
    """Start a container that sees the rules, the folder and the processes of this machine.

    Args:
        docker: path of the client.
        folder: holds the configuration and the data.
        port: where it listens, on loopback.
        http_port: the first of the ports of `make run`.
    """
    command = [
        *(docker, "run", "--rm", "--name", f"financehub-prometheus-{port}"),
        # so that the user who starts it owns the data and can remove it
        *("--user", f"{os.getuid()}:{os.getgid()}"),
        *("--add-host", f"{CONTAINER_HOST}:host-gateway"),
        *("--publish", f"127.0.0.1:{port}:9090"),
        *("--volume", f"{folder}:/financehub", "--volume", f"{RULES}:/rules:ro"),
        IMAGE,
        *_flags("/financehub/prometheus.yaml", "/financehub/data", ":9090"),
    ]
    return Launch(command, configuration(http_port, CONTAINER_HOST, "/rules"))


def _answers(docker: str) -> bool:
    return subprocess.run([docker, "version"], capture_output=True, check=False, timeout=20).returncode == 0


def find(folder: Path, port: int, http_port: int) -> Launch:
    """The first of the two that this machine has.

    Args:
        folder: holds the configuration and the data.
        port: where it listens, on loopback.
        http_port: the first of the ports of `make run`.

    Raises:
        MissingPrometheusError: it has neither.
    """
    if program := shutil.which("prometheus"):
        return from_path(program, folder, port, http_port)
    docker = shutil.which("docker")
    if docker and _answers(docker):
        return from_docker(docker, folder, port, http_port)
    raise MissingPrometheusError(MISSING)
