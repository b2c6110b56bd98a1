"""Tests that an upgrade changes no immutable field and restarts only the pods that need it."""

import json
from pathlib import Path
from typing import Any

import helm_python
import pytest

from support.chart import CHART, Document, Manifests, chart, label, render
from support.chart_values import COMBINATIONS, combination

#: The immutable fields of each released version, with default values.
RELEASED = Path(__file__).parents[2] / "fixtures" / "chart"
#: The only fields of a StatefulSet that may change.
_MUTABLE = {"replicas", "template", "updateStrategy", "minReadySeconds", "revisionHistoryLimit"}


def immutable(manifests: Manifests) -> dict[str, Any]:
    """Return the immutable fields of each resource."""
    found: dict[str, Any] = {}
    for each in manifests.documents:
        match each["kind"]:
            case "Deployment":
                found[label(each)] = each["spec"]["selector"]
            case "StatefulSet":
                found[label(each)] = {name: value for name, value in each["spec"].items() if name not in _MUTABLE}
            case "Service":
                found[label(each)] = each["spec"].get("clusterIP")
            case "RoleBinding" | "ClusterRoleBinding":
                found[label(each)] = each["roleRef"]
    return found


def version(folder: Path, **versions: str) -> helm_python.Chart:
    """Return this checkout's chart with a different version."""
    return helm_python.Chart.load(helm_python.package(CHART, destination=folder, **versions))


@pytest.mark.parametrize("path", sorted(RELEASED.glob("*.json")), ids=lambda path: path.stem)
def test_upgrade_from_every_release_changes_no_immutable_field(path: Path):
    """The chart has never changed an immutable field since its first version.

    For a new version, write `json.dumps(immutable(render()), indent=2)` to a file named after it.
    """
    before = json.loads(path.read_text(encoding="utf-8"))
    now = immutable(render())
    assert {name: now.get(name) for name in before} == before


def test_immutable_fields_of_this_version_are_recorded():
    """The fixtures contain the chart's current version, so that later versions are compared with it."""
    assert (RELEASED / f"{chart().version}.json").exists()


def test_new_version_changes_no_immutable_field(tmp_path: Path):
    """No selector contains the version of the chart or of the images."""
    other = version(tmp_path, version="9.9.9", app_version="9.9.9")
    assert immutable(render(of=other)) == immutable(render())


#: Names are part of selectors, and the PersistentVolumeClaim is part of the StatefulSet.
_NOT_BY_UPGRADE = ("names=own", "redis=without a disk")


@pytest.mark.parametrize(
    "name", [each for each in COMBINATIONS if not any(option in each for option in _NOT_BY_UPGRADE)]
)
def test_changed_values_change_no_immutable_field(name: str):
    """An upgrade from the defaults may change all values except the names and the persistence of Redis."""
    before, after = immutable(render()), immutable(combination(name))
    assert {each: after[each] for each in before.keys() & after.keys()} == {
        each: before[each] for each in before.keys() & after.keys()
    }


def _templates(manifests: Manifests) -> dict[str, Document]:
    return {name: pod for name, pod in manifests.pods().items() if name.startswith(("Deployment", "StatefulSet"))}


def test_new_version_of_the_chart_restarts_no_pods(tmp_path: Path):
    """Pod templates do not contain the chart version."""
    assert _templates(render(of=version(tmp_path, version="9.9.9"))) == _templates(render())


def _restarted(values: dict[str, Any]) -> list[str]:
    before, after = _templates(render()), _templates(render(values))
    return sorted(name.rpartition("financehub-")[2] for name in before if before[name] != after[name])


@pytest.mark.parametrize(
    ("values", "restarted"),
    [
        ({"tiers": {"high": {"threads": 8}}}, ["high"]),
        ({"tiers": {"low": {"image": {"tag": "0.1.1"}}}}, ["low"]),
        ({"settings": {"FINANCEHUB_LOG_LEVEL": "DEBUG"}}, ["high", "low", "medium", "scheduler", "web"]),
        ({"redis": {"memory": "1Gi"}}, ["redis"]),
        ({"assets": []}, []),
        ({"schedules": {"fetch-news": {"spec": {"schedule": "@hourly"}}}}, []),
        ({"tiers": {"high": {"autoscaling": {"maxReplicas": 9}}}}, ["scheduler"]),
        ({"networkPolicy": {"enabled": False}}, []),
        ({"web": {"mode": "write", "auth": {"existingSecret": "mine"}}}, ["web"]),
        ({"web": {"service": {"port": 8080}}}, []),
    ],
    ids=str,
)
def test_changed_values_restart_only_the_pods_that_read_them(values: dict[str, Any], restarted: list[str]):
    """A change restarts only the pods that read the value at startup. Assets and schedules are read while running.

    The scheduler reads each tier's maximum number of workers for its metrics.
    """
    assert _restarted(values) == restarted
