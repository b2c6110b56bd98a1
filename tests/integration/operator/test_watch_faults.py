"""Tests of broken watches: every change during an outage takes effect afterwards, and schedules keep running."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from financehub_scheduler.kubernetes.watch.cluster_source import ClusterSource
from financehub_shared.core.clock import SystemClock
from financehub_shared.schedules import list_schedules
from support.cluster_source import connect_with, following
from support.operator import Tasks, http_get, rules, scheduler_user, wait_until_ready
from support.schedules import SchedulerProcess, messages
from support.tunnel import Tunnel
from support.waiting import eventually, eventually_async
from test_cluster.control_plane.cluster import Cluster
from test_cluster.control_plane.rbac import grant
from test_cluster.control_plane.tokens import User

pytestmark = pytest.mark.faults

Start = Callable[..., SchedulerProcess]
#: Maximum number of log lines about one outage, however long it is: its start, its causes, its end, and the lines of
#: other components about it.
MAX_OUTAGE_LINES = 12
#: No worker takes the messages, so the schedules may have more unfinished runs than by default.
EACH_SECOND = {"schedule": "@every 1s", "concurrencyPolicy": "Allow", "catchUp": "All", "maxQueueDepth": 5_000}


@pytest.fixture
def user(crd_installed: Cluster, namespace: str) -> User:
    """A service account that the test may damage."""
    return scheduler_user(crd_installed, namespace, "damaged")


def schedules(client: "redis.Redis") -> dict[str, str]:
    """Return name → recurrence of all registered schedules."""
    return {info.name.partition("/")[2]: info.spec["schedule"] for info in list_schedules(client)}


def log_lines(process: SchedulerProcess) -> list[str]:
    """Return a scheduler's log without the lines about enqueued runs."""
    return [line for line in process.log.read_text(encoding="utf-8").splitlines() if "run_enqueued" not in line]


def assert_every_second(client: "redis.Redis", at_least: int) -> None:
    """Check that an every-second schedule has a message for each second, and at least a minimum number of messages."""
    due = [message["options"]["due_at"] // 1000 for message in messages(client)]
    assert due == list(range(due[0], due[0] + len(due)))
    assert len(due) >= at_least


def test_scheduler_with_refused_credentials_resumes_with_new_ones(
    crd_installed: Cluster,
    tasks: Tasks,
    start_operator: Start,
    user: User,
    tunnel: Tunnel,
    redis_client: "redis.Redis",
) -> None:
    """With an invalid token and a half-written kubeconfig, a scheduler keeps running and logs the outage once.

    With a new token in the file, it resumes the watch without a restart.
    """
    kubeconfig = tunnel.kubeconfig(user.kubeconfig)
    complete = kubeconfig.read_text(encoding="utf-8")
    invalid_token = user.token.read_text(encoding="utf-8")
    tasks.apply(**EACH_SECOND)
    process = wait_until_ready(start_operator(kubeconfig=kubeconfig))
    # This is faster than an expiry. The API server caches accepted tokens for ten seconds.
    crd_installed.request("DELETE", f"/api/v1/namespaces/{tasks.namespace}/serviceaccounts/damaged")
    list_them = ("get", "scheduledtasks")
    eventually(
        lambda: "Unauthorized" in crd_installed.kubectl(*list_them, kubeconfig=user.kubeconfig, check=False).stderr,
        "the token is refused",
        within=90,
    )
    lines_before, count = len(log_lines(process)), len(messages(redis_client))

    kubeconfig.write_text(complete[: len(complete) // 2], encoding="utf-8")
    tunnel.cut()
    eventually(lambda: process.events("watch_unavailable"), "the outage is logged")
    tasks.apply("added", schedule="@yearly")
    eventually(lambda: len(messages(redis_client)) >= count + 3, "it keeps running")
    kubeconfig.write_text(complete, encoding="utf-8")
    eventually(lambda: len(messages(redis_client)) >= count + 8, "it keeps running")

    def added_log() -> str:
        return "\n".join(log_lines(process)[lines_before:])

    # The next login may be seconds away.
    eventually(lambda: "credentials are refused" in added_log(), "the refusal is logged")
    assert "added" not in schedules(redis_client)
    assert invalid_token not in added_log()

    crd_installed.user(tasks.namespace, "damaged")
    # By now, the delay between two logins is 8 s.
    eventually(lambda: "added" in schedules(redis_client), "the addition takes effect", within=90)
    eventually(lambda: process.events("watch_available_again"), "the end of the outage is logged")
    added_lines = log_lines(process)[lines_before:]
    assert len(added_lines) <= MAX_OUTAGE_LINES, "\n".join(added_lines)
    assert "Traceback" not in process.log.read_text(encoding="utf-8")
    assert_every_second(redis_client, count + 8)


async def test_watch_with_half_open_connection_restarts(
    tasks: Tasks, user: User, tunnel: Tunnel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch whose connection is half-open restarts when it exceeds the server's limit (here 3 s instead of 30 s).

    A change, an addition and a deletion during the outage are delivered soon after.
    """
    for name in ("changed", "deleted"):
        tasks.apply(name, schedule="@daily")
    api = await connect_with(monkeypatch, tunnel.kubeconfig(user.kubeconfig))
    source = ClusterSource(api, SystemClock(), [tasks.namespace], watch_seconds=3)

    def observed() -> dict[str, str]:
        return {
            resource.name: json.loads(resource.schedule.spec_json)["schedule"]
            for resource in source.resources.values()
            if resource.schedule
        }

    async with following(source):
        assert observed() == {"changed": "@daily", "deleted": "@daily"}
        tunnel.freeze()
        tasks.apply("changed", schedule="@hourly")
        tasks.apply("added", schedule="@daily")
        tasks.delete("deleted")
        expected = {"changed": "@hourly", "added": "@daily"}
        await eventually_async(lambda: observed() == expected, "the changes are delivered")
    await api.aclose()


def test_scheduler_without_rights_logs_the_remedy_and_waits(
    crd_installed: Cluster, tasks: Tasks, start_operator: Start, redis_client: "redis.Redis"
) -> None:
    """If RBAC forbids listing, a scheduler is alive but not ready, logs once which file grants the right, and waits."""
    tasks.apply(schedule="@every 1s", concurrencyPolicy="Allow")
    powerless = crd_installed.user(tasks.namespace, "powerless")
    process = start_operator(kubeconfig=powerless.kubeconfig)
    outages = eventually(lambda: process.events("watch_unavailable"), "the outage is logged")
    assert f"/namespaces/{tasks.namespace}/scheduledtasks is answered with 403" in outages[0]["problem"]
    assert "deploy/operator/rbac.yaml" in outages[0]["problem"]
    # kopf tries five times, gives up, and is restarted.
    path = f"/apis/financehub.io/v1alpha1/namespaces/{tasks.namespace}/scheduledtasks"

    def lists() -> int:
        records = crd_installed.audit(powerless.name)
        return sum(record["requestURI"].partition("?")[0] == path for record in records)

    eventually(lambda: lists() > 5, "it tries again", within=90)
    assert http_get(process, "/readyz")[0] == 503
    assert http_get(process, "/livez")[0] == 200
    needed = [rule for rule in [*rules("Role"), *rules("ClusterRole")] if rule["apiGroups"] != ["apiextensions.k8s.io"]]
    grant(crd_installed.request, tasks.namespace, "powerless", needed)
    eventually(lambda: messages(redis_client), "it runs", within=90)
    assert len(process.events("watch_unavailable")) == 1
    assert len(log_lines(process)) <= MAX_OUTAGE_LINES + 5, process.log.read_text(encoding="utf-8")


def test_forbidden_namespace_does_not_affect_the_other(
    crd_installed: Cluster, tasks: Tasks, start_operator: Start, redis_client: "redis.Redis"
) -> None:
    """If RBAC forbids one of two namespaces, the other one is listed once and its schedules run.

    One log line and `/readyz` report the forbidden namespace until the right is granted.
    """
    tasks.apply(schedule="@every 1s", concurrencyPolicy="Allow")
    other, user = crd_installed.create_namespace(), scheduler_user(crd_installed, tasks.namespace, "half")
    process = start_operator("--namespace", other, kubeconfig=user.kubeconfig)

    def lists(namespace: str) -> int:
        path = f"/apis/financehub.io/v1alpha1/namespaces/{namespace}/scheduledtasks?limit=500"
        return sum(record["requestURI"] == path for record in crd_installed.audit(user.name))

    eventually(lambda: len(messages(redis_client)) >= 2, "the permitted namespace runs")
    listed = lists(tasks.namespace)
    # kopf tries five times, gives up, and is restarted.
    eventually(lambda: lists(other) > 6, "the forbidden namespace is tried again", within=90)
    assert lists(tasks.namespace) == listed > 0
    status, reasons = http_get(process, "/readyz")
    assert (status, http_get(process, "/livez")[0]) == (503, 200)
    assert f"/namespaces/{other}/scheduledtasks is answered with 403" in json.dumps(reasons)
    assert "deploy/operator/rbac.yaml" in json.dumps(reasons)
    grant(crd_installed.request, tasks.namespace, "half", rules("ClusterRole"), everywhere=True)
    wait_until_ready(process)
    eventually(lambda: process.events("watch_available_again"), "the end of the outage is logged")
    lines = process.events("watch_unavailable", "watch_available_again")
    assert [(line["event"], line["namespace"]) for line in lines] == [
        ("watch_unavailable", other),
        ("watch_available_again", other),
    ]


def test_five_hundred_deletions_do_not_delay_other_runs(
    crd_installed: Cluster, tasks: Tasks, start_operator: Start, redis_client: "redis.Redis"
) -> None:
    """500 schedules deleted together are removed from the engine and from Redis, while another one keeps running."""
    many = 500
    path = f"/apis/financehub.io/v1alpha1/namespaces/{tasks.namespace}/scheduledtasks"
    for number in range(many):
        body: dict[str, Any] = {
            "apiVersion": "financehub.io/v1alpha1",
            "kind": "ScheduledTask",
            "metadata": {"name": f"s{number}", "labels": {"delete": "yes"}},
            "spec": {"task": "demo_task", "queue": "others", "schedule": "@every 1s"},
        }
        crd_installed.request("POST", path, body)
    tasks.apply("stays", **EACH_SECOND)
    process = wait_until_ready(start_operator())
    eventually(lambda: len(schedules(redis_client)) == many + 1, "all are registered")
    count = len(messages(redis_client))
    crd_installed.request("DELETE", path, labelSelector="delete=yes")
    eventually(lambda: set(schedules(redis_client)) == {"stays"}, "they are removed")
    eventually(lambda: len(messages(redis_client)) >= count + 3, "the other one keeps running")
    assert_every_second(redis_client, count + 3)
    lasting = [key for key in redis_client.scan_iter("financehub:schedule:*") if redis_client.ttl(key) == -1]
    assert {key.split(b":")[2] for key in lasting} == {tasks.get("stays")["metadata"]["uid"].encode()}
    # The log lines follow a moment after the removal from Redis.
    eventually(lambda: len(process.events("schedule_removed")) == many, "each removal is logged")
