"""An API server that is lost, forgets, or has ScheduledTasks no more: on a control plane of one's own."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from financehub_shared.schedules import list_schedules, refused_schedules
from support.control_plane.control_plane import ControlPlane
from support.control_plane.manifests import install
from support.operator import Tasks, get, ready, scheduler_user
from support.schedules import SchedulerProcess, eventually, messages
from support.tunnel import Tunnel

CRD = Path(__file__).parents[3] / "deploy/operator/crd.yaml"
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/scheduledtasks.financehub.io"
EACH_SECOND = {"schedule": "@every 1s", "concurrencyPolicy": "Allow", "catchUp": "All"}
OUTAGE_SECONDS = 60
#: What an outage may add to the log, however long it is.
FEW_LINES = 12

Start = Callable[..., SchedulerProcess]


@pytest.fixture
def start(redis_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start a scheduler on a cluster, with arguments, to be ended with the test."""
    running: list[SchedulerProcess] = []

    def begin(kubeconfig: Path, *arguments: str) -> SchedulerProcess:
        log = tmp_path / f"operator-{len(running)}.log"
        running.append(SchedulerProcess(redis_url, kubeconfig, log, *arguments).start())
        return running[-1]

    yield begin
    for each in running:
        each.end()


def schedules(client: "redis.Redis") -> dict[str, str]:
    """Name → when it runs, as everybody sees it."""
    return {each.name.partition("/")[2]: each.spec["schedule"] for each in list_schedules(client)}


def lines(process: SchedulerProcess) -> list[str]:
    """Its log but for the line of each run."""
    return [line for line in process.log.read_text(encoding="utf-8").splitlines() if "run_enqueued" not in line]


@pytest.mark.timeout(240)
def test_api_server_is_lost_and_forgets(
    own_control_plane: Callable[..., ControlPlane], start: Start, redis_client: "redis.Redis"
) -> None:
    """While the API server is dead, here for a minute, or out of reach, schedules fire on and the log says so once.

    What was changed, added and deleted meanwhile is in force soon after, although the server has forgotten (410 Gone)
    the state that the watch would go on from.
    """
    plane = own_control_plane()
    install(plane)
    tasks = Tasks(plane, plane.create_namespace())
    user = scheduler_user(plane, tasks.namespace)
    tasks.apply("steady", **EACH_SECOND)
    for name in ("changed", "deleted"):
        tasks.apply(name, schedule="@yearly")
    with Tunnel(plane.server) as tunnel:
        process = ready(start(tunnel.kubeconfig(user.kubeconfig), "--namespace", tasks.namespace))
        before = len(lines(process))

        plane.kill_api_server()
        held = len(messages(redis_client))
        minute = held + OUTAGE_SECONDS
        eventually(lambda: len(messages(redis_client)) >= minute, "it runs on without an API server", within=90)
        assert get(process, "/livez")[0] == 200
        plane.start_api_server()
        tasks.apply("later", schedule="@yearly")
        eventually(lambda: "later" in schedules(redis_client), "what is added afterwards is in force")
        eventually(lambda: process.events("watch_resumed"), "it says that it is over")

        tunnel.refuse()
        tunnel.cut()
        tasks.apply("changed", schedule="@monthly")
        tasks.apply("added", schedule="@yearly")
        tasks.delete("deleted")
        plane.compact()
        assert schedules(redis_client)["changed"] == "@yearly"
        tunnel.accept()
        now = {"steady": "@every 1s", "changed": "@monthly", "later": "@yearly", "added": "@yearly"}
        eventually(lambda: schedules(redis_client) == now, "the changes are in force")
    due = [message["options"]["due_at"] // 1000 for message in messages(redis_client)]
    assert due == list(range(due[0], due[0] + len(due)))
    assert len(lines(process)) - before <= 2 * FEW_LINES, "\n".join(lines(process)[before:])
    assert "Traceback" not in process.log.read_text(encoding="utf-8")


def undefine(plane: ControlPlane) -> None:
    """Delete the definition of ScheduledTasks, and all of them with it."""
    plane.request("DELETE", DEFINITION)
    plane.kubectl("wait", "--for=delete", "crd/scheduledtasks.financehub.io", "--timeout=30s")


def define(plane: ControlPlane) -> None:
    """Create it."""
    plane.kubectl("apply", "--server-side", "-f", str(CRD))
    plane.kubectl("wait", "--for=condition=Established", "crd/scheduledtasks.financehub.io", "--timeout=30s")
    plane.kubectl("get", "scheduledtasks", "-A")


def test_scheduled_tasks_come_and_go(
    own_control_plane: Callable[..., ControlPlane], start: Start, redis_client: "redis.Redis"
) -> None:
    """A scheduler that starts before the CRD waits and says what to apply; when the CRD is deleted its schedules end,
    and when it is there again new ones run, without a restart, for whoever watches all namespaces or only one; when a
    namespace is deleted, its schedules end.
    """
    plane = own_control_plane(controller_manager=True)
    wide, one = (plane.create_namespace(prefix) for prefix in ("wide", "one"))
    everywhere = start(scheduler_user(plane, wide, wide=True).kubeconfig)
    single = start(scheduler_user(plane, one).kubeconfig, "--namespace", one)
    for process in (everywhere, single):
        told = eventually(lambda it=process: it.events("watch_interrupted"), "it says what is missing", within=30)
        assert "deploy/operator/crd.yaml" in told[0]["problem"]
    for number in range(2):
        define(plane)
        # each has one that the other does not see, or not first
        Tasks(plane, wide).apply("w", **EACH_SECOND, queue=f"wide{number}")
        Tasks(plane, one).apply("o", **EACH_SECOND, queue=f"one{number}")
        for queue in (f"wide{number}", f"one{number}"):
            eventually(lambda queue=queue: len(messages(redis_client, queue)) >= 2, f"{queue} runs", within=30)
        if number == 0:
            eventually(lambda: all(each.events("watch_resumed") for each in (everywhere, single)), "both watch", 30)
            undefine(plane)
            eventually(lambda: not schedules(redis_client), "all have ended", within=30)
            eventually(lambda: len(single.events("watch_interrupted")) >= 2, "it says so again", within=30)
    plane.request("DELETE", f"/api/v1/namespaces/{one}")
    eventually(lambda: set(schedules(redis_client)) == {"w"}, "those of the namespace have ended", within=30)
    held = len(messages(redis_client, "wide1"))
    eventually(lambda: len(messages(redis_client, "wide1")) >= held + 2, "the other one runs on")
    for process in (everywhere, single):
        assert process.process.poll() is None
        assert "Traceback" not in process.log.read_text(encoding="utf-8")


ODD: list[Any] = [
    None,
    {},
    {"task": "demo_task"},
    {"task": 7, "queue": "q", "schedule": "@daily"},
    {"task": "demo_task", "queue": "q", "schedule": ["@daily"]},
    {"task": "demo_task", "queue": "q", "schedule": "0 0 31 2 *"},
    {"task": "demo_task", "queue": "q", "schedule": "@daily", "args": {"no": "list"}},
    {"task": "demo_task", "queue": "q", "schedule": "@daily", "unknown": True},
    {"task": "demo_task", "queue": "q", "schedule": "@daily", "timeZone": "Mars/Olympus"},
    {"task": "фетч", "queue": "q\n", "schedule": "\u202e@daily"},
    {"task": "demo_task", "queue": "q", "schedule": "@daily", "maxRuns": 10**30},
    {"task": "fetch_news_task", "schedule": "@daily", "kwargs": {"x": "y"}},
]


def test_what_an_older_crd_let_in_stops_nobody(
    own_control_plane: Callable[..., ControlPlane], start: Start, redis_client: "redis.Redis"
) -> None:
    """1,000 odd resources and a spec of 1 MB, stored before the CRD was strict, are refused one by one, in words that
    are short; what is valid among them runs.
    """
    plane = own_control_plane()
    namespace = plane.create_namespace()
    lax = yaml.safe_load(CRD.read_text(encoding="utf-8"))
    for version in lax["spec"]["versions"]:
        version["schema"]["openAPIV3Schema"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    plane.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(lax))
    plane.kubectl("wait", "--for=condition=Established", "crd/scheduledtasks.financehub.io", "--timeout=30s")
    path = f"/apis/financehub.io/v1alpha1/namespaces/{namespace}/scheduledtasks"

    def store(name: str, spec: Any) -> None:
        body = {"apiVersion": "financehub.io/v1alpha1", "kind": "ScheduledTask", "metadata": {"name": name}}
        plane.request("POST", path, body if spec is None else {**body, "spec": spec})

    eventually(lambda: "items" in plane.request("GET", path), "they are served")
    count = 1000
    for number in range(count):
        store(f"odd{number}", ODD[number % len(ODD)])
    big = {"task": "demo_task", "queue": "q", "schedule": "@daily", "kwargs": {"text": "x" * 1_000_000}, "unknown": 1}
    store("big", big)
    deep = "[" * 5000 + "]" * 5000
    text = '{"apiVersion": "financehub.io/v1alpha1", "kind": "ScheduledTask", "metadata": {"name": "deep"}, "spec": '
    text += f'{{"task": "demo_task", "queue": "q", "schedule": "@daily", "args": [{deep}]}}}}'
    plane.kubectl("create", "--validate=false", "-n", namespace, "-f", "-", stdin=text)
    store("good", {"task": "demo_task", "queue": "q", **EACH_SECOND})
    process = ready(start(scheduler_user(plane, namespace).kubeconfig, "--namespace", namespace))
    eventually(lambda: len(messages(redis_client)) >= 2, "the valid one runs")
    wrong = {f"{namespace}/big", f"{namespace}/deep", *(f"{namespace}/odd{number}" for number in range(count))}
    eventually(lambda: set(refused_schedules(redis_client)) == wrong, "the others are refused")
    refused = refused_schedules(redis_client)
    assert set(schedules(redis_client)) == {"good"}
    assert max(map(len, refused.values())) < 1000
    assert max(map(len, lines(process))) < 2000
    install(plane)
    Tasks(plane, namespace).apply("big", task="demo_task", queue="big", **EACH_SECOND, kwargs={})
    eventually(lambda: messages(redis_client, "big"), "what is mended runs")
