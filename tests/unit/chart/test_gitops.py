"""Tests of the examples for Argo CD and Flux, and that two renderings of the chart are equal."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.chart import NAMESPACE, RELEASE, Manifests, render, rendered_now
from support.chart_values import COMBINATIONS, combination

_ROOT = Path(__file__).parents[3]
_FOLDER = _ROOT / "deploy" / "gitops"
_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+")
_SYNC_OPTIONS = {"CreateNamespace=true", "ServerSideApply=true", "SkipDryRunOnMissingResource=true"}
#: The fields that the examples use, with what each may be: a type, a set of values or a pattern. The sources are
#: Argo CD's docs/operator-manual/application.yaml, docs/user-guide/helm.md and docs/user-guide/sync-options.md, and the
#: definitions in fluxcd/helm-controller (v2) and fluxcd/source-controller (v1).
_FIELDS: dict[tuple[str, str], dict[str, Any]] = {
    ("argoproj.io/v1alpha1", "Application"): {
        "metadata.name": str,
        "metadata.namespace": {"argocd"},
        "spec.project": str,
        "spec.source.repoURL": str,
        "spec.source.targetRevision": str,
        "spec.source.path": str,
        "spec.source.helm.releaseName": str,
        "spec.source.helm.skipCrds": bool,
        "spec.source.helm.valuesObject": dict,
        "spec.destination.server": str,
        "spec.destination.namespace": str,
        "spec.syncPolicy.automated.prune": bool,
        "spec.syncPolicy.automated.selfHeal": bool,
        "spec.syncPolicy.syncOptions": list,
    },
    ("v1", "Namespace"): {"metadata.name": str},
    ("source.toolkit.fluxcd.io/v1", "GitRepository"): {
        "metadata.name": str,
        "metadata.namespace": str,
        "spec.interval": _DURATION,
        "spec.url": re.compile(r"(http|https|ssh)://.*"),
        "spec.ref.branch": str,
    },
    ("helm.toolkit.fluxcd.io/v2", "HelmRelease"): {
        "metadata.name": str,
        "metadata.namespace": str,
        "spec.interval": _DURATION,
        "spec.timeout": _DURATION,
        "spec.releaseName": str,
        "spec.chart.spec.chart": str,
        "spec.chart.spec.sourceRef.kind": {"HelmRepository", "GitRepository", "Bucket"},
        "spec.chart.spec.sourceRef.name": str,
        "spec.chart.spec.reconcileStrategy": {"ChartVersion", "Revision"},
        "spec.install.crds": {"Skip", "Create", "CreateReplace"},
        "spec.install.remediation.retries": int,
        "spec.upgrade.crds": {"Skip", "Create", "CreateReplace"},
        "spec.upgrade.remediation.retries": int,
        "spec.driftDetection.mode": {"enabled", "warn", "disabled"},
        "spec.values": dict,
    },
}


def _documents(name: str) -> dict[str, dict[str, Any]]:
    text = (_FOLDER / name).read_text(encoding="utf-8")
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


def _leaves(value: Any, path: str, ends: set[str]) -> dict[str, Any]:
    """Return the values below a path, by their paths. A path in `ends` is not followed further."""
    if path in ends or not isinstance(value, dict):
        return {path: value}
    found: dict[str, Any] = {}
    for key, each in value.items():
        found |= _leaves(each, f"{path}.{key}" if path else key, ends)
    return found


@pytest.mark.parametrize("name", ["argo-cd.yaml", "flux.yaml"])
def test_examples_have_only_documented_fields(name: str) -> None:
    """Each field of an example is one that the tool documents, and its value is one that it accepts."""
    for document in _documents(name).values():
        allowed = _FIELDS[document.pop("apiVersion"), document.pop("kind")]
        for path, value in _leaves(document, "", {path for path, kind in allowed.items() if kind is dict}).items():
            kind = allowed[path]
            if isinstance(kind, set):
                assert value in kind, path
            elif isinstance(kind, re.Pattern):
                assert kind.fullmatch(value), path
            else:
                assert isinstance(value, kind), path


def test_application_of_argo_cd_installs_the_chart() -> None:
    """The Application names this chart and the release, leaves the definition to the hook, and its values render."""
    application = _documents("argo-cd.yaml")["Application"]
    source, policy = application["spec"]["source"], application["spec"]["syncPolicy"]
    assert (_ROOT / source["path"] / "Chart.yaml").exists()
    # With tracking by labels, Argo CD would replace the label that the selectors read.
    assert application["metadata"]["name"] == source["helm"]["releaseName"] == RELEASE
    assert source["helm"]["skipCrds"] is True
    assert {*policy["syncOptions"]} == _SYNC_OPTIONS
    assert application["spec"]["destination"]["namespace"] == NAMESPACE
    _assert_simulated(render(source["helm"]["valuesObject"]))


def test_release_of_flux_installs_the_chart() -> None:
    """The HelmRelease names this chart and its source, never replaces a definition, and its values render."""
    documents = _documents("flux.yaml")
    release, source = documents["HelmRelease"], documents["GitRepository"]
    chart_spec = release["spec"]["chart"]["spec"]
    assert (_ROOT / chart_spec["chart"] / "Chart.yaml").exists()
    assert chart_spec["sourceRef"] == {"kind": "GitRepository", "name": source["metadata"]["name"]}
    namespaces = {each["metadata"]["namespace"] for each in (release, source)}
    assert namespaces == {documents["Namespace"]["metadata"]["name"]} == {NAMESPACE}
    assert (release["spec"]["install"]["crds"], release["spec"]["upgrade"]["crds"]) == ("Create", "Skip")
    assert release["spec"]["releaseName"] == RELEASE
    _assert_simulated(render(release["spec"]["values"]))


def _assert_simulated(manifests: Manifests) -> None:
    assert manifests.has("Deployment", f"{RELEASE}-simulator")


@pytest.mark.parametrize("name", COMBINATIONS)
def test_second_rendering_is_equal(name: str) -> None:
    """Two renderings with the same values have the same bytes, so a tool that compares them finds no difference.

    The first one may be from another test, and the second one is new.
    """
    assert combination(name).digest == rendered_now(COMBINATIONS[name]).digest


def test_templates_call_no_function_whose_results_differ() -> None:
    """No template calls a function of Helm that is random or reads the clock."""
    random = re.compile(r"\b(rand\w+|uuidv4|gen(CA|SelfSigned|Signed|PrivateKey)\w*|htpasswd|bcrypt|now|ago|date\w*)\b")
    for path in (_ROOT / "deploy/helm/financehub/templates").rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            actions = " ".join(re.findall(r"{{-?(?!-? */\*)(.*?)-?}}", text, re.DOTALL))
            without_strings = re.sub(r'"(?:[^"\\]|\\.)*"|`[^`]*`', "", actions)
            assert random.findall(without_strings) == [], path.name
