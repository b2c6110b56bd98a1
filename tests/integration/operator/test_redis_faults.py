"""Tests of schedulers in a cluster whose Redis is unavailable or loses its data: due times are caught up."""

import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest

from financehub_scheduler.kubernetes.client.api import KubeApi
from financehub_scheduler.kubernetes.watch.cluster_source import ClusterSource
from financehub_shared.core.clock import ManualClock
from financehub_shared.schedules import list_schedules
from support.cluster_source import connect_with, following
from support.hand_driven import Scheduler, build
from support.operator import Tasks, scheduler_user
from support.redis_server import RedisServer
from support.schedules import messages
from test_cluster.control_plane.cluster import Cluster

pytestmark = pytest.mark.faults

PERIOD = 20


@pytest.fixture
def server(redis_server: Callable[..., RedisServer]) -> RedisServer:
    """A Redis that the test can kill."""
    return redis_server()


@pytest.fixture
def clock() -> ManualClock:
    """A clock one second after a due time, close to the API server's clock, which sets creation timestamps."""
    return ManualClock(time.time() // PERIOD * PERIOD + 1)


@pytest.fixture
async def api(
    crd_installed: Cluster, namespace: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[KubeApi]:
    """The scheduler's API client."""
    api = await connect_with(monkeypatch, scheduler_user(crd_installed, namespace).kubeconfig)
    yield api
    await api.aclose()


def due_times(scheduler: Scheduler, queue: str) -> list[int]:
    """Return the due times of a queue's messages in Unix seconds."""
    return [message["options"]["due_at"] // 1000 for message in messages(scheduler.client, queue)]


async def test_scheduler_after_redis_outage_catches_up_by_policy(
    tasks: Tasks, server: RedisServer, clock: ManualClock, api: KubeApi
) -> None:
    """After an outage, `None` runs no late due time, `Latest` runs the newest one, and `All` runs each one in order.

    Due times that do not run are counted as missed.
    """
    for policy in ("None", "Latest", "All"):
        tasks.apply(
            policy.lower(), schedule=f"@every {PERIOD}s", catchUp=policy, queue=policy, concurrencyPolicy="Allow"
        )
    scheduler = build(server.url, clock, server.client())
    async with following(ClusterSource(api, clock, [tasks.namespace]), scheduler.engine.apply):
        await scheduler.step_until_idle()
        await scheduler.pass_time(PERIOD - 1)
        last = int(clock.now())
        server.kill()
        await scheduler.pass_time(3 * PERIOD + 15)
        server.start()
        await scheduler.pass_time(2)
    due = [last + number * PERIOD for number in (1, 2, 3)]
    enqueued = {
        policy: [at for at in due_times(scheduler, policy) if at > last] for policy in ("None", "Latest", "All")
    }
    assert enqueued == {"None": [], "Latest": due[-1:], "All": due}
    missed = {info.name.rpartition("/")[2]: info.missed for info in list_schedules(server.client())}
    assert missed == {"none": 3, "latest": 2, "all": 0}
    await scheduler.connection.aclose()


async def test_scheduler_after_loss_of_redis_data_resumes_from_the_status(
    crd_installed: Cluster, tasks: Tasks, server: RedisServer, clock: ManualClock, api: KubeApi
) -> None:
    """After Redis lost its data, a running scheduler resumes where it was. A new one resumes after `lastScheduleTime`.

    No due time up to that time runs again, and every later one runs.
    """
    spec = {"schedule": f"@every {PERIOD}s", "catchUp": "All", "concurrencyPolicy": "Allow"}
    tasks.apply(**spec)
    first = build(server.url, clock, server.client())
    async with following(ClusterSource(api, clock, [tasks.namespace]), first.engine.apply):
        await first.step_until_idle()
        await first.pass_time(PERIOD - 1)
        await first.pass_time(PERIOD)
        last = int(clock.now())
        server.client().flushall()
        await first.pass_time(PERIOD)
        # Redis first replies that it does not know the schedule.
        await first.pass_time(1)
        assert due_times(first, "q") == [last + PERIOD]
    status = {"status": {"lastScheduleTime": datetime.fromtimestamp(last + PERIOD, UTC).isoformat()}}
    path = f"/apis/financehub.io/v1alpha1/namespaces/{tasks.namespace}/scheduledtasks/demo/status"
    crd_installed.request("PATCH", path, status, content_type="application/merge-patch+json")
    server.client().flushall()
    clock.advance(2 * PERIOD)
    second = build(server.url, clock, server.client())
    async with following(ClusterSource(api, clock, [tasks.namespace]), second.engine.apply):
        await second.step_until_idle()
    assert due_times(second, "q") == [last + 2 * PERIOD, last + 3 * PERIOD]
    for scheduler in (first, second):
        await scheduler.connection.aclose()
