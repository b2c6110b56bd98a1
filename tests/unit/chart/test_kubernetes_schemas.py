"""Tests that the rendered resources match the schemas of every supported Kubernetes version."""

import json
from functools import cache

import pytest
import yaml

from support.chart import Document, chart, render
from support.chart_values import choice
from support.kubernetes_documents import faults

VERSIONS = ("1.30", "1.31", "1.32", "1.33", "1.34")
#: Kinds that are not part of Kubernetes. The tests of the CRD and the end-to-end tests check them.
_FOREIGN = {
    "ScheduledTask",
    "ScaledObject",
    "TriggerAuthentication",
    "PodMonitor",
    "PrometheusRule",
    "GrafanaDashboard",
    "HTTPRoute",
}
#: Together, these render every kind and every optional part.
_CHOICES = (
    choice(),
    choice(
        pods="everything",
        web="for operators",
        simulator="on",
        keys="given",
        network="named",
        definition="removed",
        images="mirror",
    ),
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
    """Return all distinct documents."""
    every = [each for values in _CHOICES for each in render(values).documents] + [
        yaml.safe_load(each["data"]) for each in chart().crds
    ]
    return list({json.dumps(each, sort_keys=True): each for each in every if each["kind"] not in _FOREIGN}.values())


@pytest.mark.parametrize("version", VERSIONS)
def test_documents_match_the_schema_of_kubernetes(version: str):
    """Each document matches the schema of this version, which does not allow unknown fields."""
    assert faults(documents(), version) == []
