"""Measures the MB that each image adds to its base. It requires a Docker engine, or root to start one."""

import sys

from bench.rows import Row
from test_cluster.images.build import IMAGES, build_all
from test_cluster.images.engine import Engine, EngineError, engine
from test_cluster.images.sizes import LIMITS, layers_over_base

_TAG = "bench"


def run() -> list[Row]:
    """Build the images from this checkout, and measure the dependencies and code of each."""
    try:
        with engine() as docker:
            build_all(docker, _TAG)
            return _measure(docker)
    except EngineError as error:
        sys.stderr.write(f"bench: images skipped: {error}\n")
        return []


def _measure(docker: Engine) -> list[Row]:
    rows = []
    for image in IMAGES:
        dependencies, code = layers_over_base(docker, f"financehub/{image}:{_TAG}")
        size, limit = dependencies + code, LIMITS[image]
        rows.append(Row(f"images.{image}.size", size, "MB", goal=f"< {limit} MB over the base", ok=size < limit))
        rows.append(Row(f"images.{image}.code", code, "MB"))
    return rows
