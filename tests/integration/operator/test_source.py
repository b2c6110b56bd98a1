"""Tests with a real scheduler and a real API server: changes to ScheduledTasks take effect without a restart."""

import time
from collections.abc import Callable
from typing import Any

import redis

from financehub_shared.schedules import list_schedules, refused_schedules
from support.operator import TOO_DEEP, Tasks, wait_until_ready
from support.schedules import SchedulerProcess, messages
from support.waiting import eventually
from test_cluster.control_plane.cluster import Cluster

Start = Callable[..., SchedulerProcess]


def registered(client: "redis.Redis") -> dict[str, Any]:
    """Return name → schedule of all registered schedules."""
    return {info.name.partition("/")[2]: info for info in list_schedules(client)}


def due_times(client: "redis.Redis") -> list[float]:
    """Return the due times of the messages in Unix seconds."""
    return [message["options"]["due_at"] / 1000 for message in messages(client)]


def patch(cluster: Cluster, tasks: Tasks, metadata: dict[str, Any]) -> None:
    """Change the metadata of the resource `demo`."""
    path = f"/apis/financehub.io/v1alpha1/namespaces/{tasks.namespace}/scheduledtasks/demo"
    cluster.request("PATCH", path, {"metadata": metadata}, content_type="application/merge-patch+json")


def test_schedules_run_at_their_due_times(tasks: Tasks, start_operator: Start, redis_client: "redis.Redis") -> None:
    """A schedule that exists at startup and one that is applied later both run at their due times."""
    tasks.apply("first", schedule="@every 1s", concurrencyPolicy="Allow", catchUp="All")
    wait_until_ready(start_operator())
    tasks.apply("second", schedule="@every 2s", concurrencyPolicy="Allow", queue="later")
    eventually(lambda: len(messages(redis_client)) >= 3 and len(messages(redis_client, "later")) >= 2, "both run")
    due = due_times(redis_client)
    assert due == [due[0] + second for second in range(len(due))]
    assert {message["options"]["schedule"] for message in messages(redis_client, "later")} == {
        f"{tasks.namespace}/second"
    }


def test_every_change_of_a_resource_takes_effect(
    tasks: Tasks, start_operator: Start, redis_client: "redis.Redis"
) -> None:
    """Adding, editing, suspending, resuming and deleting take effect. `make bench` measures how soon."""
    wait_until_ready(start_operator())

    def check(change: Callable[[], Any], is_in_effect: Callable[[dict[str, Any]], bool]) -> None:
        change()
        eventually(lambda: is_in_effect(registered(redis_client)), "the change takes effect")

    check(lambda: tasks.apply(schedule="@daily"), lambda known: "demo" in known)
    check(lambda: tasks.apply(schedule="@hourly"), lambda known: known["demo"].spec["schedule"] == "@hourly")
    check(lambda: tasks.apply(schedule="@hourly", suspend=True), lambda known: known["demo"].suspended)
    check(lambda: tasks.apply(schedule="@hourly"), lambda known: not known["demo"].suspended)
    check(tasks.delete, lambda known: "demo" not in known)


def test_edit_does_not_run_earlier_due_times(tasks: Tasks, start_operator: Start, redis_client: "redis.Redis") -> None:
    """If an edit gives a schedule many past due times, it first runs at the next one."""
    tasks.apply(schedule="@yearly", catchUp="All", concurrencyPolicy="Allow")
    wait_until_ready(start_operator())
    time.sleep(max(0.0, 1.2 - time.time() % 1))  # managedFields have whole seconds
    edited = time.time()
    tasks.apply(schedule="@every 1s", catchUp="All", concurrencyPolicy="Allow")
    eventually(lambda: messages(redis_client), "it runs")
    assert due_times(redis_client)[0] > edited - 1


def test_edit_without_running_scheduler_does_not_run_earlier_due_times(
    tasks: Tasks, start_operator: Start, redis_client: "redis.Redis"
) -> None:
    """An edit while no scheduler runs takes effect from the edit's timestamp, even if Redis knows the old spec."""
    tasks.apply(schedule="@yearly", catchUp="All", concurrencyPolicy="Allow")
    first = wait_until_ready(start_operator())
    first.stop()
    edited = time.time()
    tasks.apply(schedule="@every 1s", catchUp="All", concurrencyPolicy="Allow")
    wait_until_ready(start_operator())
    eventually(lambda: messages(redis_client), "it runs")
    assert due_times(redis_client)[0] > edited - 1


def test_recreated_resource_is_a_new_schedule(tasks: Tasks, start_operator: Start, redis_client: "redis.Redis") -> None:
    """A resource that replaces one of the same name inherits no counter, high-water mark or trigger."""
    trigger = {"financehub.io/trigger": "one"}
    tasks.apply(annotations=trigger, schedule="@every 1s", concurrencyPolicy="Allow")
    wait_until_ready(start_operator())
    eventually(lambda: registered(redis_client)["demo"].runs >= 2, "it runs")
    eventually(lambda: registered(redis_client)["demo"].triggered == 1, "it is triggered")
    old = registered(redis_client)["demo"].uid
    tasks.delete()
    tasks.apply(annotations=trigger, schedule="@yearly", concurrencyPolicy="Allow")
    eventually(
        lambda: (new := registered(redis_client).get("demo")) and new.uid != old and new.triggered == 1,
        "the new one is triggered too",
    )
    assert registered(redis_client)["demo"].runs == 0


def test_resource_held_by_a_finalizer_no_longer_runs(
    tasks: Tasks, start_operator: Start, redis_client: "redis.Redis", crd_installed: Cluster
) -> None:
    """A resource that is being deleted no longer runs, even if a finalizer keeps it in the API server."""
    tasks.apply(schedule="@daily")
    patch(crd_installed, tasks, {"finalizers": ["example.com/hold"]})
    wait_until_ready(start_operator())
    tasks.delete()
    eventually(lambda: "demo" not in registered(redis_client), "it is removed")
    assert tasks.get()["metadata"]["deletionTimestamp"]
    patch(crd_installed, tasks, {"finalizers": []})


def test_edit_to_refused_spec_stops_only_this_schedule(
    tasks: Tasks, start_operator: Start, redis_client: "redis.Redis"
) -> None:
    """An edit to arguments that no worker reads stops the schedule, which is listed as refused until it is corrected.

    Other schedules keep running, and the due times in between do not run later.
    """
    tasks.apply(schedule="@every 1s", concurrencyPolicy="Allow", catchUp="All")
    tasks.apply("other", schedule="@every 1s", concurrencyPolicy="Allow", queue="other")
    wait_until_ready(start_operator())
    eventually(lambda: messages(redis_client), "it runs")
    tasks.apply(schedule="@every 1s", concurrencyPolicy="Allow", catchUp="All", args=TOO_DEEP)
    name = f"{tasks.namespace}/demo"
    eventually(lambda: "nested" in refused_schedules(redis_client).get(name, ""), "it is refused")

    def wait_for_other_runs() -> None:
        others = len(messages(redis_client, "other"))
        eventually(lambda: len(messages(redis_client, "other")) >= others + 2, "the other one keeps running")

    wait_for_other_runs()  # A run of the refused one may have been on its way to Redis.
    count = len(messages(redis_client))
    wait_for_other_runs()
    assert len(messages(redis_client)) == count
    tasks.apply(schedule="@every 1s", concurrencyPolicy="Allow", catchUp="All")
    eventually(lambda: len(messages(redis_client)) >= count + 2, "it runs again")
    eventually(lambda: name not in refused_schedules(redis_client), "it is no longer listed as refused")
    before = registered(redis_client)["demo"].runs
    due = due_times(redis_client)
    assert due[count] - due[count - 1] >= 3, "due times in between do not run"
    # A run may become due between the two reads.
    assert before <= len(due) <= registered(redis_client)["demo"].runs


def test_label_change_does_not_register_the_schedule_again(
    tasks: Tasks, start_operator: Start, crd_installed: Cluster
) -> None:
    """A change to labels or to annotations of other tools does not reach the engine."""
    tasks.apply(schedule="@daily")
    process = wait_until_ready(start_operator())
    before = len(process.events("schedules_registered"))
    patch(crd_installed, tasks, {"labels": {"team": "data"}, "annotations": {"example.com/note": "x"}})
    tasks.apply("marker", schedule="@daily")
    eventually(lambda: len(process.events("schedules_registered")) == before + 1, "only the marker is registered")
