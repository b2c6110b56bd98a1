"""Tests of Chart.yaml: what people and catalogs of charts read in it."""

import base64
from typing import Any
from xml.etree import ElementTree as ET

import yaml

from financehub_shared.spec.documents import parse, split
from releasing.version import ROOT, read_version

CHART = ROOT / "deploy" / "helm" / "financehub"
METADATA: dict[str, Any] = yaml.load((CHART / "Chart.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
ICON = ROOT / "services/web/src/financehub_web/console/static/favicon.svg"


def test_chart_has_all_metadata_that_catalogs_show() -> None:
    """Home, sources, maintainers, icon, Kubernetes version and license are stated."""
    assert METADATA.keys() >= {"home", "sources", "maintainers", "icon", "kubeVersion", "keywords", "annotations"}
    assert METADATA["annotations"]["artifacthub.io/license"] == "MIT"
    assert METADATA["version"] == METADATA["appVersion"] == read_version()


def test_icon_is_that_of_the_console() -> None:
    """The icon is in Chart.yaml itself, so that it is visible without access to the network, and it is an SVG image."""
    head, _, data = METADATA["icon"].partition(",")
    assert head == "data:image/svg+xml;base64"
    assert base64.b64decode(data) == ICON.read_bytes()
    assert ET.fromstring(ICON.read_text(encoding="utf-8")).tag.endswith("svg")  # noqa: S314 — our own file


def test_resource_in_the_annotations_exists_and_its_example_is_valid() -> None:
    """The annotations describe the definition that the chart installs, with an example that the scheduler accepts."""
    definition = yaml.load((CHART / "crds/scheduledtasks.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    (stated,) = yaml.load(METADATA["annotations"]["artifacthub.io/crds"], Loader=yaml.CSafeLoader)
    assert stated["name"] == definition["metadata"]["name"]
    assert stated["kind"] == definition["spec"]["names"]["kind"]
    assert stated["version"] in {each["name"] for each in definition["spec"]["versions"]}
    (example,) = yaml.load(METADATA["annotations"]["artifacthub.io/crdsExamples"], Loader=yaml.CSafeLoader)
    assert [parse(document) for document in split(yaml.safe_dump(example))]


def test_lists_that_a_release_adds_are_not_written_by_hand() -> None:
    """`make release` adds the images and changes, so they are not in the repository, where they would become wrong."""
    assert not {"artifacthub.io/images", "artifacthub.io/changes"} & METADATA["annotations"].keys()
