"""Lists the images that the chart can install, for mirrors and for the SBOMs."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import helm_python
import yaml

_OWN = "financehub/"


def variants(chart: helm_python.Chart) -> list[dict[str, Any]]:
    """Return values that together render every image: with the simulator, and with each server of Redis.

    Args:
        chart: The chart, whose schema lists the servers.
    """
    redis = (chart.schema or {}).get("properties", {}).get("redis", {}).get("properties", {})
    servers = redis.get("server", {}).get("enum", [])
    return [{"simulator": {"enabled": True}}, *({"redis": {"server": server}} for server in servers)]


def read_images(chart: Path) -> dict[str, str]:
    """Return the reference of each image by the last part of its repository, from the rendered chart.

    Args:
        chart: The folder or the archive of the chart.
    """
    found: dict[str, str] = {}
    with helm_python.Chart.load(chart) as loaded:
        for values in variants(loaded):
            for text in loaded.render(values, name="financehub", namespace="default").values():
                for document in yaml.safe_load_all(text) if "kind:" in text else ():
                    for reference in _references(document):
                        found[_name(reference)] = reference
    return dict(sorted(found.items()))


def own(images: Mapping[str, str]) -> dict[str, str]:
    """Return FinanceHub's own images.

    Args:
        images: All images by name.
    """
    return {name: reference for name, reference in images.items() if reference.startswith(_OWN)}


def text(images: Iterable[str], digests: Mapping[str, str]) -> str:
    """Return the content of images.txt: one reference per line, with its digest if it is known.

    Args:
        images: The references.
        digests: The digest of each reference that a registry has.
    """
    lines = sorted(f"{image}@{digests[image]}" if image in digests else image for image in images)
    return "".join(f"{line}\n" for line in lines)


def _references(document: Any) -> Iterator[str]:
    """Yield the image of each container in a manifest."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key in {"containers", "initContainers"} and isinstance(value, list):
                yield from (each["image"] for each in value if isinstance(each, dict) and "image" in each)
            else:
                yield from _references(value)
    elif isinstance(document, list):
        for each in document:
            yield from _references(each)


def _name(reference: str) -> str:
    return reference.partition("@")[0].rpartition("/")[2].partition(":")[0]
