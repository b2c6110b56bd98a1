"""Tests of a release's RBAC rights and hooks."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from support.chart import NAMESPACE, Document, Manifests, render

OPERATOR = Path(__file__).parents[3] / "deploy" / "operator"
RBAC = list(yaml.safe_load_all((OPERATOR / "rbac.yaml").read_text(encoding="utf-8")))
_DEFINITIONS = "customresourcedefinitions"


def _rules(documents: list[Document], kind: str, *, namespace: str | None = None) -> list[Document]:
    return [
        rule
        for each in documents
        if each["kind"] == kind and each["metadata"].get("namespace") == namespace and not _hook(each)
        for rule in each["rules"]
    ]


def _hook(document: Document) -> str:
    return document["metadata"].get("annotations", {}).get("helm.sh/hook", "")


def test_scheduler_has_the_rights_of_the_operator():
    """The scheduler has the rights of deploy/operator/rbac.yaml, each of which has its own test."""
    rendered = render().documents
    assert _rules(rendered, "ClusterRole") == _rules(RBAC, "ClusterRole")
    assert _rules(rendered, "Role") == _rules(RBAC, "Role", namespace="financehub")


@pytest.mark.parametrize("release", ["financehub", "blue"])
def test_scheduler_has_rights_to_its_own_lease_only(release: str):
    """The Lease has the release's name, and the scheduler has no rights to any other Lease."""
    manifests = render(release=release)
    (scheduler,) = [each for each in manifests.all("Deployment") if each["metadata"]["name"].endswith("-scheduler")]
    (container,) = scheduler["spec"]["template"]["spec"]["containers"]
    (lease,) = [each.partition("=")[2] for each in container["command"] if each.startswith("--lease=")]
    assert lease == scheduler["metadata"]["name"]
    named = [rule["resourceNames"] for rule in _rules(manifests.documents, "Role") if "update" in rule["verbs"]]
    assert named == [[lease]]


def test_scheduler_with_namespaces_has_no_cluster_rights():
    """With `scheduler.namespaces`, the scheduler has the same rights in each namespace and no cluster-wide rights."""
    rendered = render({"scheduler": {"namespaces": ["market", "research"]}}).documents
    assert _rules(rendered, "ClusterRole") == []
    wanted = [rule for rule in _rules(RBAC, "ClusterRole") if rule["resources"] != [_DEFINITIONS]]
    for namespace in ("market", "research"):
        assert _rules(rendered, "Role", namespace=namespace) == wanted
        (binding,) = [
            each
            for each in rendered
            if each["kind"] == "RoleBinding" and each["metadata"].get("namespace") == namespace and not _hook(each)
        ]
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": "financehub-scheduler", "namespace": NAMESPACE}
        ]


def _hooked(manifests: Manifests, hook: str) -> dict[str, Document]:
    return {each["kind"]: each for each in manifests.documents if hook in _hook(each).split(",")}


@pytest.mark.parametrize(
    ("crds", "hooks"),
    [
        ({}, {"pre-upgrade": "apply", "pre-rollback": "apply"}),
        ({"keep": False}, {"pre-upgrade": "apply", "pre-rollback": "apply", "post-delete": "delete"}),
        ({"enabled": False}, {}),
        ({"enabled": False, "keep": False}, {}),
    ],
    ids=str,
)
def test_definition_is_updated_and_deleted_as_configured(crds: dict[str, Any], hooks: dict[str, str]):
    """An upgrade or rollback updates the CRD, and an uninstall deletes it only with `crds.keep=false`."""
    manifests = render({"crds": crds})
    for hook in ("pre-install", "pre-upgrade", "pre-rollback", "post-delete"):
        found = _hooked(manifests, hook)
        if hook not in hooks:
            assert found == {}
            continue
        assert found.keys() == {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Job"}
        (container,) = found["Job"]["spec"]["template"]["spec"]["containers"]
        assert container["command"] == ["python", "-m", "financehub_scheduler.manage_definition", hooks[hook]]


def test_hooks_have_rights_to_one_definition_only():
    """A hook's rights apply to one CRD only, except the right to create, which cannot be limited by name."""
    manifests = render({"crds": {"keep": False}})
    for hook, verb in (("pre-upgrade", "patch"), ("post-delete", "delete")):
        named, *others = _hooked(manifests, hook)["ClusterRole"]["rules"]
        assert (named["resourceNames"], named["verbs"]) == (["scheduledtasks.financehub.io"], [verb])
        assert [rule["verbs"] for rule in others] == ([["create"]] if hook == "pre-upgrade" else [])
        assert {*named["resources"], *(each for rule in others for each in rule["resources"])} == {_DEFINITIONS}


def test_hook_resources_are_deleted_and_ordered():
    """Helm deletes a hook's resources after the hook succeeded, and creates its Job after its other resources."""
    for each in render({"crds": {"keep": False}}).documents:
        if hook := _hook(each):
            policies = each["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
            assert policies == "before-hook-creation,hook-succeeded"
            weight = int(each["metadata"]["annotations"].get("helm.sh/hook-weight", "0"))
            assert hook == "test" or (weight == 0) == (each["kind"] == "Job")


def test_admission_policy_is_that_of_the_operator():
    """The admission policy equals that of deploy/operator with the release's labels, and can be disabled."""
    policies = list(yaml.safe_load_all((OPERATOR / "admission-policy.yaml").read_text(encoding="utf-8")))
    kinds = {each["kind"] for each in policies}
    rendered = render().all(*kinds)
    labels = [each["metadata"].pop("labels") for each in rendered]
    assert {each["app.kubernetes.io/instance"] for each in labels} == {"financehub"}
    assert rendered == policies
    assert render({"admissionPolicy": {"enabled": False}}).all(*kinds) == []
