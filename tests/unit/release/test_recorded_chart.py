"""Tests of upgrades from the recorded chart of the release before, with the values that Helm would reuse."""

import shutil
import tarfile
from typing import Any

import helm_python
import pytest
import yaml

from releasing.version import ROOT
from support.chart import CHART, Document, Manifests, label, render

RECORDED = ROOT / "tests" / "fixtures" / "releases" / "financehub-0.1.0.tgz"
#: What users of that release may have set, in the form of its values.
SETTINGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "simulator": {"simulator": {"enabled": True}},
    "own assets": {"assets": [{"symbol": "BTC-USD", "type": "crypto"}, {"symbol": "AAPL", "type": "stock"}]},
    "external Redis": {"redis": {"enabled": False}, "externalRedis": {"url": "redis://redis.example:6379/0"}},
    "environment of tiers": {
        "tierDefaults": {"extraEnv": [{"name": "A", "value": "1"}]},
        "tiers": {"high": {"extraEnv": [{"name": "B", "value": "2"}]}},
    },
    "monitoring": {"metrics": {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}},
    "password of the user": {"redis": {"existingSecret": "mine"}},
}
#: Values of `podDefaults` that users add to the reused values.
ADDED: dict[str, dict[str, Any]] = {
    "a limit": {"podDefaults": {"resources": {"limits": {"cpu": "500m"}}}},
    "a variable": {"podDefaults": {"extraEnv": [{"name": "A", "value": "1"}]}},
    "labels": {"podDefaults": {"podLabels": {"team": "quants"}}},
    "no user id": {"podDefaults": {"podSecurityContext": {"runAsUser": None}}},
}


@pytest.fixture(scope="module")
def reusing(tmp_path_factory: pytest.TempPathFactory) -> helm_python.Chart:
    """This chart with the default values of the recorded one, as `helm upgrade --reuse-values` renders it."""
    copy = tmp_path_factory.mktemp("chart") / "financehub"
    shutil.copytree(CHART, copy)
    with tarfile.open(RECORDED) as archive:
        values = archive.extractfile("financehub/values.yaml")
        assert values is not None
        (copy / "values.yaml").write_bytes(values.read())
    return helm_python.Chart.load(copy)


def _pods(manifests: Manifests) -> dict[str, list[str]]:
    """Return the names of the containers of each Deployment and StatefulSet."""
    return {
        label(each): [container["name"] for container in each["spec"]["template"]["spec"]["containers"]]
        for each in manifests.all("Deployment", "StatefulSet")
    }


@pytest.mark.parametrize("name", SETTINGS)
def test_values_of_the_recorded_release_still_render(reusing: helm_python.Chart, name: str) -> None:
    """Without any new value, the chart renders, and each Deployment and StatefulSet stays."""
    before = render(SETTINGS[name], of=helm_python.Chart.load(RECORDED))
    after = render(SETTINGS[name], of=reusing)
    assert _pods(after) == _pods(before)


@pytest.mark.parametrize("name", [*SETTINGS, *ADDED])
def test_reused_values_keep_the_restrictions_of_pods(reusing: helm_python.Chart, name: str) -> None:
    """Pods stay restricted, although the reused values lack `podDefaults` or have only what a user adds to them."""
    values = (SETTINGS | ADDED)[name]
    removes_user = name == "no user id"
    for pod in render(values, of=reusing).pods().values():
        spec: Document = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["securityContext"].get("runAsUser") == (None if removes_user else 10001)
        for container in spec["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_recorded_chart_is_the_released_one() -> None:
    """The recorded file is the package of version 0.1.0, and its values are older than `podDefaults`."""
    with helm_python.Chart.load(RECORDED) as chart:
        assert chart.version == "0.1.0"
    with tarfile.open(RECORDED) as archive:
        values = archive.extractfile("financehub/values.yaml")
        assert values is not None
        assert "podDefaults" not in yaml.safe_load(values.read())
