"""Every Kubernetes that the chart is for knows what it renders."""

import json
from functools import cache

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils

from support.chart import Document, chart, label, render
from support.chart_values import choice

VERSIONS = ("1.30", "1.31", "1.32", "1.33", "1.34")
#: Kinds that Kubernetes itself does not have: the CRD's tests and the end-to-end tests check those.
_FOREIGN = {
    "ScheduledTask",
    "ScaledObject",
    "TriggerAuthentication",
    "PodMonitor",
    "PrometheusRule",
    "GrafanaDashboard",
}
#: Between them, every kind and every optional part.
_CHOICES = (
    choice(),
    choice(pods="everything", simulator="on", keys="given", network="named", definition="removed", images="mirror"),
    choice(
        redis="external with TLS",
        rights="namespaces",
        disruption="none",
        tiers="four",
        scaling="fixed",
        dashboards="sidecar",
    ),
)


@cache
def documents() -> list[Document]:
    """Each document once."""
    every = [each for values in _CHOICES for each in render(values).documents] + [
        yaml.safe_load(each["data"]) for each in chart().crds
    ]
    return list({json.dumps(each, sort_keys=True): each for each in every if each["kind"] not in _FOREIGN}.values())


@pytest.mark.parametrize("version", VERSIONS)
def test_every_field_is_known(version: str, monkeypatch: pytest.MonkeyPatch):
    """Each document fits the schema of this Kubernetes, in which an unknown field is a fault."""
    # the definitions of all kinds are megabytes: read once, not once a document
    monkeypatch.setattr(utils, "schema_contents", cache(utils.schema_contents))
    faults = []
    for document in documents():
        try:
            assert kubernetes_validate.validate(document, version, strict=True) == version
        except kubernetes_validate.ValidationError as error:
            faults.append(f"{label(document)}: {'.'.join(map(str, error.path))}: {error.message}")
    assert faults == []
