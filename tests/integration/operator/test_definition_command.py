"""Tests `python -m financehub_scheduler.manage_definition` with the rights of the chart's hooks."""

import asyncio
import functools
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import helm_python
import pytest

from financehub_scheduler import chart_hook
from financehub_scheduler.api.manifests.definition import VERSION_ANNOTATION, definition
from financehub_scheduler.kubernetes.client.api import Api, KubeApi
from financehub_scheduler.kubernetes.client.connection import Connection
from financehub_scheduler.manage_definition import apply_definition
from financehub_shared.core.release import release_version
from financehub_shared.core.version_order import version_order
from support.chart import CHART, RELEASE, render
from support.operator import Tasks
from support.waiting import eventually
from support.write_after_read import WriteAfterRead
from test_cluster.control_plane.control_plane import ControlPlane
from test_cluster.control_plane.manifests import install
from test_cluster.control_plane.tokens import User

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_NAME = "scheduledtasks.financehub.io"
_DEFINITION = f"{_DEFINITIONS}/{_NAME}"
_SECONDS = 240
#: The version of the definition in the cluster, and whether this release, 0.2.0, replaces that definition. None is a
#: definition without a version.
_PAIRS: list[tuple[str | None, bool]] = [
    (None, True),
    ("0.1.0", True),
    ("0.1", True),
    ("0.2.0-rc.1", True),
    ("0.2.0rc2", True),
    ("0.2.0.dev5", True),
    ("0.2.0", True),
    ("v0.2.0", True),
    ("0.2.0+build.7", True),
    ("0.2.0.post1", False),
    ("0.2.1-alpha.1", False),
    ("0.2.1", False),
    ("0.3.0rc1", False),
    ("0.10.0", False),
    ("1.0.0-rc.1", False),
    ("10", False),
]
#: Values of the annotation that FinanceHub never writes.
_GARBAGE = ["", " ", "latest", "main-4f2c", "0.2.x", "0.2.0-nightly.1", "<script>", "٣.٢", "\u001b[31m0.3.0"]


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


def _annotation(plane: ControlPlane) -> str | None:
    annotations = plane.request("GET", _DEFINITION)["metadata"].get("annotations", {})
    return annotations.get(VERSION_ANNOTATION)


def _annotate(plane: ControlPlane, value: str | None) -> None:
    body = {"metadata": {"annotations": {VERSION_ANNOTATION: value}}}
    plane.request("PATCH", _DEFINITION, body, content_type="application/merge-patch+json")


def _body(version: str) -> dict[str, Any]:
    """Return the definition of a release, with a description by which tests see which one is stored."""
    body = definition()
    body["metadata"]["annotations"][VERSION_ANNOTATION] = version
    body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = f"of {version}"
    return body


async def _apply(body: dict[str, Any], api: Api) -> str:
    return await chart_hook.until_done(functools.partial(apply_definition, api, body))


def _connected(work: Callable[[KubeApi], Any]) -> Any:
    async def run() -> Any:
        api = KubeApi(await Connection.load())
        try:
            return await work(api)
        finally:
            await api.aclose()

    return asyncio.run(run())


def test_manage_definition_creates_updates_and_deletes(own_control_plane: Callable[..., ControlPlane]) -> None:
    """`apply` creates or updates the definition and keeps its resources. `delete` removes it if it exists."""
    plane = own_control_plane()
    namespace = plane.create_namespace()
    applier = plane.user(namespace, "applier", cluster_rules=_rules("apply"))
    deleter = plane.user(namespace, "deleter", cluster_rules=_rules("delete"))
    nobody = plane.user(namespace, "nobody")
    fields = f"with the fields of FinanceHub {release_version()}\n"

    refused = _run("apply", nobody)
    assert refused.returncode == 1
    assert refused.stderr.startswith("cannot apply the definition of ScheduledTasks: ")
    assert len(refused.stderr.splitlines()) == 1

    assert _run("apply", applier).stdout == f"{_NAME} is created, {fields}"
    assert _annotation(plane) == release_version()
    made = _version(plane)
    install(plane)
    tasks = Tasks(plane, namespace)
    tasks.apply("mine")
    older = [{"op": "remove", "path": "/spec/versions/0/additionalPrinterColumns"}]
    plane.request("PATCH", _DEFINITION, older, content_type="application/json-patch+json")
    assert _version(plane) != made
    assert _run("apply", applier).stdout == f"{_NAME} is up to date, {fields}"
    assert _version(plane) == made
    assert plane.kubectl("get", "st", "mine", "--namespace", namespace, "-o", "name").stdout

    # The definition of a newer release, which this one would damage.
    _annotate(plane, "999.0.0")
    plane.request("PATCH", _DEFINITION, older, content_type="application/json-patch+json")
    newer = plane.request("GET", _DEFINITION)
    left = _run("apply", applier)
    assert left.returncode == 0
    assert left.stdout.startswith(f"{_NAME} belongs to FinanceHub 999.0.0, which is newer than this release")
    assert plane.request("GET", _DEFINITION) == newer

    _annotate(plane, "soon")
    unclear = _run("apply", applier)
    assert unclear.returncode == 1
    assert f"the annotation {VERSION_ANNOTATION} of {_NAME} is 'soon', which is not a version" in unclear.stderr
    (command,) = [each for each in unclear.stderr.split("`") if each.startswith("kubectl ")]
    plane.kubectl(*command.split()[1:])
    assert _run("apply", applier).stdout == f"{_NAME} is up to date, {fields}"
    assert _version(plane) == made

    assert _run("delete", deleter).stdout == f"{_NAME} is gone\n"
    eventually(lambda: not plane.kubectl("get", "crd", "-o", "name").stdout, "the definition is gone", within=90)
    assert _run("delete", deleter).returncode == 0


def test_definition_of_a_newer_release_is_left_alone(
    own_control_plane: Callable[..., ControlPlane], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a definition that is not newer is replaced. One whose version cannot be read is refused, and unchanged."""
    plane = own_control_plane()
    applier = plane.user(plane.create_namespace(), "applier", cluster_rules=_rules("apply"))
    monkeypatch.setenv("KUBECONFIG", str(applier.kubeconfig))
    ours = _body("0.2.0")
    for theirs, replaced in _PAIRS:
        stored = _body(theirs or "0.1.0")
        stored["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = "theirs"
        plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(stored))
        if theirs is None:
            _annotate(plane, None)
        said = _connected(functools.partial(_apply, ours))
        description = _version(plane)["schema"]["openAPIV3Schema"]["description"]
        assert (description == "of 0.2.0") == replaced, (theirs, said)
        assert _annotation(plane) == ("0.2.0" if replaced else theirs)
        assert ("left as it is" in said) != replaced, (theirs, said)
        assert replaced or f"FinanceHub {theirs}, which is newer than this release (0.2.0)" in said
    for garbage in _GARBAGE:
        _annotate(plane, garbage)
        before = plane.request("GET", _DEFINITION)
        with pytest.raises(chart_hook.HookRefusedError, match="which is not a version"):
            _connected(functools.partial(_apply, ours))
        assert plane.request("GET", _DEFINITION) == before, garbage


@pytest.mark.parametrize("exists", [False, True], ids=["no definition", "an older definition"])
def test_hook_that_is_overtaken_by_a_newer_release_leaves_its_definition_alone(
    exists: bool, own_control_plane: Callable[..., ControlPlane], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a newer release writes between this hook's reading and writing, the newer definition stays."""
    plane = own_control_plane()
    applier = plane.user(plane.create_namespace(), "applier", cluster_rules=_rules("apply"))
    monkeypatch.setenv("KUBECONFIG", str(applier.kubeconfig))
    apply = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    if exists:
        plane.kubectl(*apply, stdin=json.dumps(_body("0.1.0")))

    def write() -> None:
        plane.kubectl(*apply, stdin=json.dumps(_body("0.3.0")))

    said = _connected(lambda api: _apply(_body("0.2.0"), WriteAfterRead(api, write)))
    assert "belongs to FinanceHub 0.3.0" in said
    assert _annotation(plane) == "0.3.0"
    assert _version(plane)["schema"]["openAPIV3Schema"]["description"] == "of 0.3.0"


def test_hooks_of_several_releases_at_once_leave_the_newest_definition(
    own_control_plane: Callable[..., ControlPlane], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the order, the definition is that of the newest release when all hooks have ended, and none fails."""
    plane = own_control_plane()
    applier = plane.user(plane.create_namespace(), "applier", cluster_rules=_rules("apply"))
    monkeypatch.setenv("KUBECONFIG", str(applier.kubeconfig))
    versions = ["0.1.0", "0.2.0-rc.1", "0.2.0", "0.10.0"]
    source = random.Random(3)

    async def all_at_once(api: KubeApi) -> list[str]:
        return await asyncio.gather(*(_apply(_body(each), api) for each in source.sample(versions, k=len(versions))))

    for _ in range(5):
        _connected(all_at_once)
        assert _annotation(plane) == "0.10.0"
        assert _version(plane)["schema"]["openAPIV3Schema"]["description"] == "of 0.10.0"
        _annotate(plane, None)


@pytest.mark.parametrize("version", ["0.1.0", "0.3.0"])
def test_install_with_helm_4_replaces_no_definition_of_another_version(
    version: str, own_control_plane: Callable[..., ControlPlane], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Helm 4 applies the definition itself. It refuses to change that of another release, whether older or newer."""
    plane = own_control_plane()
    namespace = plane.create_namespace()
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig))
    _connected(functools.partial(_apply, _body(version)))
    before = plane.request("GET", _DEFINITION)["spec"]
    off = {"crds": {"enabled": False}, "redis": {"existingSecret": "mine"}}
    with (
        helm_python.Config(kubeconfig_path=plane.kubeconfig, namespace=namespace) as helm,
        pytest.raises(helm_python.HelmError, match=r"(?s)failed to install CRD.*conflicts? with \"financehub\""),
    ):
        helm.install(CHART, RELEASE, off)
    assert plane.request("GET", _DEFINITION)["spec"] == before


def test_pairs_cover_both_decisions() -> None:
    """The table agrees with the order of versions, so that neither can be wrong alone."""
    ours = version_order("0.2.0")
    assert ours is not None
    for theirs, replaced in _PAIRS:
        if theirs is not None:
            order = version_order(theirs)
            assert order is not None
            assert (order <= ours) == replaced, theirs
    assert all(version_order(each) is None for each in _GARBAGE)
