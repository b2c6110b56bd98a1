"""Builds the images of this checkout and loads them into the cluster."""

import json
import tempfile
from pathlib import Path

import yaml

from e2e.cluster import CHART
from test_cluster.images.base import valkey_image
from test_cluster.images.build import IMAGES, build_all
from test_cluster.images.engine import Engine
from test_cluster.targets import Target, record_of_loaded_images

#: The tag that the tests install, and the tag to which they upgrade. Both contain the same code.
TAG, NEXT_TAG = "e2e", "e2e-next"
_RESEARCH = Path(__file__).with_name("research")


def build(source: Engine) -> list[str]:
    """Build all images that the tests use, and return their references. The last ones are those of Valkey and Redis.

    Args:
        source: The engine that builds and keeps the images.

    Raises:
        EngineError: A build failed.
    """
    *own, redis = build_all(source, TAG)
    research = f"financehub/research:{TAG}"
    base = f"BASE_IMAGE=financehub/low-priority:{TAG}"
    source.run("build", "--build-arg", base, "--tag", research, _RESEARCH)
    # The chart installs the tag of its own version by default.
    other_tags = [f"financehub/{image}:{tag}" for tag in (NEXT_TAG, _version()) for image in IMAGES]
    for reference in other_tags:
        source.run("tag", f"{reference.rpartition(':')[0]}:{TAG}", reference)
    return [*own, *other_tags, research, valkey_image(source), redis]


def load(target: Target, source: Engine, images: list[str]) -> None:
    """Load the images into the cluster unless it has them already.

    Args:
        target: The cluster.
        source: The engine that has the images.
        images: Their references.
    """
    ids = source.run("image", "inspect", "--format", "{{.Id}}", *images)
    record = record_of_loaded_images(target)
    if record.exists() and record.read_text(encoding="utf-8") == json.dumps([images, ids]):
        return
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "images.tar"
        source.save(images, archive)
        target.load(archive)
    record.write_text(json.dumps([images, ids]), encoding="utf-8")


def redis_values(reference: str) -> dict[str, object]:
    """Return the values of the chart that select the image of Redis or Valkey in the cluster.

    Args:
        reference: The reference of the image.
    """
    name, _, tag = reference.rpartition(":")
    registry, _, repository = name.rpartition("/")
    return {"redis": {"image": {"registry": registry, "repository": repository, "tag": tag}}}


def _version() -> str:
    return str(yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["appVersion"])
