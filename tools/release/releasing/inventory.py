"""Reads what is in an image by running a program in it, without network and without write access."""

import json
import subprocess
from pathlib import Path
from typing import Any

from releasing.errors import ReleaseError
from test_cluster.images.engine import Engine

_PROGRAM = Path(__file__).with_name("inside.py")


def read_inventory(docker: Engine, image: str) -> dict[str, Any]:
    """Return what `inside.py` prints in an image.

    Args:
        docker: The engine that has the image.
        image: The reference of the image.

    Raises:
        ReleaseError: The program failed.
    """
    command = ["docker", "run", "--rm", "--interactive", "--network=none", "--read-only", image, "python", "-"]
    done = subprocess.run(
        command, input=_PROGRAM.read_bytes(), env=docker.environment, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise ReleaseError(f"{image} cannot be read: {done.stderr.decode().strip()}; build it with `make images`")
    return dict(json.loads(done.stdout))


def read_digest(docker: Engine, image: str) -> str:
    """Return the digest of an image in a registry, or "" if it was neither pulled nor pushed.

    Args:
        docker: The engine that has the image.
        image: The reference of the image.
    """
    if not docker.has(image):
        return ""
    digests: list[str] = json.loads(docker.run("image", "inspect", "--format", "{{json .RepoDigests}}", image)) or []
    repository = image.rpartition(":")[0]
    return next((each.rpartition("@")[2] for each in digests if each.rpartition("@")[0] == repository), "")
