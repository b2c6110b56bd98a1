"""Tests `python -m financehub_scheduler.create_password` with the rights of the chart's hook."""

import asyncio
import base64
import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from financehub_scheduler.create_password import PasswordSecret, create
from financehub_scheduler.kubernetes.client.api import KubeApi
from financehub_scheduler.kubernetes.client.connection import Connection
from support.chart import NAMESPACE, render
from support.write_after_read import WriteAfterRead
from test_cluster.control_plane.cluster import Cluster
from test_cluster.control_plane.tokens import User

_SECONDS = 240
_NAME, _KEY = "financehub-redis", "redis-password"
#: With these annotations, Argo CD neither deletes nor reports the Secret.
_ARGO_CD = {
    "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
}


def _hook(values: Mapping[str, Any] | None = None) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the arguments of the chart's Job, and the rules of its Role."""
    manifests = render(dict(values or {}))
    name = "financehub-password"
    (container,) = manifests.one("Job", name)["spec"]["template"]["spec"]["containers"]
    assert container["command"][0] == "python"
    return container["command"][1:], manifests.one("Role", name)["rules"]


def _run(user: User, arguments: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments],
        env={"PATH": os.environ.get("PATH", os.defpath), "KUBECONFIG": str(user.kubeconfig)},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


def _path(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/secrets" + (f"/{name}" if name else "")


def _data(cluster: Cluster, namespace: str) -> dict[str, str]:
    data = cluster.request("GET", _path(namespace, _NAME)).get("data", {})
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def _user(cluster: Cluster, namespace: str) -> User:
    return cluster.user(namespace, "hook", _hook()[1])


def test_password_is_created_once_with_the_rights_of_the_hook(control_plane: Cluster, namespace: str) -> None:
    """The first Job creates a random password that it does not print. All later ones leave the Secret as it is."""
    user, (arguments, _) = _user(control_plane, namespace), _hook()
    first = _run(user, arguments)
    assert first.stdout == f"Secret {_NAME} is created, with a new password under the key {_KEY}\n"
    data = _data(control_plane, namespace)
    assert data.keys() == {_KEY}
    assert re.fullmatch(r"[A-Za-z0-9]{32}", data[_KEY])
    assert data[_KEY] not in first.stdout + first.stderr
    before = control_plane.request("GET", _path(namespace, _NAME))
    again = _run(user, arguments)
    assert again.stdout == f"Secret {_NAME} has a password under the key {_KEY}; it is left as it is\n"
    assert control_plane.request("GET", _path(namespace, _NAME)) == before


def test_new_secret_has_the_labels_of_the_documented_cleanup(control_plane: Cluster, namespace: str) -> None:
    """The Secret has the release's labels, and annotations with which Argo CD neither deletes nor reports it."""
    values = {"commonLabels": {"team": "quants", "cost-centre": "7"}}
    arguments, rules = _hook(values)
    assert _run(control_plane.user(namespace, "hook", rules), arguments).returncode == 0
    metadata = control_plane.request("GET", _path(namespace, _NAME))["metadata"]
    assert metadata["labels"] == {
        "app.kubernetes.io/name": "financehub",
        "app.kubernetes.io/instance": "financehub",
        "app.kubernetes.io/component": "redis",
        "app.kubernetes.io/part-of": "financehub",
        "team": "quants",
        "cost-centre": "7",
    }
    assert metadata["annotations"] == _ARGO_CD
    selector = "app.kubernetes.io/instance=financehub"
    control_plane.kubectl("delete", "secret", "--namespace", namespace, "--selector", selector)
    assert control_plane.request("GET", _path(namespace))["items"] == []


@pytest.mark.parametrize(
    "data",
    [None, {}, {"other": "b3RoZXI="}, {_KEY: ""}, {_KEY: "", "other": "b3RoZXI="}],
    ids=["no data", "empty", "another key", "empty value", "empty value beside another key"],
)
def test_secret_without_the_key_gets_it(control_plane: Cluster, namespace: str, data: dict[str, str] | None) -> None:
    """A Secret without a password under the key gets one there. Its other keys, labels and annotations stay."""
    metadata = {"name": _NAME, "labels": {"a": "b"}, "annotations": {"helm.sh/resource-policy": "keep"}}
    body = {"metadata": metadata} | ({} if data is None else {"data": data})
    control_plane.request("POST", _path(namespace), body)
    ended = _run(_user(control_plane, namespace), _hook()[0])
    assert ended.stdout == f"Secret {_NAME} had no key {_KEY}; a new password is added under it\n"
    found = _data(control_plane, namespace)
    assert re.fullmatch(r"[A-Za-z0-9]{32}", found.pop(_KEY))
    assert found == ({"other": "other"} if "other" in (data or {}) else {})
    stored = control_plane.request("GET", _path(namespace, _NAME))["metadata"]
    assert stored["labels"] == metadata["labels"]
    assert stored["annotations"] == {"helm.sh/resource-policy": "keep"} | _ARGO_CD


def test_secret_of_an_earlier_release_is_kept_by_argo_cd(control_plane: Cluster, namespace: str) -> None:
    """An existing Secret gets the annotations that it lacks. Its data and its other annotations stay as they are."""
    user, kept = _user(control_plane, namespace), {"helm.sh/resource-policy": "keep"}
    for annotations in (None, kept, kept | {"argocd.argoproj.io/compare-options": "mine"}):
        body = {"metadata": {"name": _NAME, "annotations": annotations}, "data": {_KEY: "b2xk"}, "immutable": True}
        control_plane.request("POST", _path(namespace), body)
        ended = _run(user, _hook()[0])
        assert "the password is left as it is" in ended.stdout, ended.stderr
        stored = control_plane.request("GET", _path(namespace, _NAME))
        assert stored["metadata"]["annotations"] == _ARGO_CD | (annotations or {})
        assert _data(control_plane, namespace) == {_KEY: "old"}
        assert _run(user, _hook()[0]).stdout.endswith("; it is left as it is\n")
        control_plane.request("DELETE", _path(namespace, _NAME))


def test_hook_has_rights_to_no_other_secret(control_plane: Cluster, namespace: str) -> None:
    """The hook's account can read and change only its Secret, and can list and delete none."""
    control_plane.request("POST", _path(namespace), {"metadata": {"name": "foreign"}, "data": {"a": "Yg=="}})
    user = _user(control_plane, namespace)

    def may(verb: str, what: str) -> bool:
        arguments = ("auth", "can-i", verb, what, "--namespace", namespace, "--quiet")
        return control_plane.kubectl(*arguments, kubeconfig=user.kubeconfig, check=False).returncode == 0

    assert [verb for verb in ("get", "patch") if may(verb, f"secret/{_NAME}")] == ["get", "patch"]
    others = [(verb, "secret/foreign") for verb in ("get", "patch", "update", "delete")]
    others += [("list", "secrets"), ("watch", "secrets"), ("delete", f"secret/{_NAME}"), ("get", "configmaps")]
    assert [other for other in others if may(*other)] == []


def test_refusal_is_one_line_with_exit_code_1(control_plane: Cluster, namespace: str) -> None:
    """Without the rights, the program says what it could not do, and the Job fails."""
    ended = _run(control_plane.user(namespace, "nobody"), _hook()[0])
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"cannot create the password in Secret {_NAME}: Forbidden: ")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("exists", [False, True], ids=["no Secret", "a Secret without the key"])
def test_password_of_another_job_is_never_replaced(
    exists: bool, control_plane: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If another Job writes a password between this Job's reading and writing, that password stays."""
    other = {"metadata": {"name": _NAME}, "data": {_KEY: base64.b64encode(b"theirs").decode()}}
    write = functools.partial(control_plane.request, "POST", _path(namespace), other)
    if exists:
        control_plane.request("POST", _path(namespace), {"metadata": {"name": _NAME}})
        write = functools.partial(
            control_plane.request,
            "PATCH",
            _path(namespace, _NAME),
            other,
            content_type="application/merge-patch+json",
        )
    monkeypatch.setenv("KUBECONFIG", str(_user(control_plane, namespace).kubeconfig))

    async def run() -> str:
        api = KubeApi(await Connection.load())
        try:
            return await create(PasswordSecret(_NAME, _KEY, {}, {}), WriteAfterRead(api, write))
        finally:
            await api.aclose()

    assert "left as it is" in asyncio.run(run())
    assert _data(control_plane, namespace) == {_KEY: "theirs"}


def test_many_jobs_at_once_agree_on_one_password(
    control_plane: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many Jobs at once, exactly one creates the Secret, and each key gets exactly one password."""
    monkeypatch.setenv("KUBECONFIG", str(_user(control_plane, namespace).kubeconfig))
    secrets = [PasswordSecret(_NAME, key, {}, {}) for key in (_KEY, "second") for _ in range(8)]

    async def run() -> list[str]:
        apis = [KubeApi(await Connection.load()) for _ in secrets]
        try:
            return await asyncio.gather(*(create(secret, api) for secret, api in zip(secrets, apis, strict=True)))
        finally:
            for api in apis:
                await api.aclose()

    said = asyncio.run(run())
    assert sum("is created" in each for each in said) == 1
    assert sum("is added under it" in each for each in said) == 1
    assert sum("left as it is" in each for each in said) == len(secrets) - 2
    assert _data(control_plane, namespace).keys() == {_KEY, "second"}


def test_names_that_look_like_numbers_stay_text() -> None:
    """With names, keys and labels that look like numbers, every argument of the Job is text."""
    labels = {"cost-centre": "0012", "urgent": "true"}
    values = {"redis": {"passwordKey": "7e5"}, "commonLabels": labels, "fullnameOverride": "hub"}
    manifests = render(values, release="12345", namespace="1234")
    (job,) = [each for each in manifests.all("Job") if each["metadata"]["name"].endswith("-password")]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert json.dumps(container["command"][3:5]) == '["hub-redis", "7e5"]'
    assert {"--label=cost-centre=0012", "--label=urgent=true"} <= {*container["command"]}
    assert "--label=app.kubernetes.io/instance=12345" in container["command"]
    (binding,) = [each for each in manifests.all("RoleBinding") if each["metadata"]["name"] == job["metadata"]["name"]]
    assert [each["namespace"] for each in binding["subjects"]] == ["1234"]
    assert NAMESPACE not in json.dumps(binding)
