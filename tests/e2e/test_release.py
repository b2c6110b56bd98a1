"""Tests of the packaged chart in a cluster: an installed release of the version before is upgraded to it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from e2e.cluster import CHART
from e2e.conftest import VALUES
from e2e.release import NAME, PROCESSES, Release
from releasing import chart, image_list
from releasing.version import ROOT

#: The chart of the release before, as `make release` of its commit would package it.
RECORDED = ROOT / "tests" / "fixtures" / "releases" / "financehub-0.1.0.tgz"
_WAIT = ("--wait", "--timeout", "240s")
_TASK = {"task": "fetch_crypto_prices_task", "schedule": "@every 10m"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged chart of this checkout."""
    return chart.package(ROOT, tmp_path_factory.mktemp("chart"), 1_790_000_000, image_list.read_images(CHART))


@pytest.fixture(scope="module")
def release(release_in: Callable[..., Release]) -> Release:
    """A release of the recorded chart with a schedule of a user. Later tests need earlier ones."""
    release = release_in("e2e-release")
    release.helm("install", NAME, str(RECORDED), "--values", "-", *_WAIT, stdin=yaml.safe_dump(VALUES))
    release.apply("of-a-user", **_TASK)
    return release


def _tasks(release: Release) -> set[str]:
    return {*release.scheduled_tasks()}


def test_recorded_release_is_upgraded_to_the_packaged_chart(release: Release, archive: Path) -> None:
    """With --reuse-values, which lacks every new value, the upgrade keeps the password, the data and all schedules."""
    release.redis_cli("set", "kept", "yes")
    password = release.get("secret", f"{NAME}-redis")["data"]
    before = _tasks(release)
    release.helm("upgrade", NAME, str(archive), "--reuse-values", *_WAIT)
    assert release.get("secret", f"{NAME}-redis")["data"] == password
    assert release.redis_cli("get", "kept") == ["yes"]
    assert _tasks(release) == before
    assert "of-a-user" in before
    release.wait_until_healthy()


def test_upgrade_with_the_values_of_the_user_uses_the_new_defaults(release: Release, archive: Path) -> None:
    """With the user's own values, the packaged chart renders in the cluster what it renders without one."""
    release.helm("upgrade", NAME, str(archive), "--values", "-", *_WAIT, stdin=yaml.safe_dump(VALUES))
    (listed,) = json.loads(release.helm("list", "--output", "json").stdout)
    assert listed["status"] == "deployed"
    with helm_python.Chart.load(archive) as packaged:
        assert listed["chart"] == f"financehub-{packaged.version}"
    release.wait_until_healthy()
    release.helm("test", NAME, "--timeout", "180s")


def test_images_of_the_pods_are_in_the_image_list(release: Release) -> None:
    """Every image that the pods use is in the list for mirrors, apart from the registry and the tag of the tests."""
    listed = {_repository(each) for each in image_list.read_images(CHART).values()}
    used: set[str] = set()
    for component in (*PROCESSES, "simulator"):
        containers: list[dict[str, Any]] = release.pods(component)[0]["spec"]["containers"]
        used |= {_repository(container["image"]) for container in containers}
    assert used <= listed


def _repository(reference: str) -> str:
    found = re.search(r"(financehub/[\w-]+)", reference)
    return found[1] if found else reference.partition("@")[0].rpartition(":")[0]
