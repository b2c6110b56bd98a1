"""`python -m financehub_scheduler.manage_definition`, as the chart's hooks run it, with the rights that they have."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from support.chart import render
from support.control_plane.control_plane import ControlPlane
from support.control_plane.manifests import install
from support.control_plane.tokens import User
from support.operator import Tasks
from support.schedules import eventually

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
    """What the chart lets the hook do; what it may to all of a kind comes last."""
    (role,) = [
        each
        for each in render({"crds": {"keep": False}}).all("ClusterRole")
        if each["metadata"]["name"].endswith(f"crd-{action}")
    ]
    return list(role["rules"])


def _version(plane: ControlPlane) -> dict[str, Any]:
    (version,) = plane.request("GET", _DEFINITION)["spec"]["versions"]
    return dict(version)


def test_the_definition_comes_is_mended_and_goes(own_control_plane: Callable[..., ControlPlane]) -> None:
    """`apply` creates the definition or mends an older one, its resources kept; `delete` removes it if it is there."""
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
    eventually(lambda: not plane.kubectl("get", "crd", "-o", "name").stdout, "the definition is gone", within=30)
    assert _run("delete", deleter).returncode == 0
