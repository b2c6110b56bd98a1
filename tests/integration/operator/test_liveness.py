"""Tests that `/livez` fails if and only if a restart would help.

The components are real and run in the test's process. The test controls the clock.
"""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from financehub_scheduler.core.health_probe import HealthProbe
from financehub_scheduler.kubernetes.watch.cluster_source import ClusterSource
from financehub_scheduler.kubernetes.watch.resource import ResourceApplied, WatchEvent
from financehub_scheduler.observability import SchedulerObservability
from financehub_scheduler.periodic import redis_step
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.settings import load_settings
from financehub_shared.metrics import Metrics
from financehub_shared.redis.client import connect_async
from financehub_shared.redis.server_clock import ServerClock
from support.cluster_source import connect_with, following
from support.hand_driven import Scheduler, T, build
from support.operator import Tasks, scheduler_user
from support.redis_server import RedisServer
from support.schedules import schedule
from support.tunnel import Tunnel
from support.waiting import eventually_async
from test_cluster.control_plane.cluster import Cluster

pytestmark = pytest.mark.faults

GetLivez = Callable[[], tuple[int, str]]


@pytest.fixture
def clock() -> ManualClock:
    """A clock that the test advances."""
    return ManualClock(T)


@pytest.fixture
def kubeconfig(crd_installed: Cluster, namespace: str) -> Path:
    """Credentials of a scheduler."""
    return scheduler_user(crd_installed, namespace).kubeconfig


async def test_liveness_distinguishes_silent_watch_from_unavailable_api_server(
    clock: ManualClock,
    tasks: Tasks,
    kubeconfig: Path,
    tunnel: Tunnel,
    crd_installed: Cluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A silent watch is a reason to restart after 150 s during which the API server responds to another client.

    An unavailable API server is not a reason, however long the outage lasts, and neither is a watch that has not yet
    noticed that the API server is available again.
    """
    problem = "the watch of ScheduledTasks has not restarted for 151 s although the API server answers"
    with Tunnel(crd_installed.server) as probe_tunnel:
        api = await connect_with(monkeypatch, probe_tunnel.kubeconfig(kubeconfig))
        monkeypatch.setenv("KUBECONFIG", str(tunnel.kubeconfig(kubeconfig)))
        source = ClusterSource(api, clock, [tasks.namespace])
        (watch,) = source._watches.values()
        clock.advance(1)
        async with following(source):
            # It begins a moment after the list is complete. In a frozen tunnel, it would begin at a later time.
            await eventually_async(lambda: watch._watch.began_at == clock.monotonic(), "the watch has begun")
            await source.check_served()
            tunnel.freeze(new=True)
            clock.advance(149)
            assert source.liveness() == []
            clock.advance(2)
            assert source.liveness() == [problem]
            tunnel.thaw()
            tunnel.cut()
            await eventually_async(lambda: not source.liveness(), "it has recovered")

            for each in (tunnel, probe_tunnel):
                each.refuse()
                each.cut()
            clock.advance(3600)
            await source.check_served()
            assert source.liveness() == []
            probe_tunnel.accept()
            await source.check_served()
            assert source.liveness() == []
            clock.advance(151)
            assert source.liveness() == [problem]
            tunnel.accept()
            await eventually_async(lambda: not source.liveness(), "it has recovered")
        await api.aclose()


class BlockedSource(ClusterSource):
    """A source whose event handler does not return before the test releases it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.entered, self.released = threading.Event(), threading.Event()

    def _put(self, event: WatchEvent) -> None:
        if isinstance(event, ResourceApplied):
            self.entered.set()
            self.released.wait()
        super()._put(event)


async def test_liveness_with_one_blocked_watch_of_two_fails(
    clock: ManualClock, crd_installed: Cluster, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If two namespaces are watched, one blocked watch is a reason to restart, although the other one works."""
    other = crd_installed.create_namespace()
    user = scheduler_user(crd_installed, tasks.namespace, cluster_wide=True)
    api = await connect_with(monkeypatch, user.kubeconfig)
    source = BlockedSource(api, clock, [tasks.namespace, other], 1)

    def watches() -> int:
        objects = (record["objectRef"] for record in crd_installed.audit(user.name) if record["verb"] == "watch")
        return sum(each.get("namespace") == other for each in objects)

    async with following(source):
        await source.check_served()
        tasks.apply(schedule="@daily")
        await eventually_async(source.entered.is_set, "it is blocked")
        clock.advance(6)
        count = watches()
        await eventually_async(lambda: watches() >= count + 2, "the other watch restarts")
        assert "has not restarted for 6 s" in source.liveness()[0]
        source.released.set()
        await eventually_async(lambda: not source.liveness(), "it has recovered")
    await api.aclose()


async def test_liveness_with_blocked_event_handler_fails(
    clock: ManualClock, tasks: Tasks, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event handler that does not return blocks the watch's thread, so the watch's age grows."""
    api = await connect_with(monkeypatch, kubeconfig)
    source = BlockedSource(api, clock, [tasks.namespace], 1)
    async with following(source):
        await source.check_served()
        tasks.apply(schedule="@hourly")
        await eventually_async(source.entered.is_set, "it is blocked")
        clock.advance(6)
        assert "has not restarted for 6 s" in source.liveness()[0]
        source.released.set()
        await eventually_async(lambda: not source.liveness(), "it has recovered")
    await api.aclose()


@pytest.fixture
def server(redis_server: Callable[..., RedisServer]) -> RedisServer:
    """A Redis that the test can hang."""
    return redis_server()


@pytest.fixture
def scheduler(server: RedisServer, clock: ManualClock) -> Scheduler:
    """A scheduler that uses this Redis, and notices soon that it hangs."""
    return build(server.url, clock, server.client(), timeout=5.0)


@pytest.fixture
def livez(scheduler: Scheduler, server: RedisServer, clock: ManualClock) -> Iterator[GetLivez]:
    """Send a request to the scheduler's /livez, and return the HTTP status and the body."""
    probe = HealthProbe(scheduler.engine, clock)
    variables = {"REDIS_URL": server.url, "FINANCEHUB_HTTP_HOST": "127.0.0.1", "FINANCEHUB_HTTP_PORT": "0"}
    observability = SchedulerObservability(
        load_settings(variables),
        Metrics("scheduler"),
        liveness=probe.liveness,
        readiness=probe.readiness,
        clock=ServerClock(clock),
    )
    observability.start_server()

    def get() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{observability.server.port}/livez", timeout=30) as answer:
                return answer.status, json.dumps(json.load(answer))
        except urllib.error.HTTPError as error:
            return error.code, json.dumps(json.load(error))

    yield get
    server.resume()


async def test_livez_with_silent_redis_holds(scheduler: Scheduler, server: RedisServer, livez: GetLivez) -> None:
    """However long Redis hangs, a restart would not help."""
    await scheduler.load(schedule(schedule="@every 10s"))
    assert livez()[0] == 200
    server.hang()
    await scheduler.pass_time(295)
    assert livez()[0] == 200
    scheduler.clock.advance(600)
    await scheduler.pass_time(2)
    assert livez()[0] == 200
    server.resume()
    await scheduler.pass_time(3)
    assert livez()[0] == 200
    await scheduler.connection.aclose()


async def test_livez_with_full_redis_holds(scheduler: Scheduler, server: RedisServer, livez: GetLivez) -> None:
    """A full Redis answers pings and refuses runs. A restart would not make room, so it holds for as long as that."""

    async def idle() -> None:
        """Send nothing."""

    await scheduler.load(schedule(schedule="@every 10s"))
    server.client().config_set("maxmemory", "1")
    client = connect_async(server.url, timeout=2)
    ping = redis_step(idle, scheduler.engine, client)
    for _ in range(70):
        await ping()
        scheduler.clock.advance(10)
        await scheduler.engine.step()
    assert scheduler.engine.due_lag() > 600
    assert livez()[0] == 200
    server.client().config_set("maxmemory", "0")
    await scheduler.pass_time(3)
    assert scheduler.engine.due_lag() == 0
    await client.aclose()
    await scheduler.connection.aclose()


async def test_readiness_with_idle_step_and_silent_redis_fails(
    scheduler: Scheduler, server: RedisServer, clock: ManualClock
) -> None:
    """A step that had nothing to send to Redis does not count as a reply from Redis."""

    async def idle() -> None:
        """Send nothing."""

    await scheduler.load(schedule(schedule="@every 10s"))
    client = connect_async(server.url, timeout=2)
    step = redis_step(idle, scheduler.engine, client)
    server.hang()
    scheduler.clock.advance(301)
    await step()
    probe = HealthProbe(scheduler.engine, clock)
    assert probe.readiness() == ["Redis has not answered for 301 s"]
    server.resume()
    await step()
    assert probe.readiness() == []
    await client.aclose()
    await scheduler.connection.aclose()


async def test_livez_with_stuck_due_queue_or_stalled_loop_fails(scheduler: Scheduler, livez: GetLivez) -> None:
    """`/livez` fails if runs have been due for a minute although Redis takes writes, and if the loop is stalled."""
    await scheduler.load(schedule(schedule="@every 10s"))
    scheduler.engine.health.earliest_due = scheduler.clock.now() - 61
    status, text = livez()
    assert (status, "although Redis answers" in text) == (503, True)
    await scheduler.pass_time(3)
    assert livez()[0] == 200
    scheduler.clock.advance(31)
    assert "the loop has been stalled for 31 s" in livez()[1]
    await scheduler.connection.aclose()
