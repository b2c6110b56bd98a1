"""Finds a Prometheus on this machine: a program on PATH, or a Docker container if there is none."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitoring.config import RULES, configuration

#: Long-term release of Prometheus 3. compose.yaml uses the same image.
IMAGE = "prom/prometheus:v3.5.0"
#: Host name of this machine in a container.
CONTAINER_HOST = "host.docker.internal"
MISSING = (
    "there is no prometheus on PATH, and no Docker engine answers; install Prometheus (apt install prometheus, "
    "brew install prometheus) or start Docker"
)


class MissingPrometheusError(Exception):
    """This machine has neither Prometheus nor Docker. The message says what to install."""


@dataclass(frozen=True)
class Launch:
    """The command and the configuration of a Prometheus.

    Args:
        command: Command that runs Prometheus until SIGTERM.
        configuration: Configuration with addresses as Prometheus sees this machine.
    """

    command: list[str]
    configuration: dict[str, Any]


def _flags(config: str, data: str, listen: str) -> list[str]:
    return [f"--config.file={config}", f"--storage.tsdb.path={data}", f"--web.listen-address={listen}"]


def from_path(program: str, folder: Path, port: int, http_port: int) -> Launch:
    """Return the launch of a program on this machine.

    Args:
        program: Path of Prometheus 2 or 3.
        folder: Folder of the configuration and the data.
        port: Port of Prometheus on loopback.
        http_port: First port of `make run`.
    """
    flags = _flags(str(folder / "prometheus.yaml"), str(folder / "data"), f"127.0.0.1:{port}")
    return Launch([program, *flags], configuration(http_port, "localhost", str(RULES)))


def from_docker(
    docker: str, folder: Path, port: int, http_port: int, *, shares_network: bool = sys.platform == "linux"
) -> Launch:
    """Return the launch of a container that can access the rules, the folder and the processes of this machine.

    Args:
        docker: Path of the Docker client.
        folder: Folder of the configuration and the data.
        port: Port of Prometheus on loopback.
        http_port: First port of `make run`.
        shares_network: Whether the container uses the network of this machine, because its processes listen on
            loopback only. Docker Desktop, on other systems, forwards the name `CONTAINER_HOST` to loopback instead.
    """
    if shares_network:
        host, listen, network = "localhost", f"127.0.0.1:{port}", ["--network", "host"]
    else:
        host, listen = CONTAINER_HOST, ":9090"
        network = ["--add-host", f"{CONTAINER_HOST}:host-gateway", "--publish", f"127.0.0.1:{port}:9090"]
    command = [
        *(docker, "run", "--rm", "--name", f"financehub-prometheus-{port}"),
        # the user who starts the container owns the data and can remove it
        *("--user", f"{os.getuid()}:{os.getgid()}"),
        *network,
        *("--volume", f"{folder}:/financehub", "--volume", f"{RULES}:/rules:ro"),
        IMAGE,
        *_flags("/financehub/prometheus.yaml", "/financehub/data", listen),
    ]
    return Launch(command, configuration(http_port, host, "/rules"))


def _engine_answers(docker: str) -> bool:
    return subprocess.run([docker, "version"], capture_output=True, check=False, timeout=20).returncode == 0


def find(folder: Path, port: int, http_port: int) -> Launch:
    """Return the launch of a program on PATH, or of a container if there is no program.

    Args:
        folder: Folder of the configuration and the data.
        port: Port of Prometheus on loopback.
        http_port: First port of `make run`.

    Raises:
        MissingPrometheusError: This machine has neither a program nor a Docker engine that answers.
    """
    if program := shutil.which("prometheus"):
        return from_path(program, folder, port, http_port)
    docker = shutil.which("docker")
    if docker and _engine_answers(docker):
        return from_docker(docker, folder, port, http_port)
    raise MissingPrometheusError(MISSING)
