"""All images that a cluster needs to run FinanceHub, from this checkout."""

import subprocess
from pathlib import Path

from e2e.images import daemon
from e2e.images.base import OWN_PYTHON, python_image, redis_image
from e2e.images.engine import Engine, EngineError

_ROOT = Path(__file__).parents[3]
IMAGES = ("high-priority", "medium-priority", "low-priority", "scheduler", "simulator")


def build_all(engine: Engine, tag: str) -> list[str]:
    """Build the images by `make images`, see to that of Redis, and return the references of all.

    Args:
        engine: that builds and holds them.
        tag: of ours.

    Raises:
        EngineError: a build failed; it has said why.
    """
    base = python_image(engine)
    # a base of our own reaches package registries as this machine does, and an engine of our own gives no network
    arguments = "--network host" if base == OWN_PYTHON or engine.host == daemon.HOST else ""
    command = ["make", "images", f"TAG={tag}", f"BASE_IMAGE={base}", f"ARGS={arguments}"]
    if subprocess.run(command, cwd=_ROOT, env=engine.environment, check=False).returncode != 0:
        raise EngineError("make images failed; see above")
    return [*(f"financehub/{image}:{tag}" for image in IMAGES), redis_image(engine)]
