"""Builds all images that a cluster needs to run FinanceHub, from this checkout."""

import subprocess
from pathlib import Path

from test_cluster.images import daemon
from test_cluster.images.base import OWN_PYTHON, python_image, redis_image
from test_cluster.images.engine import Engine, EngineError

_ROOT = Path(__file__).parents[4]
IMAGES = ("high-priority", "medium-priority", "low-priority", "scheduler", "simulator", "web")


def build_all(engine: Engine, tag: str) -> list[str]:
    """Build the images with `make images`, get the Redis image, and return the references of all images.

    Args:
        engine: The engine that builds and keeps the images.
        tag: The tag of FinanceHub's images.

    Raises:
        EngineError: A build failed. Its output contains the reason.
    """
    return [*build_own(engine, tag), redis_image(engine)]


def build_own(engine: Engine, tag: str, source: Path = _ROOT) -> list[str]:
    """Build FinanceHub's own images with `make images`, and return their references.

    Args:
        engine: The engine that builds and keeps the images.
        tag: The tag of the images.
        source: The root of the checkout that is built.

    Raises:
        EngineError: A build failed. Its output contains the reason.
    """
    base = python_image(engine)
    # A base image that was built here can reach package registries only in the same way as this machine, and the tests'
    # engine has no network for containers.
    arguments = "--network host" if base == OWN_PYTHON or engine.host == daemon.HOST else ""
    command = ["make", "images", f"TAG={tag}", f"BASE_IMAGE={base}", f"ARGS={arguments}"]
    if subprocess.run(command, cwd=source, env=engine.environment, check=False).returncode != 0:
        raise EngineError("make images failed; see above")
    return [f"financehub/{image}:{tag}" for image in IMAGES]
