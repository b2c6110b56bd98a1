"""A watch that breaks: whatever is changed meanwhile is in force after it, and schedules go on firing."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from financehub_scheduler.kubernetes.watch.source import CrdSource
from financehub_shared.core.clock import SystemClock
from financehub_shared.schedules import list_schedules
from support.control_plane.cluster import Cluster
from support.control_plane.rbac import grant
from support.control_plane.tokens import User
from support.crd_source import connect, followed, soon
from support.operator import Tasks, get, ready, rules, scheduler_user
from support.schedules import SchedulerProcess, eventually, messages
from support.tunnel import Tunnel

Start = Callable[..., SchedulerProcess]
#: What an outage may add to the log, however long it is: its beginning, its forms, its end, other parts' words of it.
FEW_LINES = 12


@pytest.fixture
def tasks(crd_installed: Cluster, namespace: str) -> Tasks:
    """The ScheduledTasks of this test."""
    return Tasks(crd_installed, namespace)


@pytest.fixture
def user(crd_installed: Cluster, namespace: str) -> User:
    """A login of this test's own, to be spoiled."""
    return scheduler_user(crd_installed, namespace, "spoiled")


def schedules(client: "redis.Redis") -> dict[str, str]:
    """Name → when it runs, as everybody sees it."""
    return {each.name.partition("/")[2]: each.spec["schedule"] for each in list_schedules(client)}


def lines(process: SchedulerProcess) -> list[str]:
    """Its log but for the line of each run."""
    return [line for line in process.log.read_text(encoding="utf-8").splitlines() if "run_enqueued" not in line]


def assert_each_second(client: "redis.Redis", at_least: int) -> None:
    """A schedule of each second has a message for every one from the first to the last."""
    due = [message["options"]["due_at"] // 1000 for message in messages(client)]
    assert due == list(range(due[0], due[0] + len(due)))
    assert len(due) >= at_least


def test_credentials_are_refused_until_there_are_new_ones(
    crd_installed: Cluster, tasks: Tasks, operator: Start, user: User, tunnel: Tunnel, redis_client: "redis.Redis"
) -> None:
    """While its token is void and its kubeconfig half written, a scheduler fires on and says so once; with a new token
    in the file it goes on where it was, without a restart.
    """
    kubeconfig = tunnel.kubeconfig(user.kubeconfig)
    whole = kubeconfig.read_text(encoding="utf-8")
    void = user.token.read_text(encoding="utf-8")
    tasks.apply(schedule="@every 1s", concurrencyPolicy="Allow", catchUp="All")
    process = ready(operator(kubeconfig=kubeconfig))
    ask = ("get", "scheduledtasks")
    # at once, where an expiry must be waited for; the API server remembers for ten seconds whom it has let in
    crd_installed.request("DELETE", f"/api/v1/namespaces/{tasks.namespace}/serviceaccounts/spoiled")
    eventually(
        lambda: "Unauthorized" in crd_installed.kubectl(*ask, kubeconfig=user.kubeconfig, check=False).stderr,
        "the token is refused",
        within=30,
    )
    before, held = len(lines(process)), len(messages(redis_client))

    kubeconfig.write_text(whole[: len(whole) // 2], encoding="utf-8")
    tunnel.cut()
    eventually(lambda: process.events("watch_interrupted"), "it says what is wrong")
    tasks.apply("added", schedule="@yearly")
    eventually(lambda: len(messages(redis_client)) >= held + 3, "it runs on")
    kubeconfig.write_text(whole, encoding="utf-8")
    eventually(lambda: len(messages(redis_client)) >= held + 8, "it runs on")
    assert "added" not in schedules(redis_client)
    told = "\n".join(lines(process)[before:])
    assert "credentials are refused" in told
    assert void not in told

    crd_installed.user(tasks.namespace, "spoiled")
    # it waits 8 s between two logins by then
    eventually(lambda: "added" in schedules(redis_client), "what was added meanwhile is in force", within=30)
    eventually(lambda: process.events("watch_resumed"), "it says that it is over")
    assert len(lines(process)) - before <= FEW_LINES, "\n".join(lines(process)[before:])
    assert "Traceback" not in process.log.read_text(encoding="utf-8")
    assert_each_second(redis_client, held + 8)


async def test_half_open_connection_is_noticed(
    tasks: Tasks, user: User, tunnel: Tunnel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch that nothing comes through any more, and that nobody ends, is given up when it outlives the limit that
    the server was asked to keep (here 3 s, not 30): a change, an addition and a deletion are seen soon after.
    """
    for name in ("changed", "deleted"):
        tasks.apply(name, schedule="@daily")
    api = await connect(monkeypatch, tunnel.kubeconfig(user.kubeconfig))
    source = CrdSource(api, SystemClock(), [tasks.namespace], watch_seconds=3)

    def seen() -> dict[str, str]:
        return {
            each.name: json.loads(each.schedule.summary)["schedule"]
            for each in source.resources.values()
            if each.schedule
        }

    async with followed(source):
        assert seen() == {"changed": "@daily", "deleted": "@daily"}
        tunnel.freeze()
        tasks.apply("changed", schedule="@hourly")
        tasks.apply("added", schedule="@daily")
        tasks.delete("deleted")
        await soon(lambda: seen() == {"changed": "@hourly", "added": "@daily"}, "the changes are seen")
    await api.aclose()


def test_without_rights_one_line_says_how_to_mend_it(
    crd_installed: Cluster, tasks: Tasks, operator: Start, redis_client: "redis.Redis"
) -> None:
    """Where RBAC forbids to list, a scheduler lives, is not ready, says once which file grants it, and works as soon as
    it is granted.
    """
    tasks.apply(schedule="@every 1s", concurrencyPolicy="Allow")
    poor = crd_installed.user(tasks.namespace, "poor")
    process = operator(kubeconfig=poor.kubeconfig)
    told = eventually(lambda: process.events("watch_interrupted"), "it says what is wrong")
    assert f"/namespaces/{tasks.namespace}/scheduledtasks is answered with 403" in told[0]["problem"]
    assert "deploy/operator/rbac.yaml" in told[0]["problem"]
    # kopf asks five times, gives up, and is started again
    path = f"/apis/financehub.io/v1alpha1/namespaces/{tasks.namespace}/scheduledtasks"

    def lists() -> int:
        return sum(each["requestURI"].partition("?")[0] == path for each in crd_installed.audit(poor.name))

    eventually(lambda: lists() > 5, "it asks again", within=30)
    assert get(process, "/readyz")[0] == 503
    assert get(process, "/livez")[0] == 200
    only = [rule for rule in [*rules("Role"), *rules("ClusterRole")] if rule["apiGroups"] != ["apiextensions.k8s.io"]]
    grant(crd_installed.request, tasks.namespace, "poor", only)
    eventually(lambda: messages(redis_client), "it runs", within=30)
    assert len(process.events("watch_interrupted")) == 1
    assert len(lines(process)) <= FEW_LINES + 5, process.log.read_text(encoding="utf-8")


def test_a_forbidden_namespace_leaves_the_other_alone(
    crd_installed: Cluster, tasks: Tasks, operator: Start, redis_client: "redis.Redis"
) -> None:
    """Of two namespaces of which RBAC forbids one, the other is listed once and its schedules run; one line and
    `/readyz` say what is forbidden, until it is granted.
    """
    tasks.apply(schedule="@every 1s", concurrencyPolicy="Allow")
    other, user = crd_installed.create_namespace(), scheduler_user(crd_installed, tasks.namespace, "half")
    process = operator("--namespace", other, kubeconfig=user.kubeconfig)

    def lists(namespace: str) -> int:
        path = f"/apis/financehub.io/v1alpha1/namespaces/{namespace}/scheduledtasks?limit=500"
        return sum(each["requestURI"] == path for each in crd_installed.audit(user.name))

    eventually(lambda: len(messages(redis_client)) >= 2, "the other one runs")
    listed = lists(tasks.namespace)
    # kopf asks five times, gives up, and is started again
    eventually(lambda: lists(other) > 6, "the forbidden one is asked for again", within=30)
    assert lists(tasks.namespace) == listed > 0
    status, reasons = get(process, "/readyz")
    assert (status, get(process, "/livez")[0]) == (503, 200)
    assert f"/namespaces/{other}/scheduledtasks is answered with 403" in json.dumps(reasons)
    assert "deploy/operator/rbac.yaml" in json.dumps(reasons)
    grant(crd_installed.request, tasks.namespace, "half", rules("ClusterRole"), everywhere=True)
    ready(process)
    told = process.events("watch_interrupted", "watch_resumed")
    assert [(each["event"], each["namespace"]) for each in told] == [
        ("watch_interrupted", other),
        ("watch_resumed", other),
    ]


def test_five_hundred_deleted_at_once(
    crd_installed: Cluster, tasks: Tasks, operator: Start, redis_client: "redis.Redis"
) -> None:
    """500 deleted at once are gone from engine and Redis, and what else is due meanwhile runs."""
    many = 500
    path = f"/apis/financehub.io/v1alpha1/namespaces/{tasks.namespace}/scheduledtasks"
    for number in range(many):
        body: dict[str, Any] = {
            "apiVersion": "financehub.io/v1alpha1",
            "kind": "ScheduledTask",
            "metadata": {"name": f"s{number}", "labels": {"fate": "goes"}},
            "spec": {"task": "demo_task", "queue": "others", "schedule": "@every 1s"},
        }
        crd_installed.request("POST", path, body)
    tasks.apply("stays", schedule="@every 1s", concurrencyPolicy="Allow", catchUp="All")
    process = ready(operator())
    eventually(lambda: len(schedules(redis_client)) == many + 1, "all are known")
    held = len(messages(redis_client))
    crd_installed.request("DELETE", path, labelSelector="fate=goes")
    eventually(lambda: set(schedules(redis_client)) == {"stays"}, "they are gone")
    eventually(lambda: len(messages(redis_client)) >= held + 3, "the one that stays runs on")
    assert_each_second(redis_client, held + 3)
    left = [key for key in redis_client.scan_iter("financehub:schedule:*") if redis_client.ttl(key) == -1]
    assert {key.split(b":")[2] for key in left} == {tasks.get("stays")["metadata"]["uid"].encode()}
    # what Redis has forgotten is told of a moment later
    eventually(lambda: len(process.events("schedule_removed")) == many, "each removal is told of")
