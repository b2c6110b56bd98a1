"""Tests of schedulers whose API server is unavailable, has lost old versions, or no longer serves ScheduledTasks.

Each test has its own control plane.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from financehub_shared.schedules import list_schedules, refused_schedules
from support.operator import Tasks, http_get, scheduler_user, wait_until_ready
from support.schedules import SchedulerProcess, messages, resource
from support.tunnel import Tunnel
from support.waiting import eventually
from test_cluster.control_plane.control_plane import ControlPlane
from test_cluster.control_plane.manifests import install

pytestmark = pytest.mark.faults

CRD = Path(__file__).parents[3] / "deploy/operator/crd.yaml"
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/scheduledtasks.financehub.io"
#: No worker takes the messages, so the schedules may have more unfinished runs than by default.
EACH_SECOND = {"schedule": "@every 1s", "concurrencyPolicy": "Allow", "catchUp": "All", "maxQueueDepth": 5_000}
OUTAGE_SECONDS = 60
#: Maximum number of log lines about one outage, however long it is.
MAX_OUTAGE_LINES = 12

Start = Callable[..., SchedulerProcess]


@pytest.fixture
def start(redis_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start a scheduler with a kubeconfig and additional arguments. It is stopped after the test."""
    running: list[SchedulerProcess] = []

    def begin(kubeconfig: Path, *arguments: str) -> SchedulerProcess:
        log = tmp_path / f"operator-{len(running)}.log"
        running.append(SchedulerProcess(redis_url, kubeconfig, log, *arguments).start())
        return running[-1]

    yield begin
    for process in running:
        process.end()


def schedules(client: "redis.Redis") -> dict[str, str]:
    """Return name → recurrence of all registered schedules."""
    return {info.name.partition("/")[2]: info.spec["schedule"] for info in list_schedules(client)}


def log_lines(process: SchedulerProcess) -> list[str]:
    """Return a scheduler's log without the lines about enqueued runs."""
    return [line for line in process.log.read_text(encoding="utf-8").splitlines() if "run_enqueued" not in line]


def test_scheduler_during_api_outage_keeps_running_and_catches_up(
    own_control_plane: Callable[..., ControlPlane], start: Start, redis_client: "redis.Redis"
) -> None:
    """While the API server is down for a minute, or unreachable, runs are enqueued and the outage is logged once.

    Everything that was changed, added or deleted meanwhile takes effect soon afterwards, although the server no longer
    knows (410 Gone) the version from which the watch would continue.
    """
    plane = own_control_plane()
    install(plane)
    tasks = Tasks(plane, plane.create_namespace())
    user = scheduler_user(plane, tasks.namespace)
    tasks.apply("steady", **EACH_SECOND)
    for name in ("changed", "deleted"):
        tasks.apply(name, schedule="@yearly")
    with Tunnel(plane.server) as tunnel:
        process = wait_until_ready(start(tunnel.kubeconfig(user.kubeconfig), "--namespace", tasks.namespace))
        lines_before = len(log_lines(process))

        plane.kill_api_server()
        after_a_minute = len(messages(redis_client)) + OUTAGE_SECONDS
        eventually(lambda: len(messages(redis_client)) >= after_a_minute, "it runs without an API server", within=150)
        assert http_get(process, "/livez")[0] == 200
        plane.start_api_server()
        tasks.apply("later", schedule="@yearly")
        eventually(lambda: "later" in schedules(redis_client), "a later addition takes effect")
        eventually(lambda: process.events("watch_available_again"), "the end of the outage is logged")

        tunnel.refuse()
        tunnel.cut()
        tasks.apply("changed", schedule="@monthly")
        tasks.apply("added", schedule="@yearly")
        tasks.delete("deleted")
        plane.compact()
        assert schedules(redis_client)["changed"] == "@yearly"
        tunnel.accept()
        expected = {"steady": "@every 1s", "changed": "@monthly", "later": "@yearly", "added": "@yearly"}
        eventually(lambda: schedules(redis_client) == expected, "the changes take effect")
    due = [message["options"]["due_at"] // 1000 for message in messages(redis_client)]
    assert due == list(range(due[0], due[0] + len(due)))
    added_lines = log_lines(process)[lines_before:]
    assert len(added_lines) <= 2 * MAX_OUTAGE_LINES, "\n".join(added_lines)
    assert "Traceback" not in process.log.read_text(encoding="utf-8")


def delete_definition(plane: ControlPlane) -> None:
    """Delete the CRD of ScheduledTasks, and thereby all ScheduledTasks."""
    plane.request("DELETE", DEFINITION)
    plane.kubectl("wait", "--for=delete", "crd/scheduledtasks.financehub.io", "--timeout=50s")


def create_definition(plane: ControlPlane) -> None:
    """Create the CRD of ScheduledTasks and wait until they are served."""
    plane.kubectl("apply", "--server-side", "-f", str(CRD))
    plane.kubectl("wait", "--for=condition=Established", "crd/scheduledtasks.financehub.io", "--timeout=50s")
    # An established resource is discoverable a moment later.
    eventually(lambda: plane.kubectl("get", "scheduledtasks", "-A", check=False).returncode == 0, "they are served")


def test_scheduler_follows_the_definition_without_a_restart(
    own_control_plane: Callable[..., ControlPlane], start: Start, redis_client: "redis.Redis"
) -> None:
    """A scheduler without the CRD waits and logs what to apply. It works once the CRD exists, and again after the CRD
    was deleted and recreated.

    When the CRD or a namespace is deleted, the schedules end. This holds whether a scheduler watches all namespaces or
    a single one.
    """
    plane = own_control_plane(controller_manager=True)
    namespace_all, namespace_one = (plane.create_namespace(prefix) for prefix in ("all", "one"))
    of_all = start(scheduler_user(plane, namespace_all, cluster_wide=True).kubeconfig)
    of_one = start(scheduler_user(plane, namespace_one).kubeconfig, "--namespace", namespace_one)
    for process in (of_all, of_one):
        outages = eventually(
            lambda process=process: process.events("watch_unavailable"), "the missing CRD is logged", within=90
        )
        assert "deploy/operator/crd.yaml" in outages[0]["problem"]
    for number in range(2):
        create_definition(plane)
        # The scheduler that watches one namespace does not see the first resource.
        Tasks(plane, namespace_all).apply("a", **EACH_SECOND, queue=f"all{number}")
        Tasks(plane, namespace_one).apply("o", **EACH_SECOND, queue=f"one{number}")
        for queue in (f"all{number}", f"one{number}"):
            eventually(lambda queue=queue: len(messages(redis_client, queue)) >= 2, f"{queue} runs", within=150)
        if number == 0:
            eventually(
                lambda: all(process.events("watch_available_again") for process in (of_all, of_one)),
                "both watch",
                within=90,
            )
            delete_definition(plane)
            eventually(lambda: not schedules(redis_client), "all have ended", within=90)
    plane.request("DELETE", f"/api/v1/namespaces/{namespace_one}")
    eventually(lambda: set(schedules(redis_client)) == {"a"}, "those of the namespace have ended", within=90)
    count = len(messages(redis_client, "all1"))
    eventually(lambda: len(messages(redis_client, "all1")) >= count + 2, "the other one keeps running")
    for process in (of_all, of_one):
        assert process.process.poll() is None
        assert "Traceback" not in process.log.read_text(encoding="utf-8")


ODD_SPECS: list[Any] = [
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


def test_scheduler_with_invalid_resources_of_older_crd_runs_the_valid_one(
    own_control_plane: Callable[..., ControlPlane], start: Start, redis_client: "redis.Redis"
) -> None:
    """1,000 invalid resources and specs of 1 MB, stored before the CRD was strict, are refused with short messages.

    A valid resource among them runs, and so does an invalid one after it was corrected.
    """
    plane = own_control_plane()
    namespace = plane.create_namespace()
    lax = yaml.safe_load(CRD.read_text(encoding="utf-8"))
    for version in lax["spec"]["versions"]:
        version["schema"]["openAPIV3Schema"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    plane.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(lax))
    plane.kubectl("wait", "--for=condition=Established", "crd/scheduledtasks.financehub.io", "--timeout=50s")
    path = f"/apis/financehub.io/v1alpha1/namespaces/{namespace}/scheduledtasks"

    def store(name: str, spec: Any) -> None:
        body = {"apiVersion": "financehub.io/v1alpha1", "kind": "ScheduledTask", "metadata": {"name": name}}
        plane.request("POST", path, body if spec is None else {**body, "spec": spec})

    eventually(lambda: "items" in plane.request("GET", path), "they are served")
    count = 1000
    for number in range(count):
        store(f"odd{number}", ODD_SPECS[number % len(ODD_SPECS)])
    big = {"task": "demo_task", "queue": "q", "schedule": "@daily", "kwargs": {"text": "x" * 1_000_000}, "unknown": 1}
    store("big", big)
    deep = "[" * 5000 + "]" * 5000
    text = '{"apiVersion": "financehub.io/v1alpha1", "kind": "ScheduledTask", "metadata": {"name": "deep"}, "spec": '
    text += f'{{"task": "demo_task", "queue": "q", "schedule": "@daily", "args": [{deep}]}}}}'
    plane.kubectl("create", "--validate=false", "-n", namespace, "-f", "-", stdin=text)
    store("good", {"task": "demo_task", "queue": "q", **EACH_SECOND})
    process = wait_until_ready(start(scheduler_user(plane, namespace).kubeconfig, "--namespace", namespace))
    eventually(lambda: len(messages(redis_client)) >= 2, "the valid one runs")
    invalid = {f"{namespace}/big", f"{namespace}/deep", *(f"{namespace}/odd{number}" for number in range(count))}
    eventually(lambda: set(refused_schedules(redis_client)) == invalid, "the others are refused")
    refused = refused_schedules(redis_client)
    assert set(schedules(redis_client)) == {"good"}
    assert max(map(len, refused.values())) < 1000
    assert max(map(len, log_lines(process))) < 2000
    install(plane)
    corrected = resource("big", task="demo_task", queue="big", **EACH_SECOND)
    # `apply` would keep the large argument, which another field manager owns
    plane.kubectl("replace", "-n", namespace, "-f", "-", stdin=json.dumps(corrected))
    eventually(lambda: messages(redis_client, "big"), "the corrected one runs")
