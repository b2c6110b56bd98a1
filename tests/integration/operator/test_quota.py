"""A ResourceQuota limits the ScheduledTasks of a namespace (F12)."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import yaml

from support.operator import Tasks, scheduler_user
from support.schedules import SchedulerProcess, messages, resource
from support.waiting import eventually
from test_cluster.control_plane.control_plane import ControlPlane
from test_cluster.control_plane.manifests import install

ROOT = Path(__file__).parents[3]
LIMITS = ROOT / "docs/limits.md"
RESOURCE = "count/scheduledtasks.financehub.io"
EACH_SECOND = {"schedule": "@every 1s", "catchUp": "All", "concurrencyPolicy": "Allow", "maxQueueDepth": 5_000}
#: The controller manager looks for new kinds of resources every 30 s.
DISCOVERY_SECONDS = 120.0


@pytest.fixture
def start(redis_url: str, tmp_path: Path) -> Iterator[Callable[..., SchedulerProcess]]:
    """Start a scheduler of one namespace. It is stopped after the test."""
    running: list[SchedulerProcess] = []

    def launch(kubeconfig: Path, *arguments: str) -> SchedulerProcess:
        running.append(SchedulerProcess(redis_url, kubeconfig, tmp_path / "operator.log", *arguments).start())
        return running[-1]

    yield launch
    for process in running:
        process.end()


@pytest.mark.timeout(600)
def test_quota_refuses_the_next_resource_and_the_scheduler_goes_on(
    own_control_plane: Callable[..., ControlPlane],
    start: Callable[..., SchedulerProcess],
    redis_client: "redis.Redis",
) -> None:
    """The message names the quota, its limit and the number in use. The accepted schedules keep running."""
    plane = own_control_plane(controller_manager=True)
    install(plane)
    namespace = plane.create_namespace()
    tasks = Tasks(plane, namespace)
    process = start(scheduler_user(plane, namespace).kubeconfig, "--namespace", namespace)
    (example,) = re.findall(r"```yaml\n(.*?kind: ResourceQuota.*?)```", LIMITS.read_text(encoding="utf-8"), re.DOTALL)
    quota = yaml.safe_load(example)
    assert int(quota["spec"]["hard"][RESOURCE]) > 2
    quota["spec"]["hard"][RESOURCE] = "2"

    def used() -> str | None:
        status = plane.request("GET", f"/api/v1/namespaces/{namespace}/resourcequotas/financehub").get("status", {})
        return status.get("used", {}).get(RESOURCE)

    def in_effect() -> bool:
        # A quota that is older than the controller's knowledge of the resource is computed every five minutes only.
        plane.kubectl("replace", "--force", "-n", namespace, "-f", "-", stdin=yaml.safe_dump(quota))
        time.sleep(2)
        return used() == "0"

    eventually(in_effect, "the quota is in effect", within=DISCOVERY_SECONDS, poll_seconds=3)
    for number in range(2):
        tasks.apply(f"s{number}", **EACH_SECOND, queue=f"q{number}")
    third = yaml.safe_dump(resource("s2", **EACH_SECOND, queue="q2"))
    refused = plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=third, check=False)
    assert refused.returncode != 0
    expected = f"exceeded quota: financehub, requested: {RESOURCE}=1, used: {RESOURCE}=2, limited: {RESOURCE}=2"
    assert expected in refused.stderr

    counts = [len(messages(redis_client, f"q{number}")) for number in range(2)]
    for number in range(2):
        eventually(
            lambda number=number: len(messages(redis_client, f"q{number}")) >= counts[number] + 3, f"s{number} runs on"
        )
    assert messages(redis_client, "q2") == []
    assert process.process.poll() is None
    tasks.delete("s0")
    eventually(lambda: used() == "1", "the deletion makes room", within=DISCOVERY_SECONDS)
    plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=third)
    eventually(lambda: len(messages(redis_client, "q2")) >= 2, "the third schedule runs")
