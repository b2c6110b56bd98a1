"""`/livez` fails when a restart would help, and only then: real parts, in the test's process, which moves the clock."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from financehub_scheduler.app import acknowledged
from financehub_scheduler.core.health_probe import Vitals
from financehub_scheduler.kubernetes.watch.source import CrdSource
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.settings import load_settings
from financehub_shared.metrics import Metrics
from financehub_shared.redis.client import connect_async
from financehub_shared.worker.observers import SchedulerObservers
from support.control_plane.cluster import Cluster
from support.crd_source import connect, followed, soon
from support.hand_driven import Scheduler, T, build
from support.operator import Tasks, scheduler_user
from support.redis_server import RedisServer
from support.schedules import schedule
from support.tunnel import Tunnel

Ask = Callable[[], tuple[int, str]]


@pytest.fixture
def clock() -> ManualClock:
    """Time in the test's hand."""
    return ManualClock(T)


@pytest.fixture
def tasks(crd_installed: Cluster, namespace: str) -> Tasks:
    """The ScheduledTasks of this test."""
    return Tasks(crd_installed, namespace)


@pytest.fixture
def kubeconfig(crd_installed: Cluster, namespace: str) -> Path:
    """A login."""
    return scheduler_user(crd_installed, namespace).kubeconfig


async def test_a_deaf_watch_is_told_from_a_lost_api_server(
    clock: ManualClock,
    tasks: Tasks,
    kubeconfig: Path,
    tunnel: Tunnel,
    crd_installed: Cluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A watch through which nothing comes, by old connections or new, is a reason to restart after 150 s in which the
    API server answers by another way; one that does not answer is none, however long, nor is a watch that has not yet
    noticed that it is back.
    """
    deaf = "the watch of ScheduledTasks has not begun anew for 151 s although the API server answers"
    with Tunnel(crd_installed.server) as other:
        api = await connect(monkeypatch, other.kubeconfig(kubeconfig))
        monkeypatch.setenv("KUBECONFIG", str(tunnel.kubeconfig(kubeconfig)))
        source = CrdSource(api, clock, [tasks.namespace])
        async with followed(source):
            await source.probe()
            tunnel.freeze(new=True)
            clock.advance(149)
            assert source.live() == []
            clock.advance(2)
            assert source.live() == [deaf]
            tunnel.thaw()
            tunnel.cut()
            await soon(lambda: not source.live(), "it has recovered")

            for way in (tunnel, other):
                way.refuse()
                way.cut()
            clock.advance(3600)
            await source.probe()
            assert source.live() == []
            other.accept()
            await source.probe()
            assert source.live() == []
            clock.advance(151)
            assert source.live() == [deaf]
            tunnel.accept()
            await soon(lambda: not source.live(), "it has recovered")
        await api.aclose()


class Stuck(CrdSource):
    """A source whose handler never returns."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.entered, self.released = threading.Event(), threading.Event()

    def _told(self, kind: str | None, body: Mapping[str, Any]) -> None:
        self.entered.set()
        self.released.wait()
        super()._told(kind, body)


async def test_one_deaf_namespace_of_two_is_enough(
    clock: ManualClock, crd_installed: Cluster, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where two namespaces are watched, one whose watch is stuck is a reason, however often the other is watched."""
    other = crd_installed.create_namespace()
    user = scheduler_user(crd_installed, tasks.namespace, wide=True)
    api = await connect(monkeypatch, user.kubeconfig)
    source = Stuck(api, clock, [tasks.namespace, other], 1)

    def watches() -> int:
        asked = (each["objectRef"] for each in crd_installed.audit(user.name) if each["verb"] == "watch")
        return sum(each.get("namespace") == other for each in asked)

    async with followed(source):
        await source.probe()
        tasks.apply(schedule="@daily")
        await soon(source.entered.is_set, "it is stuck")
        clock.advance(6)
        begun = watches()
        await soon(lambda: watches() >= begun + 2, "the other one is watched anew")
        assert "has not begun anew for 6 s" in source.live()[0]
        source.released.set()
        await soon(lambda: not source.live(), "it has recovered")
    await api.aclose()


async def test_a_stuck_kopf_is_a_reason(
    clock: ManualClock, tasks: Tasks, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler that never returns stops the watch's thread, and that is found by the age of the watch."""
    api = await connect(monkeypatch, kubeconfig)
    source = Stuck(api, clock, [tasks.namespace], 1)
    async with followed(source):
        await source.probe()
        tasks.apply(schedule="@hourly")
        await soon(source.entered.is_set, "it is stuck")
        clock.advance(6)
        assert "has not begun anew for 6 s" in source.live()[0]
        source.released.set()
        await soon(lambda: not source.live(), "it has recovered")
    await api.aclose()


@pytest.fixture
def server(redis_server: Callable[..., RedisServer]) -> RedisServer:
    """A Redis that may be hung."""
    return redis_server()


@pytest.fixture
def scheduler(server: RedisServer, clock: ManualClock) -> Scheduler:
    """A scheduler on it."""
    return build(server.url, clock, server.client())


@pytest.fixture
def livez(scheduler: Scheduler, server: RedisServer, clock: ManualClock) -> Iterator[Ask]:
    """What the scheduler's own server answers to a kubelet."""
    vitals = Vitals(scheduler.engine, clock)
    variables = {"REDIS_URL": server.url, "FINANCEHUB_HTTP_HOST": "127.0.0.1", "FINANCEHUB_HTTP_PORT": "0"}
    observers = SchedulerObservers(
        load_settings(variables), Metrics("scheduler"), live=vitals.live, ready=vitals.ready, clock=clock
    )
    observers.start()

    def ask() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{observers.server.port}/livez", timeout=5) as answer:
                return answer.status, json.dumps(json.load(answer))
        except urllib.error.HTTPError as error:
            return error.code, json.dumps(json.load(error))

    yield ask
    server.resume()
    observers.stop()


async def test_a_silent_redis_is_a_reason_after_five_minutes(
    scheduler: Scheduler, server: RedisServer, livez: Ask
) -> None:
    """While Redis hangs a scheduler is alive, for a restart would not wake it; after five minutes its connections may
    be at fault, and `/livez` says so until Redis answers.
    """
    await scheduler.load(schedule(schedule="@every 10s"))
    assert livez()[0] == 200
    server.hang()
    await scheduler.pass_time(295)
    assert livez()[0] == 200
    scheduler.clock.advance(10)
    status, text = livez()
    assert (status, "Redis has not acknowledged anything for" in text) == (503, True)
    server.resume()
    await scheduler.pass_time(3)
    assert livez()[0] == 200
    await scheduler.connection.aclose()


async def test_a_step_that_asks_nothing_is_no_sign_of_life(
    scheduler: Scheduler, server: RedisServer, livez: Ask
) -> None:
    """A step that had nothing to ask of Redis does not make a Redis that is silent count as one that answers."""

    async def idle() -> None:
        """Nothing to do."""

    client = connect_async(server.url, timeout=2)
    look = acknowledged(idle, scheduler.engine, client)
    await look()
    server.hang()
    scheduler.clock.advance(301)
    await look()
    assert "Redis has not acknowledged anything for" in livez()[1]
    server.resume()
    await look()
    assert "Redis has not acknowledged" not in livez()[1]
    await client.aclose()
    await scheduler.connection.aclose()


async def test_a_stuck_heap_is_a_reason(scheduler: Scheduler, server: RedisServer, livez: Ask) -> None:
    """Due runs that wait for a minute while Redis answers other questions, here because it takes no more writes, are a
    reason that `/livez` names; so is a loop that does not come round.
    """
    await scheduler.load(schedule(schedule="@every 10s"))
    server.client().config_set("maxmemory", "1")
    client = connect_async(server.url)
    look = acknowledged(scheduler.errands.step, scheduler.engine, client)
    for _ in range(8):
        await scheduler.pass_time(10)
        await look()
    status, text = livez()
    assert (status, "although Redis answers" in text) == (503, True)
    server.client().config_set("maxmemory", "0")
    await scheduler.pass_time(3)
    assert livez()[0] == 200
    scheduler.clock.advance(31)
    assert "the loop has not come round for 31 s" in livez()[1]
    await client.aclose()
    await scheduler.connection.aclose()
