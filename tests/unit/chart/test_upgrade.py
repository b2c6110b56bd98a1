"""What an upgrade may change, and what the API server would refuse to change."""

import json
from pathlib import Path
from typing import Any

import helm_python
import pytest

from support.chart import CHART, Document, Manifests, chart, label, render
from support.chart_values import COMBINATIONS, combination

#: Immutable fields of each version that was released, with default values.
RELEASED = Path(__file__).parents[2] / "fixtures" / "chart"
#: Of a StatefulSet, only these may change.
_MUTABLE = {"replicas", "template", "updateStrategy", "minReadySeconds", "revisionHistoryLimit"}


def immutable(manifests: Manifests) -> dict[str, Any]:
    """Resource → what the API server lets nobody change."""
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
    """The chart of the tree under another version."""
    return helm_python.Chart.load(helm_python.package(CHART, destination=folder, **versions))


@pytest.mark.parametrize("path", sorted(RELEASED.glob("*.json")), ids=lambda path: path.stem)
def test_upgrades_from_every_release_are_possible(path: Path):
    """Since its first version the chart has never changed what cannot be changed.

    For a new version: `json.dumps(immutable(render()), indent=2)` into a file of its name.
    """
    before = json.loads(path.read_text(encoding="utf-8"))
    now = immutable(render())
    assert {name: now.get(name) for name in before} == before


def test_this_version_is_recorded():
    """The chart's version is among those that later ones are held against."""
    assert (RELEASED / f"{chart().version}.json").exists()


def test_a_new_version_changes_nothing_immutable(tmp_path: Path):
    """No version of the chart or of the images is in a selector."""
    other = version(tmp_path, version="9.9.9", app_version="9.9.9")
    assert immutable(render(of=other)) == immutable(render())


#: A claim comes and goes with its StatefulSet; a selector has a name in it.
_NOT_BY_UPGRADE = ("names=own", "redis=without a disk")


@pytest.mark.parametrize("name", [each for each in COMBINATIONS if not any(one in each for one in _NOT_BY_UPGRADE)])
def test_changed_values_change_nothing_immutable(name: str):
    """One may upgrade from the defaults to any values, but those of names and of whether Redis has a disk."""
    before, after = immutable(render()), immutable(combination(name))
    assert {each: after[each] for each in before.keys() & after.keys()} == {
        each: before[each] for each in before.keys() & after.keys()
    }


def _templates(manifests: Manifests) -> dict[str, Document]:
    return {name: pod for name, pod in manifests.pods().items() if name.startswith(("Deployment", "StatefulSet"))}


def test_a_new_version_of_the_chart_alone_restarts_nothing(tmp_path: Path):
    """Pods know nothing of the chart's version."""
    assert _templates(render(of=version(tmp_path, version="9.9.9"))) == _templates(render())


def _restarted(values: dict[str, Any]) -> list[str]:
    before, after = _templates(render()), _templates(render(values))
    return sorted(name.rpartition("financehub-")[2] for name in before if before[name] != after[name])


@pytest.mark.parametrize(
    ("values", "restarted"),
    [
        ({"tiers": {"high": {"threads": 8}}}, ["high"]),
        ({"tiers": {"low": {"image": {"tag": "0.1.1"}}}}, ["low"]),
        ({"settings": {"FINANCEHUB_LOG_LEVEL": "DEBUG"}}, ["high", "low", "medium", "scheduler"]),
        ({"redis": {"memory": "1Gi"}}, ["redis"]),
        ({"assets": []}, []),
        ({"schedules": {"fetch-news": {"spec": {"schedule": "@hourly"}}}}, []),
        ({"tiers": {"high": {"autoscaling": {"maxReplicas": 9}}}}, ["scheduler"]),
        ({"networkPolicy": {"enabled": False}}, []),
    ],
    ids=str,
)
def test_only_what_changes_restarts(values: dict[str, Any], restarted: list[str]):
    """A change restarts the pods that read it at start, and no others: assets and schedules are read while running.

    The scheduler reads how far a tier may grow, for its metrics.
    """
    assert _restarted(values) == restarted
