"""A tier by values alone."""

import re
from typing import Any

from helm_python import values_from_yaml

from support.chart import CHART, label, render
from support.chart_values import merged

#: As the README of the chart shows it.
VALUES: dict[str, Any] = values_from_yaml(
    re.findall(r"^```yaml\n(.*?)^```", (CHART / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[0]
)


def test_it_has_all_that_a_tier_has():
    """Image and module are enough: of each kind of resource that a tier of the chart has, the new one has its own."""
    for mode in ("keda", "hpa"):
        manifests = render(merged(VALUES, {"autoscaling": {"mode": mode}}))
        kinds = {
            tier: {each["kind"] for each in manifests.documents if each["metadata"]["name"] == f"financehub-{tier}"}
            for tier in ("low", "research")
        }
        assert kinds["research"] == kinds["low"] > {"Deployment", "PodDisruptionBudget"}


def test_it_runs_its_own_image_and_module():
    """Its pods run its image and module, and have its queue's scaling; the defaults do the rest."""
    manifests = render(merged(VALUES, {"autoscaling": {"mode": "keda"}}))
    (container,) = manifests.deployment("research")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "team/research:1.0.0"
    assert container["command"][:2] == ["dramatiq", "team_research.worker"]
    lists = [
        each["metadata"].get("listName")
        for each in manifests.one("ScaledObject", "financehub-research")["spec"]["triggers"]
    ]
    assert lists == ["dramatiq:research.msgs", "dramatiq:research.DQ.msgs", None]


def test_its_schedule_goes_to_its_queue():
    """A schedule of the values goes to the queue of the new tier."""
    assert render(VALUES).one("ScheduledTask", "nightly-report")["spec"]["queue"] == "research"


def test_the_other_tiers_do_not_notice():
    """No other tier changes. The scheduler learns how far the new one may grow; each rendering makes a new password."""
    before, after = ({label(each): each for each in one.documents} for one in (render(), render(VALUES)))
    assert {name for name, each in before.items() if each != after[name]} == {
        "Deployment/financehub-scheduler",
        "Secret/financehub-redis",
    }
    assert {name.partition("/")[2] for name in after.keys() - before.keys()} == {
        "financehub-research",
        "nightly-report",
    }


def test_every_field_of_the_defaults_can_be_of_one_tier():
    """What `tierDefaults` says, a tier may say otherwise, and the others stay as they are."""
    tier = {"image": {"registry": "mirror.example"}, "threads": 9, "priorityClassName": "urgent", "spread": False}
    manifests = render({"tiers": {"high": tier}})
    high, low = (manifests.deployment(name)["spec"]["template"]["spec"] for name in ("high", "low"))
    assert high["containers"][0]["image"] == "mirror.example/financehub/high-priority:0.1.0"
    assert "--threads=9" in high["containers"][0]["command"]
    assert high["priorityClassName"] == "urgent"
    assert "topologySpreadConstraints" not in high
    assert low["containers"][0]["image"] == "financehub/low-priority:0.1.0"
    assert "priorityClassName" not in low
    assert low["topologySpreadConstraints"]
