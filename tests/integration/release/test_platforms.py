"""Tests that the images can be built for each processor that the documentation names."""

import pytest

from releasing.errors import ReleaseError
from releasing.licenses import read_pins
from releasing.platforms import PURE_SOURCES, missing_wheels
from releasing.version import ROOT
from test_cluster.images.build import IMAGES


@pytest.mark.release
@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
@pytest.mark.parametrize("service", [*IMAGES, "build"])
def test_every_distribution_of_an_image_can_be_installed_on_the_platform(service: str, architecture: str) -> None:
    """The package index has a wheel of each pinned distribution, or the distribution contains no machine code."""
    assert missing_wheels(ROOT / "requirements" / f"{service}.txt", architecture) == ""


@pytest.mark.release
def test_distribution_without_a_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a distribution has only a source archive, the message names it."""
    monkeypatch.setattr("releasing.platforms.PURE_SOURCES", set())
    assert "ta==" in missing_wheels(ROOT / "requirements" / "medium-priority.txt", "arm64")


def test_distributions_without_wheels_are_pinned() -> None:
    """An exception that is no longer needed is removed."""
    pinned = {pin.name for image in IMAGES for pin in read_pins(ROOT / "requirements" / f"{image}.txt")}
    assert pinned >= PURE_SOURCES


def test_unknown_processor_is_refused() -> None:
    """A processor for which nobody knows the platform is refused with those that are known."""
    with pytest.raises(ReleaseError, match="the architecture is 'riscv64'; write one of amd64, arm64"):
        missing_wheels(ROOT / "requirements" / "web.txt", "riscv64")
