"""Redis goes, for a while or with all it knew, and schedules are resources of a cluster: what was due is caught up."""

import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest

from financehub_scheduler.kubernetes.client.api import KubeApi
from financehub_scheduler.kubernetes.watch.source import CrdSource
from financehub_shared.core.clock import ManualClock
from financehub_shared.schedules import list_schedules
from support.control_plane.cluster import Cluster
from support.crd_source import connect, followed
from support.hand_driven import Scheduler, build
from support.operator import Tasks, scheduler_user
from support.redis_server import RedisServer
from support.schedules import messages

PERIOD = 20


@pytest.fixture
def tasks(crd_installed: Cluster, namespace: str) -> Tasks:
    """The ScheduledTasks of this test."""
    return Tasks(crd_installed, namespace)


@pytest.fixture
def server(redis_server: Callable[..., RedisServer]) -> RedisServer:
    """A Redis that may be lost."""
    return redis_server()


@pytest.fixture
def clock() -> ManualClock:
    """A second after a due time, near the API server's own time, which stamps resources."""
    return ManualClock(time.time() // PERIOD * PERIOD + 1)


@pytest.fixture
async def api(
    crd_installed: Cluster, namespace: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[KubeApi]:
    """A login."""
    api = await connect(monkeypatch, scheduler_user(crd_installed, namespace).kubeconfig)
    yield api
    await api.aclose()


def dues(scheduler: Scheduler, queue: str) -> list[int]:
    """Due times of a queue's messages, Unix seconds."""
    return [message["options"]["due_at"] // 1000 for message in messages(scheduler.client, queue)]


async def test_runs_that_were_due_while_redis_was_down(
    tasks: Tasks, server: RedisServer, clock: ManualClock, api: KubeApi
) -> None:
    """Back after an outage, `None` runs nothing that is more than a little late, `Latest` the newest and `All` each, in
    order; what is not run is counted as missed.
    """
    for policy in ("None", "Latest", "All"):
        tasks.apply(
            policy.lower(), schedule=f"@every {PERIOD}s", catchUp=policy, queue=policy, concurrencyPolicy="Allow"
        )
    scheduler = build(server.url, clock, server.client())
    async with followed(CrdSource(api, clock, [tasks.namespace]), scheduler.engine.apply):
        await scheduler.settle()
        await scheduler.pass_time(PERIOD - 1)
        last = int(clock.now())
        server.kill()
        await scheduler.pass_time(3 * PERIOD + 15)
        server.start()
        await scheduler.pass_time(2)
    due = [last + number * PERIOD for number in (1, 2, 3)]
    fired = {policy: [at for at in dues(scheduler, policy) if at > last] for policy in ("None", "Latest", "All")}
    assert fired == {"None": [], "Latest": due[-1:], "All": due}
    missed = {each.name.rpartition("/")[2]: each.missed for each in list_schedules(server.client())}
    assert missed == {"none": 3, "latest": 2, "all": 0}
    await scheduler.connection.aclose()


async def test_redis_that_lost_everything_goes_on_from_the_status(
    crd_installed: Cluster, tasks: Tasks, server: RedisServer, clock: ManualClock, api: KubeApi
) -> None:
    """When Redis has lost its data, a scheduler that runs goes on where it was, and one that starts goes on after
    `status.lastScheduleTime`: no due time up to there is run again, and each one after it is.
    """
    spec = {"schedule": f"@every {PERIOD}s", "catchUp": "All", "concurrencyPolicy": "Allow"}
    tasks.apply(**spec)
    first = build(server.url, clock, server.client())
    async with followed(CrdSource(api, clock, [tasks.namespace]), first.engine.apply):
        await first.settle()
        await first.pass_time(PERIOD - 1)
        await first.pass_time(PERIOD)
        last = int(clock.now())
        server.client().flushall()
        await first.pass_time(PERIOD)
        # the first verdict is that Redis does not know it
        await first.pass_time(1)
        assert dues(first, "q") == [last + PERIOD]
    status = {"status": {"lastScheduleTime": datetime.fromtimestamp(last + PERIOD, UTC).isoformat()}}
    path = f"/apis/financehub.io/v1alpha1/namespaces/{tasks.namespace}/scheduledtasks/demo/status"
    crd_installed.request("PATCH", path, status, content_type="application/merge-patch+json")
    server.client().flushall()
    clock.advance(2 * PERIOD)
    second = build(server.url, clock, server.client())
    async with followed(CrdSource(api, clock, [tasks.namespace]), second.engine.apply):
        await second.settle()
    assert dues(second, "q") == [last + 2 * PERIOD, last + 3 * PERIOD]
    for each in (first, second):
        await each.connection.aclose()
