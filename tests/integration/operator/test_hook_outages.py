"""Tests the programs of the chart's hooks while the API server does not answer, or while its answers are lost."""

import asyncio
import base64
import functools
import os
import random
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from financehub_scheduler import chart_hook
from financehub_scheduler.api.manifests.definition import definition
from financehub_scheduler.create_password import PasswordSecret, create
from financehub_scheduler.kubernetes.client.api import Api, ApiError, ApiRequest, ApiUnreachableError, KubeApi
from financehub_scheduler.kubernetes.client.connection import REQUEST_SECONDS, Connection
from financehub_scheduler.manage_definition import apply, apply_definition, delete
from support.chart import render
from support.waiting import eventually
from test_cluster.control_plane.control_plane import ControlPlane

_SEEDS = 8
#: The limit of the product. The tests of this folder have a longer one.
_LIMIT_SECONDS = chart_hook.LIMIT_SECONDS
_NAME, _KEY = "hub-redis", "redis-password"
_DEFINITION = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition()['metadata']['name']}"
_FAILURES = [
    ApiUnreachableError("the answer was lost"),
    *(ApiError(status, "", "busy") for status in (429, 500, 502, 503, 504)),
]


class _Unreliable:
    """A connection on which some requests are lost, and some are executed although their answers are lost."""

    def __init__(self, api: Api, seed: int) -> None:
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
    """A control plane, and in this process patient hooks that have the rights of the chart's hooks."""
    plane = own_control_plane()
    crds = render({"crds": {"keep": False}}).all("ClusterRole")
    password = render({}).one("Role", "financehub-password")["rules"]
    rules = [rule for role in crds if "-crd-" in role["metadata"]["name"] for rule in role["rules"]]
    secrets = [{name: value for name, value in rule.items() if name != "resourceNames"} for rule in password]
    user = plane.user(plane.create_namespace(), "hook", secrets, cluster_rules=rules)
    monkeypatch.setenv("KUBECONFIG", str(user.kubeconfig))
    monkeypatch.setattr(chart_hook, "OUTAGE_SECONDS", 0.01)
    return plane


def _namespace() -> str:
    """Return the namespace of the hooks of this process."""
    return asyncio.run(Connection.load()).namespace


def _gone(plane: ControlPlane) -> bool:
    return not plane.kubectl("get", "crd", "-o", "name").stdout


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
    lost, namespace = 0, _namespace()
    for seed in range(_SEEDS):
        secret = f"/api/v1/namespaces/{namespace}/secrets/{_NAME}-{seed}"
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
        eventually(lambda: _gone(plane), "the definition is gone")
    assert lost > _SEEDS


def test_hook_with_lost_answers_leaves_a_newer_definition_alone(plane: ControlPlane) -> None:
    """A newer release may write while this hook waits for an answer. Its definition stays."""
    newer = definition()
    newer["metadata"]["annotations"] = dict.fromkeys(newer["metadata"]["annotations"], "999.0.0")

    async def both(seed: int, api: Api) -> str:
        theirs = functools.partial(apply_definition, _Unreliable(api, seed + 1_000), newer)
        return " ".join(await asyncio.gather(apply(api), chart_hook.until_done(theirs)))

    for seed in range(_SEEDS):
        _unreliably(functools.partial(both, seed), seed)
        assert set(plane.request("GET", _DEFINITION)["metadata"]["annotations"].values()) == {"999.0.0"}
        plane.request("DELETE", _DEFINITION)
        eventually(lambda: _gone(plane), "the definition is gone")


def test_hook_that_deletes_never_deletes_a_definition_that_was_created_since(plane: ControlPlane) -> None:
    """If the answer to its deletion is lost and another release installs the definition, that definition stays."""

    class Reinstalled(_Unreliable):
        """A connection that loses the answer to the first deletion, after which the definition is created again."""

        async def send(self, request: ApiRequest) -> Any:
            answer = await self._api.send(request)
            if request.method == "DELETE" and not self.lost:
                self.lost += 1
                await asyncio.to_thread(eventually, lambda: _gone(plane), "the definition is gone")
                await apply(self._api)
                raise _FAILURES[0]
            return answer

    async def run() -> None:
        api = KubeApi(await Connection.load())
        try:
            await apply(api)
            with pytest.raises(chart_hook.HookRefusedError, match="was deleted and is created again"):
                await delete(Reinstalled(api, 0))
        finally:
            await api.aclose()

    asyncio.run(run())
    assert "deletionTimestamp" not in plane.request("GET", _DEFINITION)["metadata"]


@contextmanager
def _hook(limit: int) -> Iterator["subprocess.Popen[str]"]:
    """A process of the hook that applies the definition, with another limit in seconds."""
    program = "import sys; from financehub_scheduler import chart_hook, manage_definition; "
    program += f"chart_hook.LIMIT_SECONDS = {limit}; sys.argv[1:] = ['apply']; manage_definition.main()"
    environment = {name: os.environ[name] for name in ("PATH", "KUBECONFIG")}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=pipe, stderr=pipe, text=True
    ) as hook:
        try:
            yield hook
        finally:
            hook.kill()


def test_hook_that_starts_before_the_api_server_waits_for_it(plane: ControlPlane) -> None:
    """A hook that finds no API server says so, and does its work as soon as the API server is back."""
    plane.stop_api_server()
    with _hook(limit=600) as hook:
        assert hook.stderr is not None
        assert "; the next attempt follows in 2 s" in hook.stderr.readline()
        plane.start_api_server()
        output, _ = hook.communicate(timeout=400)
    assert hook.returncode == 0
    assert "is created" in output


def test_hook_without_an_api_server_ends_with_the_reason(plane: ControlPlane) -> None:
    """At the limit, the last line says what could not be done and why, and the exit code is 1."""
    plane.stop_api_server()
    with _hook(limit=3) as hook:
        _, errors = hook.communicate(timeout=400)
    assert hook.returncode == 1
    last = errors.splitlines()[-1]
    assert re.fullmatch(r"cannot apply the definition of ScheduledTasks: GET /apis/\S+: ClientConnectorError: .+", last)


def test_hook_that_is_stopped_while_it_waits_ends_at_once(plane: ControlPlane) -> None:
    """The pod of a deleted Job must not go on, also if the program is the first process of its container."""
    plane.stop_api_server()
    with _hook(limit=600) as hook:
        assert hook.stderr is not None
        hook.stderr.readline()
        hook.terminate()
        assert hook.wait(120) == 143


def test_pods_of_a_hook_end_while_helm_waits() -> None:
    """If the API server is away, all pods of the Job end within Helm's five minutes, and the Job is not cut off."""
    jobs = render({"crds": {"keep": False}}).all("Job")
    hooks = [job["spec"] for job in jobs if "financehub_scheduler." in str(job["spec"]["template"])]
    assert len(hooks) == 3
    for spec in hooks:
        pods = spec["backoffLimit"] + 1
        # The last attempt of a pod has at most two requests. The Job controller waits for 10 s, 20 s and so on.
        pauses = sum(10 * 2**number for number in range(pods - 1))
        seconds = pods * (_LIMIT_SECONDS + 2 * REQUEST_SECONDS) + pauses
        assert seconds < 300 < spec["activeDeadlineSeconds"]
