"""Tests that a release can be installed by digests, so that a registry cannot replace an image."""

from typing import Any

import pytest

from support.chart import render

_DIGEST = f"sha256:{'0' * 64}"
_IMAGE = {"image": {"digest": _DIGEST}}
#: A digest for each component that has an image. Hooks and tests use the image of the scheduler.
VALUES: dict[str, Any] = {
    "tiers": {"high": _IMAGE, "medium": _IMAGE, "low": _IMAGE},
    "scheduler": _IMAGE,
    "web": _IMAGE,
    "redis": _IMAGE,
    "simulator": {"enabled": True, **_IMAGE},
}


@pytest.mark.parametrize("server", ["redis", "valkey"])
def test_every_container_can_be_pinned_by_digest(server: str) -> None:
    """With a digest for each component, the image of every container has it, also in hooks and tests."""
    values = {**VALUES, "redis": {**_IMAGE, "server": server}}
    images = {container["image"] for _, container in render(values).containers()}
    assert images
    assert [image for image in sorted(images) if not image.endswith(f"@{_DIGEST}")] == []


@pytest.mark.parametrize("component", ["scheduler", "web"])
def test_digest_takes_precedence_over_every_tag(component: str) -> None:
    """A digest is used although the component and image.tag have a tag."""
    values = {"image": {"tag": "1.2.3"}, component: {"image": {"tag": "9.9.9", "digest": _DIGEST}}}
    (container,) = render(values).deployment(component)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"financehub/{component}@{_DIGEST}"
