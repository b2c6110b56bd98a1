"""Measures the sizes of the images and defines their limits."""

from test_cluster.images.base import python_image
from test_cluster.images.engine import Engine

#: The maximum size in MB that an image may add to its base.
LIMITS = {
    "high-priority": 200,
    "medium-priority": 250,
    "low-priority": 60,
    "scheduler": 150,
    "simulator": 60,
    "web": 60,
}


def layers_over_base(engine: Engine, image: str) -> list[float]:
    """Return the size in MB of each layer above the base, in order.

    Args:
        engine: The engine that has the image.
        image: The reference of the image.
    """
    below = len(_sizes(engine, python_image(engine)))
    return _sizes(engine, image)[below:]


def _sizes(engine: Engine, image: str) -> list[float]:
    """Return the sizes of an image's layers in MB. History entries without content are left out."""
    sizes = engine.run("history", "--human=false", "--format={{.Size}}", image).split()
    return [int(size) / 1e6 for size in reversed(sizes) if int(size)]
