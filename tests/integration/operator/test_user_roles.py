"""Tests the rights of real users to ScheduledTasks, and an install by the administrator of one namespace."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import helm_python

from support.chart import CHART, RELEASE, Document, render
from support.chart_values import merged
from support.hook_jobs import hook_jobs
from support.waiting import eventually
from test_cluster.control_plane.control_plane import ControlPlane
from test_cluster.control_plane.manifests import install
from test_cluster.control_plane.tokens import User

_READ = {"get", "list", "watch"}
_VERBS = _READ | {"create", "delete", "deletecollection", "patch", "update"}
#: What a user may do with ScheduledTasks and with their status, by the ClusterRole that the user has in a namespace.
_RIGHTS: dict[str, dict[str, set[str]]] = {
    "view": {"": _READ, "status": {"get"}},
    "edit": {"": _VERBS, "status": {"get"}},
    # An administrator of a namespace can only grant rights that they have, and the scheduler writes status.
    "admin": {"": _VERBS, "status": {"get", "patch"}},
}
#: What the chart's README tells the administrator of a namespace to set, apart from scheduler.namespaces.
OF_ONE_NAMESPACE: dict[str, Any] = {
    "crds": {"enabled": False},
    "admissionPolicy": {"enabled": False},
    "rbac": {"aggregateClusterRoles": False},
}
_TASK = {
    "apiVersion": "financehub.io/v1alpha1",
    "kind": "ScheduledTask",
    "metadata": {"name": "mine"},
    "spec": {"task": "health_check_task", "schedule": "@hourly"},
}


def _bind(plane: ControlPlane, namespace: str, role: str) -> User:
    """Return a user who has one of Kubernetes's ClusterRoles in a namespace."""
    user = plane.user(namespace, f"with-{role}")
    plane.kubectl(
        *("create", "rolebinding", f"with-{role}", "--namespace", namespace, f"--clusterrole={role}"),
        f"--serviceaccount={namespace}:with-{role}",
    )
    return user


def _rights(plane: ControlPlane, user: User, namespace: str) -> dict[str, set[str]]:
    """Return what the API server allows a user to do with ScheduledTasks, and with their status."""

    def allows(verb: str, part: str) -> bool:
        attributes = {"namespace": namespace, "group": "financehub.io", "resource": "scheduledtasks", "verb": verb}
        spec = {"user": user.name, "resourceAttributes": attributes | {"subresource": part}}
        review = plane.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": spec})
        return bool(review["status"]["allowed"])

    return {part: {verb for verb in _VERBS if allows(verb, part)} for part in ("", "status")}


def _roles_of_the_chart() -> list[Document]:
    roles = render().all("ClusterRole")
    return [each for each in roles if each["metadata"]["labels"]["app.kubernetes.io/component"] == "users"]


def _kubectl(plane: ControlPlane, user: User, *arguments: str, task: bool = False) -> str:
    done = plane.kubectl(*arguments, kubeconfig=user.kubeconfig, check=False, stdin=json.dumps(_TASK) if task else None)
    return "ok" if done.returncode == 0 else done.stderr


def test_users_of_a_namespace_have_exactly_the_rights_of_their_role(
    own_control_plane: Callable[..., ControlPlane],
) -> None:
    """With view, edit or admin of a namespace, a user has exactly these rights there, and no rights elsewhere.

    The roles of deploy/operator and those of the chart grant the same.
    """
    plane = own_control_plane(controller_manager=True)
    namespace, other = plane.create_namespace(), plane.create_namespace()
    users = {role: _bind(plane, namespace, role) for role in _RIGHTS}
    nothing: dict[str, set[str]] = {"": set(), "status": set()}

    def rights() -> dict[str, dict[str, set[str]]]:
        return {role: _rights(plane, user, namespace) for role, user in users.items()}

    # Without FinanceHub's roles, nobody but an administrator of the cluster has a right.
    assert rights() == dict.fromkeys(_RIGHTS, nothing)
    install(plane)
    eventually(lambda: rights() == _RIGHTS, "the roles of deploy/operator are aggregated", within=120)
    assert [_rights(plane, user, other) for user in users.values()] == [nothing] * 3

    view, edit, admin = users.values()
    assert "forbidden" in _kubectl(plane, view, "apply", "-f", "-", task=True)
    assert _kubectl(plane, edit, "apply", "-f", "-", task=True) == "ok"
    assert _kubectl(plane, edit, "annotate", "st", "mine", "financehub.io/trigger=1") == "ok"
    assert _kubectl(plane, view, "describe", "st", "mine") == "ok"
    assert _kubectl(plane, view, "get", "financehub") == "ok"
    assert "forbidden" in _kubectl(plane, view, "delete", "st", "mine")
    assert "forbidden" in _kubectl(plane, edit, "get", "st", "--namespace", other)
    assert "forbidden" in _kubectl(plane, admin, "get", "st", "--all-namespaces")
    assert _kubectl(plane, edit, "delete", "st", "mine") == "ok"

    plane.kubectl("delete", "clusterroles", "financehub-view", "financehub-edit", "financehub-admin")
    eventually(lambda: rights() == dict.fromkeys(_RIGHTS, nothing), "the roles are gone", within=120)
    roles = json.dumps({"apiVersion": "v1", "kind": "List", "items": _roles_of_the_chart()})
    plane.kubectl("apply", "-f", "-", stdin=roles)
    eventually(lambda: rights() == _RIGHTS, "the roles of the chart are aggregated", within=120)


def test_administrator_of_a_namespace_installs_and_removes_a_release(
    own_control_plane: Callable[..., ControlPlane], tmp_path: Path
) -> None:
    """With the documented values, a user with admin in one namespace installs, upgrades and removes a release.

    An administrator of the cluster has applied deploy/operator once.
    """
    plane = own_control_plane(controller_manager=True)
    install(plane)
    namespace = plane.create_namespace()
    admin = _bind(plane, namespace, "admin")
    eventually(lambda: _rights(plane, admin, namespace) == _RIGHTS["admin"], "the roles are aggregated", within=120)
    values = merged(OF_ONE_NAMESPACE, {"scheduler": {"namespaces": [namespace]}})

    chart = _without_crds(tmp_path)
    with hook_jobs(plane, namespace) as jobs, _helm(admin) as helm:
        helm.install(chart, RELEASE, values)
        helm.upgrade(chart, RELEASE, merged(values, {"scheduler": {"replicas": 1}}))
        assert [name for name, _ in jobs.ended] == ["financehub-password"] * 2
        stored = json.loads(plane.kubectl("get", "st", "--namespace", namespace, "-o", "json").stdout)
        assert stored["items"]
        found = json.loads(plane.kubectl("get", "clusterroles", "-o", "json").stdout)["items"]
        assert [each["metadata"]["name"] for each in found if namespace in each["metadata"]["name"]] == []
        helm.uninstall(RELEASE)
    assert _kubectl(plane, admin, "get", "secret", "financehub-redis") == "ok"


def _helm(user: User) -> helm_python.Config:
    return helm_python.Config(kubeconfig_path=user.kubeconfig, namespace=user.namespace)


def _without_crds(folder: Path) -> Path:
    """Return the chart as `helm install --skip-crds` installs it. The library has no such option."""
    chart = folder / "financehub"
    shutil.copytree(CHART, chart, ignore=shutil.ignore_patterns("crds"))
    return chart
