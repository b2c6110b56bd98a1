"""The programs of the chart's hooks while the API server does not answer, or answers after it was given up."""

import asyncio
import base64
import functools
import os
import random
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from financehub_scheduler import chart_hook
from financehub_scheduler.api.manifests.definition import definition
from financehub_scheduler.create_password import PasswordSecret, create
from financehub_scheduler.kubernetes.client.api import Api, ApiError, ApiRequest, ApiUnreachableError, KubeApi
from financehub_scheduler.kubernetes.client.connection import Connection
from financehub_scheduler.manage_definition import apply, apply_definition, delete
from support.waiting import eventually
from test_cluster.control_plane.control_plane import ControlPlane

_SEEDS = 8
_NAME, _KEY = "hub-redis", "redis-password"
_DEFINITION = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition()['metadata']['name']}"
_FAILURES = [
    ApiUnreachableError("the answer was lost"),
    *(ApiError(status, "", "busy") for status in (429, 500, 502, 503, 504)),
]


class _Unreliable:
    """A connection on which some requests are lost, and some are executed although their answers are lost."""

    def __init__(self, api: KubeApi, seed: int) -> None:
        self._api = api
        self._random = random.Random(seed)
        self.lost = 0

    @property
    def namespace(self) -> str:
        return self._api.namespace

    async def send(self, request: ApiRequest) -> Any:
        fate = self._random.choice(["answered", "lost", "executed"])
        if fate == "lost":
            self.lost += 1
            raise self._random.choice(_FAILURES)
        answer = await self._api.send(request)
        if fate == "executed":
            self.lost += 1
            raise self._random.choice(_FAILURES)
        return answer


@pytest.fixture
def plane(own_control_plane: Callable[..., ControlPlane], monkeypatch: pytest.MonkeyPatch) -> ControlPlane:
    """A control plane with which this process is connected as an administrator."""
    plane = own_control_plane()
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig))
    monkeypatch.setattr(chart_hook, "OUTAGE_SECONDS", 0.01)
    return plane


def _unreliably(work: Callable[[Api], Awaitable[str]], seed: int) -> int:
    """Do work on an unreliable connection, and return the number of lost answers."""

    async def run() -> int:
        api = KubeApi(await Connection.load())
        try:
            unreliable = _Unreliable(api, seed)
            await work(unreliable)
            return unreliable.lost
        finally:
            await api.aclose()

    return asyncio.run(run())


def test_hooks_with_lost_answers_do_their_work_once(plane: ControlPlane) -> None:
    """Whichever answers are lost, the Secret has one lasting password, and the definition is created and deleted."""
    lost = 0
    for seed in range(_SEEDS):
        secret = f"/api/v1/namespaces/default/secrets/{_NAME}-{seed}"
        work = functools.partial(create, PasswordSecret(f"{_NAME}-{seed}", _KEY, {}, {}))
        lost += _unreliably(work, seed)
        first = plane.request("GET", secret)["data"][_KEY]
        assert len(base64.b64decode(first)) == 32
        lost += _unreliably(work, seed + 1_000)
        assert plane.request("GET", secret)["data"][_KEY] == first

        lost += _unreliably(apply, seed)
        found = plane.request("GET", _DEFINITION)
        assert found["metadata"]["annotations"] == definition()["metadata"]["annotations"]
        lost += _unreliably(delete, seed)
        eventually(lambda: not plane.kubectl("get", "crd", "-o", "name").stdout, "the definition is gone")
    assert lost > _SEEDS


def test_hook_with_lost_answers_leaves_a_newer_definition_alone(plane: ControlPlane) -> None:
    """A newer release may write while this hook waits for an answer. Its definition stays."""
    newer = definition()
    newer["metadata"]["annotations"] = dict.fromkeys(newer["metadata"]["annotations"], "999.0.0")
    for seed in range(_SEEDS):

        async def both(api: Api) -> str:
            theirs = functools.partial(apply_definition, api, newer)
            return " ".join(await asyncio.gather(apply(api), chart_hook.until_done(theirs)))

        _unreliably(both, seed)
        assert set(plane.request("GET", _DEFINITION)["metadata"]["annotations"].values()) == {"999.0.0"}
        plane.request("DELETE", _DEFINITION)
        eventually(lambda: not plane.kubectl("get", "crd", "-o", "name").stdout, "the definition is gone")


def test_hook_that_starts_before_the_api_server_waits_for_it(plane: ControlPlane) -> None:
    """A hook that finds no API server says so, and does its work as soon as the API server is back."""
    plane.stop_api_server()
    hook = subprocess.Popen(
        [sys.executable, "-m", "financehub_scheduler.manage_definition", "apply"],
        env={"PATH": os.environ.get("PATH", os.defpath), "KUBECONFIG": str(plane.kubeconfig)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert hook.stderr is not None
        assert "; trying again, for 120 s at most" in hook.stderr.readline()
        plane.start_api_server()
        output, _ = hook.communicate(timeout=180)
    finally:
        hook.kill()
        hook.wait()
    assert hook.returncode == 0
    assert "is created" in output
