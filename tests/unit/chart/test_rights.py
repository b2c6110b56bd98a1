"""Tests of a release's RBAC rights and hooks."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from support.chart import NAMESPACE, Document, Manifests, render

OPERATOR = Path(__file__).parents[3] / "deploy" / "operator"
RBAC = list(yaml.load_all((OPERATOR / "rbac.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
USER_ROLES = list(yaml.load_all((OPERATOR / "user-roles.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
_RIGHTS = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
_DEFINITIONS = "customresourcedefinitions"


def _rules(documents: list[Document], kind: str, *, namespace: str | None = None) -> list[Document]:
    return [
        rule
        for each in documents
        if each["kind"] == kind and each["metadata"].get("namespace") == namespace
        if not _hook(each) and not _is_for_users(each)
        for rule in each["rules"]
    ]


def _is_for_users(role: Document) -> bool:
    return any("/aggregate-to-" in label for label in role["metadata"].get("labels", {}))


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


def test_users_have_the_rights_of_the_operator():
    """The ClusterRoles for users equal those of deploy/operator, under names that no other release has."""
    rendered = [each for each in render(namespace="1234").all("ClusterRole") if _is_for_users(each)]
    assert [each["metadata"]["name"] for each in rendered] == [
        f"1234-{each['metadata']['name']}" for each in USER_ROLES
    ]
    assert [each["rules"] for each in rendered] == [each["rules"] for each in USER_ROLES]
    for ours, theirs in zip(rendered, USER_ROLES, strict=True):
        aggregated = {label: value for label, value in ours["metadata"]["labels"].items() if "/aggregate-to-" in label}
        assert aggregated == theirs["metadata"]["labels"]


#: With these, the hooks use existing accounts, which have rights without the chart's roles.
_EXISTING_ACCOUNT = {"serviceAccount": {"create": False, "name": "mine"}}
_EXISTING_RIGHTS = {"crds": {"keep": False} | _EXISTING_ACCOUNT, "redis": {"passwordJob": _EXISTING_ACCOUNT}}


@pytest.mark.parametrize("rbac", [{"aggregateClusterRoles": False}, {"create": False}], ids=str)
def test_roles_for_users_can_be_disabled(rbac: dict[str, bool]):
    """An administrator of a namespace, who cannot create ClusterRoles, leaves those for users out."""
    rendered = render({"rbac": rbac} | _EXISTING_RIGHTS)
    assert [each for each in rendered.all("ClusterRole") if _is_for_users(each)] == []


def test_without_rbac_only_roles_and_bindings_are_missing():
    """With `rbac.create=false`, the release has no role and no binding, and everything else unchanged."""
    without = render({"rbac": {"create": False}} | _EXISTING_RIGHTS)
    assert without.all(*_RIGHTS) == []
    complete = render(_EXISTING_RIGHTS)
    assert without.documents == [each for each in complete.documents if each["kind"] not in _RIGHTS]


def test_namespace_installation_has_no_cluster_wide_resource():
    """With the values for the administrator of a namespace, every resource is in that namespace."""
    values = {
        "crds": {"enabled": False},
        "admissionPolicy": {"enabled": False},
        "rbac": {"aggregateClusterRoles": False},
        "scheduler": {"namespaces": [NAMESPACE]},
    }
    documents = render(values).documents
    assert [each for each in documents if each["kind"].startswith(("Cluster", "Validating", "Custom"))] == []
    assert {each["metadata"].get("namespace", NAMESPACE) for each in documents} == {NAMESPACE}


def test_release_without_the_values_of_rbac_has_all_rights():
    """A release whose values are older than `rbac` (`--reuse-values`) keeps its rights."""
    assert len(render({"rbac": None}).all(*_RIGHTS)) == len(render().all(*_RIGHTS)) > 0


def _hooked(manifests: Manifests, hook: str) -> dict[str, Document]:
    """Return the resources of a hook that manages the definition, by kind."""
    return {
        each["kind"]: each
        for each in manifests.documents
        if hook in _hook(each).split(",") and "-crd-" in each["metadata"]["name"]
    }


_APPLIED = dict.fromkeys(("pre-install", "pre-upgrade", "pre-rollback"), "apply")


@pytest.mark.parametrize(
    ("crds", "hooks"),
    [
        ({}, _APPLIED),
        ({"keep": False}, {**_APPLIED, "post-delete": "delete"}),
        ({"enabled": False}, {}),
        ({"enabled": False, "keep": False}, {}),
    ],
    ids=str,
)
def test_definition_is_updated_and_deleted_as_configured(crds: dict[str, Any], hooks: dict[str, str]):
    """An install, upgrade or rollback updates the CRD, and an uninstall deletes it only with `crds.keep=false`."""
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
    for hook, verbs in (("pre-upgrade", ["get", "patch"]), ("post-delete", ["get", "delete"])):
        named, *others = _hooked(manifests, hook)["ClusterRole"]["rules"]
        assert (named["resourceNames"], named["verbs"]) == (["scheduledtasks.financehub.io"], verbs)
        assert [rule["verbs"] for rule in others] == ([["create"]] if hook == "pre-upgrade" else [])
        assert {*named["resources"], *(each for rule in others for each in rule["resources"])} == {_DEFINITIONS}


def test_admission_policy_is_that_of_the_operator():
    """The admission policy equals that of deploy/operator with the release's labels, and can be disabled."""
    policies = list(
        yaml.load_all((OPERATOR / "admission-policy.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    )
    kinds = {each["kind"] for each in policies}
    rendered = render().all(*kinds)
    labels = [each["metadata"].pop("labels") for each in rendered]
    assert {each["app.kubernetes.io/instance"] for each in labels} == {"financehub"}
    assert rendered == policies
    assert render({"admissionPolicy": {"enabled": False}}).all(*kinds) == []
