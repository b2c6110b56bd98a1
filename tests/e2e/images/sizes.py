"""How large the images are, and may be."""

from e2e.images.base import python_image
from e2e.images.engine import Engine

#: MB that an image may add to its base.
LIMITS = {"high-priority": 200, "medium-priority": 250, "low-priority": 60, "scheduler": 150, "simulator": 60}


def layers_over_base(engine: Engine, image: str) -> list[float]:
    """MB of each layer over the base, the first first.

    Args:
        engine: that holds the image.
        image: its reference.
    """
    below = len(_sizes(engine, python_image(engine)))
    return _sizes(engine, image)[below:]


def _sizes(engine: Engine, image: str) -> list[float]:
    """Entries of an image's history that are layers; those of settings hold nothing."""
    sizes = engine.run("history", "--human=false", "--format={{.Size}}", image).split()
    return [int(size) / 1e6 for size in reversed(sizes) if int(size)]
