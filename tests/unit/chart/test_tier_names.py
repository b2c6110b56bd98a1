"""Tests of the names that a tier cannot have, because its objects would have the labels of another component."""

import json
import re
from pathlib import Path

import pytest
from helm_python import HelmError

from support.chart import CHART, render
from support.chart_values import choice, merged

_COMPONENT = "app.kubernetes.io/component"
_DOCUMENTS = Path(__file__).parents[3] / "docs"
#: Together, they contain every component of the chart.
_CHOICES = {
    "most": merged(
        choice(web="for operators", simulator="on", network="closed", metrics="monitor", dashboards="sidecar"),
        choice(rules="plain", definition="removed", keys="given"),
        {"schedules": {"nightly": {"spec": {"task": "health_check_task", "schedule": "@daily"}}}},
    ),
    "defaults": {},
}


def _refused() -> re.Pattern[str]:
    formats = json.loads((CHART / "files" / "formats.json").read_text(encoding="utf-8"))["formats"]
    return re.compile(formats["tier-name"][0]["refuse"])


def _components() -> set[str]:
    """Return the components of the chart's objects and of the pods in the documents, without the tiers."""
    found = {"hook", "worker"}
    for values in _CHOICES.values():
        manifests = render(values)
        for each in [*manifests.documents, *manifests.pods().values()]:
            found.add(each["metadata"].get("labels", {}).get(_COMPONENT))
    for document in _DOCUMENTS.rglob("*.md"):
        found |= set(re.findall(rf"{_COMPONENT}: ([-a-z]+)", document.read_text(encoding="utf-8")))
    return found - {"high", "medium", "low", None}


def test_name_of_every_component_is_refused_for_a_tier():
    """A tier with the name of another component would share its selectors, so the list names all components."""
    components = _components()
    assert components >= {"network", "password", "redis-copy", "users"}
    assert {each for each in components if not _refused().search(each)} == set()


@pytest.mark.parametrize("name", ["hook", "password"])
def test_tier_with_the_name_of_a_component_is_refused_with_the_way_out(name: str):
    """The message has the path, the name, and what to do."""
    with pytest.raises(HelmError, match=rf"tiers.*{name}.*is the name of another component.*choose another name"):
        render({"tiers": {name: {"image": {"repository": "a/b"}, "module": "m"}}})
