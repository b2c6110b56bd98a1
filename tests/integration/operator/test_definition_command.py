"""Tests `python -m financehub_scheduler.manage_definition` with the rights of the chart's hooks."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from support.chart import render
from support.operator import Tasks
from support.waiting import eventually
from test_cluster.control_plane.control_plane import ControlPlane
from test_cluster.control_plane.manifests import install
from test_cluster.control_plane.tokens import User

_DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/scheduledtasks.financehub.io"
_SECONDS = 60


def _run(action: str, user: User) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "financehub_scheduler.manage_definition", action],
        env={"PATH": os.environ.get("PATH", os.defpath), "KUBECONFIG": str(user.kubeconfig)},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


def _rules(action: str) -> list[dict[str, Any]]:
    """Return the RBAC rules of the chart's hook. The last rule applies to all resources of a kind."""
    (role,) = [
        role
        for role in render({"crds": {"keep": False}}).all("ClusterRole")
        if role["metadata"]["name"].endswith(f"crd-{action}")
    ]
    return list(role["rules"])


def _version(plane: ControlPlane) -> dict[str, Any]:
    (version,) = plane.request("GET", _DEFINITION)["spec"]["versions"]
    return dict(version)


def test_manage_definition_creates_updates_and_deletes(own_control_plane: Callable[..., ControlPlane]) -> None:
    """`apply` creates or updates the definition and keeps its resources. `delete` removes it if it exists."""
    plane = own_control_plane()
    namespace = plane.create_namespace()
    applier = plane.user(namespace, "applier", cluster_rules=_rules("apply"))
    deleter = plane.user(namespace, "deleter", cluster_rules=_rules("delete"))
    nobody = plane.user(namespace, "nobody")

    refused = _run("apply", nobody)
    assert refused.returncode == 1
    assert refused.stderr.startswith("cannot apply the definition of ScheduledTasks: ")
    assert len(refused.stderr.splitlines()) == 1

    assert _run("apply", applier).stdout == "scheduledtasks.financehub.io is up to date\n"
    made = _version(plane)
    install(plane)
    tasks = Tasks(plane, namespace)
    tasks.apply("mine")
    older = [{"op": "remove", "path": "/spec/versions/0/additionalPrinterColumns"}]
    plane.request("PATCH", _DEFINITION, older, content_type="application/json-patch+json")
    assert _version(plane) != made
    assert _run("apply", applier).returncode == 0
    assert _version(plane) == made
    assert plane.kubectl("get", "st", "mine", "--namespace", namespace, "-o", "name").stdout

    assert _run("delete", deleter).stdout == "scheduledtasks.financehub.io is gone\n"
    eventually(lambda: not plane.kubectl("get", "crd", "-o", "name").stdout, "the definition is gone", within=90)
    assert _run("delete", deleter).returncode == 0
