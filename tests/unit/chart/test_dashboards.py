"""Tests that the dashboards reach Grafana unchanged, through its sidecar or its operator."""

import json
from typing import Any

import pytest

from support.chart import CHART, NAMESPACE, Document, render

FILES = sorted((CHART / "files" / "dashboards").glob("*.json"))
SELECTOR = {"matchLabels": {"dashboards": "grafana"}}
#: The size limit of an object in the API server.
LIMIT_BYTES = 1_048_576


def resources(kind: str, **values: Any) -> list[Document]:
    """Return the resources of a kind that contain dashboards, with these values of `metrics.dashboards`."""
    found = render({"metrics": {"dashboards": {"enabled": True} | values}}).all(kind)
    return [each for each in found if each["metadata"]["labels"]["app.kubernetes.io/component"] == "dashboard"]


def test_chart_contains_dashboards():
    """There is at least one dashboard, so that the other tests are effective."""
    assert FILES


def test_config_map_contains_the_unchanged_dashboard():
    """Each dashboard has a ConfigMap with one key, which is a file name that no dashboard of another chart uses."""
    data = [each["data"] for each in resources("ConfigMap")]
    names = [f"financehub-{path.stem.removeprefix('financehub-')}.json" for path in FILES]
    assert data == [{name: path.read_bytes().decode()} for name, path in zip(names, FILES, strict=True)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_dashboard_fits_into_a_config_map(path: Any):
    """Each dashboard, including its ConfigMap's metadata, is smaller than the API server's limit."""
    assert path.stat().st_size < LIMIT_BYTES - 10_000


def test_config_maps_have_the_label_of_the_sidecar():
    """ConfigMaps have the sidecar's label and annotations, and are in the namespace that the values name."""
    for each in resources("ConfigMap"):
        assert each["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert each["metadata"]["namespace"] == NAMESPACE
        assert "annotations" not in each["metadata"]
    own = {
        "label": "team/board",
        "labelValue": "yes",
        "annotations": {"grafana_folder": "F"},
        "namespace": "monitoring",
    }
    for each in resources("ConfigMap", **own):
        metadata = each["metadata"]
        assert (metadata["labels"]["team/board"], metadata["annotations"]) == ("yes", {"grafana_folder": "F"})
        assert "grafana_dashboard" not in metadata["labels"]
        assert metadata["namespace"] == "monitoring"


def test_config_maps_without_a_label_are_not_found_by_the_sidecar():
    """With an empty `label`, the ConfigMaps have only the labels that every resource has."""
    (plain, *_) = resources("ConfigMap", label="")
    (labelled, *_) = resources("ConfigMap")
    assert labelled["metadata"]["labels"].keys() - plain["metadata"]["labels"].keys() == {"grafana_dashboard"}


def test_grafana_dashboards_refer_to_the_config_maps():
    """Each GrafanaDashboard names the key of its ConfigMap, the selector of its Grafana and the folder."""
    values = {
        "namespace": "monitoring",
        "grafanaOperator": {"enabled": True, "instanceSelector": SELECTOR, "folder": "F"},
    }
    maps = {each["metadata"]["name"]: each for each in resources("ConfigMap", **values)}
    found = resources("GrafanaDashboard", **values)
    assert [each["spec"]["configMapRef"]["name"] for each in found] == list(maps)
    for each in found:
        spec = each["spec"]
        assert [spec["configMapRef"]["key"]] == list(maps[spec["configMapRef"]["name"]]["data"])
        assert each["metadata"]["namespace"] == "monitoring"
        assert (spec["instanceSelector"], spec["folder"], spec["allowCrossNamespaceImport"]) == (SELECTOR, "F", True)


def test_grafana_dashboards_are_opt_in():
    """GrafanaDashboards are opt-in, because most clusters lack their API. Without metrics there are no dashboards."""
    assert resources("GrafanaDashboard") == []
    off = {"enabled": False, "dashboards": {"enabled": True}}
    names = [each["metadata"]["name"] for each in render({"metrics": off}).all("ConfigMap")]
    assert [name for name in names if "dashboard" in name] == []


def test_runbook_links_use_the_runbook_url():
    """With `runbookUrl`, the variable at the start of every runbook link is that URL, and nothing else changes."""
    rules = {"runbookUrl": "https://wiki.example/runbooks/"}
    found = render({"metrics": {"dashboards": {"enabled": True}, "prometheusRule": rules}}).all("ConfigMap")
    boards = [json.loads(text) for each in found for key, text in each["data"].items() if key.endswith(".json")]
    assert len(boards) == len(FILES)
    for board, path in zip(boards, FILES, strict=True):
        expected = path.read_text(encoding="utf-8").replace('"docs/runbooks"', '"https://wiki.example/runbooks"')
        assert board == json.loads(expected) != json.loads(path.read_text(encoding="utf-8"))
