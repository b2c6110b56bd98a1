"""Dashboards reach Grafana as they lie in the tree, by its sidecar or by its operator."""

import json
from typing import Any

import pytest

from support.chart import CHART, NAMESPACE, Document, render

FILES = sorted((CHART / "files" / "dashboards").glob("*.json"))
SELECTOR = {"matchLabels": {"dashboards": "grafana"}}
#: Of an object in the API server.
LIMIT_BYTES = 1_048_576


def resources(kind: str, **values: Any) -> list[Document]:
    """Resources of a kind that are made of dashboards, with these values of `metrics.dashboards`."""
    found = render({"metrics": {"dashboards": {"enabled": True} | values}}).all(kind)
    return [each for each in found if each["metadata"]["labels"]["app.kubernetes.io/component"] == "dashboard"]


def test_there_are_dashboards():
    """The tree has some: the other tests hold something."""
    assert FILES


def test_each_file_is_in_one_config_map_byte_for_byte():
    """Each dashboard has a ConfigMap, whose one key is a file name that no other chart's dashboard has."""
    data = [each["data"] for each in resources("ConfigMap")]
    names = [f"financehub-{path.stem.removeprefix('financehub-')}.json" for path in FILES]
    assert data == [{name: path.read_bytes().decode()} for name, path in zip(names, FILES, strict=True)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dashboard_fits_into_a_config_map(path: Any):
    """The API server takes each, with room for what else a ConfigMap has."""
    assert path.stat().st_size < LIMIT_BYTES - 10_000


def test_the_sidecar_finds_them_by_a_label():
    """ConfigMaps have the sidecar's label and annotations, in the namespace that the values name."""
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


def test_a_sidecar_that_is_not_wanted_finds_none():
    """With an empty label the ConfigMaps have those of every resource and no other."""
    (plain, *_) = resources("ConfigMap", label="")
    (labelled, *_) = resources("ConfigMap")
    assert labelled["metadata"]["labels"].keys() - plain["metadata"]["labels"].keys() == {"grafana_dashboard"}


def test_the_operator_is_led_to_each_config_map():
    """A GrafanaDashboard names the key of its ConfigMap beside it, the Grafana that takes it, and the folder."""
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


def test_without_the_operator_there_is_none_of_its_resources():
    """GrafanaDashboards need an API that most clusters lack, so they are opt-in; without metrics there is nothing."""
    assert resources("GrafanaDashboard") == []
    off = {"enabled": False, "dashboards": {"enabled": True}}
    names = [each["metadata"]["name"] for each in render({"metrics": off}).all("ConfigMap")]
    assert [name for name in names if "dashboard" in name] == []


def test_runbook_links_lead_to_where_the_runbooks_are_published():
    """With `runbookUrl` the variable that every runbook link begins with is that address; nothing else changes."""
    rules = {"runbookUrl": "https://wiki.example/runbooks/"}
    found = render({"metrics": {"dashboards": {"enabled": True}, "prometheusRule": rules}}).all("ConfigMap")
    boards = [json.loads(text) for each in found for key, text in each["data"].items() if key.endswith(".json")]
    assert len(boards) == len(FILES)
    for board, path in zip(boards, FILES, strict=True):
        expected = path.read_text(encoding="utf-8").replace('"docs/runbooks"', '"https://wiki.example/runbooks"')
        assert board == json.loads(expected) != json.loads(path.read_text(encoding="utf-8"))
