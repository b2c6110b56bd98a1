"""Tests that values alone can add a tier."""

import re
from typing import Any

from helm_python import values_from_yaml

from support.chart import CHART, chart, label, render
from support.chart_values import merged

#: The example in the chart's README.
VALUES: dict[str, Any] = values_from_yaml(
    re.findall(
        r"^## Adding a tier\n.*?^```yaml\n(.*?)^```",
        (CHART / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )[0]
)


def test_added_tier_has_the_resources_of_a_default_tier():
    """With only an image and a module, the new tier has every kind of resource that a default tier has."""
    for mode in ("keda", "hpa"):
        manifests = render(merged(VALUES, {"autoscaling": {"mode": mode}}))
        kinds = {
            tier: {each["kind"] for each in manifests.documents if each["metadata"]["name"] == f"financehub-{tier}"}
            for tier in ("low", "research")
        }
        assert kinds["research"] == kinds["low"] > {"Deployment", "PodDisruptionBudget"}


def test_added_tier_runs_its_image_and_module():
    """The new tier's pods run its image and module and are scaled by its queue."""
    manifests = render(merged(VALUES, {"autoscaling": {"mode": "keda"}}))
    (container,) = manifests.deployment("research")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "team/research:1.0.0"
    assert container["command"][2:4] == ["dramatiq", "team_research.worker"]
    lists = [
        each["metadata"].get("listName")
        for each in manifests.one("ScaledObject", "financehub-research")["spec"]["triggers"]
    ]
    assert lists == ["dramatiq:research.msgs", "dramatiq:research.DQ.msgs", None]


def test_schedule_of_an_added_tier_uses_its_queue():
    """The schedule in the example uses the new tier's queue."""
    assert render(VALUES).one("ScheduledTask", "nightly-report")["spec"]["queue"] == "research"


def test_added_tier_changes_no_other_tier():
    """Only the scheduler changes, which gets the new maximum."""
    before, after = ({label(each): each for each in manifests.documents} for manifests in (render(), render(VALUES)))
    assert [name for name, each in before.items() if each != after[name]] == ["Deployment/financehub-scheduler"]
    assert {name.partition("/")[2] for name in after.keys() - before.keys()} == {
        "financehub-research",
        "nightly-report",
    }


def test_tier_can_override_the_defaults():
    """A tier can override any value of `tierDefaults` without affecting the other tiers."""
    tier = {"image": {"registry": "mirror.example"}, "threads": 9, "priorityClassName": "urgent", "spread": False}
    manifests = render({"tiers": {"high": tier}})
    high, low = (manifests.deployment(name)["spec"]["template"]["spec"] for name in ("high", "low"))
    assert high["containers"][0]["image"] == f"mirror.example/financehub/high-priority:{chart().metadata['appVersion']}"
    assert "--threads=9" in high["containers"][0]["command"]
    assert high["priorityClassName"] == "urgent"
    assert "topologySpreadConstraints" not in high
    assert low["containers"][0]["image"] == f"financehub/low-priority:{chart().metadata['appVersion']}"
    assert "priorityClassName" not in low
    assert low["topologySpreadConstraints"]
