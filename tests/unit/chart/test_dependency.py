"""Tests that a parent chart can use the chart as a dependency."""

import re
import shutil
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from support.chart import CHART, Manifests, refusal, render
from support.values_schema import DEFAULTS

_PARENT = {
    "apiVersion": "v2",
    "name": "platform",
    "version": "1.0.0",
    "dependencies": [
        {"name": "financehub", "version": "*", "condition": "financehub.enabled"},
        {"name": "financehub", "version": "*", "alias": "research", "condition": "research.enabled"},
    ],
}


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chart with FinanceHub's chart as a dependency, once under its name and once under an alias."""
    folder = tmp_path_factory.mktemp("platform")
    (folder / "Chart.yaml").write_text(yaml.safe_dump(_PARENT), encoding="utf-8")
    (folder / "values.yaml").write_text("research: {enabled: false}\n", encoding="utf-8")
    shutil.copytree(CHART, folder / "charts" / "financehub")
    return folder


def _rendered(parent: Path, values: dict[str, Any]) -> Manifests:
    """Render the parent chart, loaded each time, because Helm removes disabled dependencies when it renders."""
    return render(values, of=helm_python.Chart.load(parent))


def _images(manifests: Manifests) -> set[str]:
    return {container["image"] for _, container in manifests.containers()}


def _secrets(manifests: Manifests) -> set[tuple[str, ...]]:
    return {
        tuple(each["name"] for each in pod["spec"].get("imagePullSecrets", [])) for pod in manifests.pods().values()
    }


def test_dependency_renders_the_same_as_the_chart(parent: Path):
    """With the defaults, the parent chart installs what the chart alone would install."""
    names = {(each["kind"], each["metadata"]["name"]) for each in _rendered(parent, {}).documents}
    assert names == {(each["kind"], each["metadata"]["name"]) for each in render().documents}


def test_condition_of_the_parent_leaves_the_chart_out(parent: Path):
    """`condition: financehub.enabled` works in both directions, and the value is accepted."""
    assert _rendered(parent, {"financehub": {"enabled": False}}).documents == []
    assert _rendered(parent, {"financehub": {"enabled": True}}).has("Deployment", "financehub-scheduler")


def test_enabled_has_no_effect_without_a_parent():
    """The value exists for the condition only."""
    assert render({"enabled": False}).documents == render({"enabled": True}).documents


def test_registry_and_secrets_of_the_parent_reach_every_pod(parent: Path):
    """global.imageRegistry is used for every image, also of Redis, and global.imagePullSecrets for every pod."""
    shared = {"imageRegistry": "mirror.example.com/all", "imagePullSecrets": ["pull", {"name": "more"}]}
    values: dict[str, Any] = {"global": shared, "financehub": {"simulator": {"enabled": True}}}
    manifests = _rendered(parent, values)
    assert [image for image in _images(manifests) if not image.startswith("mirror.example.com/all/")] == []
    assert _secrets(manifests) == {("pull", "more")}


def test_registry_of_the_chart_takes_precedence_over_that_of_the_parent(parent: Path):
    """A registry of a component is the most specific one, then image.registry, then that of the parent."""
    values = {
        "global": {"imageRegistry": "all.example.com"},
        "financehub": {
            "image": {"registry": "own.example.com", "pullSecrets": ["mine"]},
            "scheduler": {"image": {"registry": "one.example.com"}},
        },
    }
    images = {image.partition("/")[0]: image for image in _images(_rendered(parent, values))}
    assert images.keys() == {"all.example.com", "own.example.com", "one.example.com"}
    assert "redis" in images["all.example.com"]
    assert "scheduler" in images["one.example.com"]


def test_other_globals_of_the_parent_are_accepted(parent: Path):
    """A parent shares values with its other charts, which this chart does not know."""
    assert _rendered(parent, {"global": {"storageClass": "fast", "team": {"name": "quants"}}}).documents


def test_wrong_global_is_refused_by_name(parent: Path):
    """The registry of the parent has the same format as that of the chart."""
    with pytest.raises(helm_python.HelmError, match=r"global\.imageRegistry: .*a scheme"):
        _rendered(parent, {"global": {"imageRegistry": "https://registry.example.com"}})
    assert "/global/imagePullSecrets/0" in refusal({"global": {"imagePullSecrets": [7]}})


def _values_of_the_readme() -> dict[str, Any]:
    """Return the values that the README shows for a parent chart with two dependencies on the chart."""
    section = (CHART / "README.md").read_text("utf-8").partition("## Inside another chart\n")[2].partition("\n## ")[0]
    *_, block = re.findall(r"^```yaml\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    values: dict[str, Any] = yaml.safe_load(block)
    values["research"]["enabled"] = True
    return values


def test_two_dependencies_of_the_readme_share_no_resource(parent: Path):
    """With the README's values and the prefixes that the chart chooses, both copies have different resources."""
    manifests = _rendered(parent, _values_of_the_readme())
    names = [
        (each["kind"], each["metadata"]["name"], each["metadata"].get("namespace")) for each in manifests.documents
    ]
    assert len(names) == len({*names}), sorted({name for name in names if names.count(name) > 1}, key=str)
    assert sum(kind == "StatefulSet" for kind, *_ in names) == 2


def test_two_dependencies_of_the_readme_run_no_schedule_twice(parent: Path):
    """Each ScheduledTask has one scheduler: the namespaces are disjoint, and only the first copy has schedules."""
    values = _values_of_the_readme()
    first, second = ({*values[each]["scheduler"]["namespaces"]} for each in ("financehub", "research"))
    assert first & second == set()
    assert {*values["research"]["schedules"]} == {*DEFAULTS["schedules"]}
    schedules = _rendered(parent, values).all("ScheduledTask")
    assert {each["metadata"]["name"] for each in schedules} == {*DEFAULTS["schedules"]}
