"""A real scheduler and a real API server: what a user does to a ScheduledTask is in force, without a restart."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from financehub_shared.schedules import list_schedules, refused_schedules
from support.operator import Tasks, ready
from support.schedules import SchedulerProcess, eventually, messages

Start = Callable[..., SchedulerProcess]


@pytest.fixture
def tasks(crd_installed: Any, namespace: str) -> Tasks:
    """The ScheduledTasks of this test."""
    return Tasks(crd_installed, namespace)


def registered(client: "redis.Redis") -> dict[str, Any]:
    """Name → schedule, as everybody sees it."""
    return {each.name.partition("/")[2]: each for each in list_schedules(client)}


def test_what_is_applied_runs_on_time(tasks: Tasks, operator: Start, redis_client: "redis.Redis") -> None:
    """A schedule that is there at the start and one that is applied later both run, at the due times they name."""
    tasks.apply("first", schedule="@every 1s", concurrencyPolicy="Allow", catchUp="All")
    ready(operator())
    tasks.apply("second", schedule="@every 2s", concurrencyPolicy="Allow", queue="later")
    eventually(lambda: len(messages(redis_client)) >= 3 and len(messages(redis_client, "later")) >= 2, "both run")
    due = [message["options"]["due_at"] / 1000 for message in messages(redis_client)]
    assert due == [due[0] + second for second in range(len(due))]
    assert {message["options"]["schedule"] for message in messages(redis_client, "later")} == {
        f"{tasks.namespace}/second"
    }


def test_each_change_is_in_force(tasks: Tasks, operator: Start, redis_client: "redis.Redis") -> None:
    """Add, edit, suspend, resume and delete: what everybody sees of the schedule follows; how soon is measured by
    `make bench`.
    """
    ready(operator())

    def follows(change: Callable[[], Any], look: Callable[[dict[str, Any]], bool]) -> None:
        change()
        eventually(lambda: look(registered(redis_client)), "the change is in force")

    follows(lambda: tasks.apply(schedule="@daily"), lambda known: "demo" in known)
    follows(lambda: tasks.apply(schedule="@hourly"), lambda known: known["demo"].spec["schedule"] == "@hourly")
    follows(lambda: tasks.apply(schedule="@hourly", suspend=True), lambda known: known["demo"].suspended)
    follows(lambda: tasks.apply(schedule="@hourly"), lambda known: not known["demo"].suspended)
    follows(tasks.delete, lambda known: "demo" not in known)


def test_an_edit_never_fires_retroactively(tasks: Tasks, operator: Start, redis_client: "redis.Redis") -> None:
    """A schedule edited to one that was due long ago, many times, first fires at its next due time."""
    tasks.apply(schedule="@yearly", catchUp="All", concurrencyPolicy="Allow")
    ready(operator())
    time.sleep(max(0.0, 1.2 - time.time() % 1))  # managedFields have whole seconds
    edited = time.time()
    tasks.apply(schedule="@every 1s", catchUp="All", concurrencyPolicy="Allow")
    eventually(lambda: messages(redis_client), "it fires")
    assert messages(redis_client)[0]["options"]["due_at"] / 1000 > edited - 1


def test_an_edit_while_nobody_runs_never_fires_retroactively(
    tasks: Tasks, operator: Start, redis_client: "redis.Redis"
) -> None:
    """An edit made while no scheduler ran counts from when it was made, also if Redis knew the old spec."""
    tasks.apply(schedule="@yearly", catchUp="All", concurrencyPolicy="Allow")
    first = ready(operator())
    first.stop()
    edited = time.time()
    tasks.apply(schedule="@every 1s", catchUp="All", concurrencyPolicy="Allow")
    ready(operator())
    eventually(lambda: messages(redis_client), "it fires")
    assert messages(redis_client)[0]["options"]["due_at"] / 1000 > edited - 1


def test_deleted_and_created_again_starts_anew(tasks: Tasks, operator: Start, redis_client: "redis.Redis") -> None:
    """A resource of the same name is another schedule: no counter, no mark and no trigger is taken over."""
    trigger = {"financehub.io/trigger": "one"}
    tasks.apply(annotations=trigger, schedule="@every 1s", concurrencyPolicy="Allow")
    ready(operator())
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


def test_what_a_finalizer_holds_back_is_gone_for_us(
    tasks: Tasks, operator: Start, redis_client: "redis.Redis", crd_installed: Any
) -> None:
    """A resource that is being deleted no longer runs, whoever keeps it in the API."""
    tasks.apply(schedule="@daily")
    path = f"/apis/financehub.io/v1alpha1/namespaces/{tasks.namespace}/scheduledtasks/demo"

    def finalizers(*names: str) -> None:
        crd_installed.request(
            "PATCH", path, {"metadata": {"finalizers": names}}, content_type="application/merge-patch+json"
        )

    finalizers("example.com/hold")
    ready(operator())
    tasks.delete()
    eventually(lambda: "demo" not in registered(redis_client), "it is gone")
    assert tasks.get()["metadata"]["deletionTimestamp"]
    finalizers()


def test_what_only_the_scheduler_sees_is_refused_and_stops(
    tasks: Tasks, operator: Start, redis_client: "redis.Redis"
) -> None:
    """A schedule edited to one that never comes stops, says why, spares the others, and goes on once mended."""
    tasks.apply(schedule="@every 1s", concurrencyPolicy="Allow", catchUp="All")
    tasks.apply("other", schedule="@every 1s", concurrencyPolicy="Allow", queue="other")
    ready(operator())
    eventually(lambda: messages(redis_client), "it runs")
    tasks.apply(schedule="0 0 31 2 *", concurrencyPolicy="Allow", catchUp="All")
    name = f"{tasks.namespace}/demo"
    eventually(lambda: "31 February never comes" in refused_schedules(redis_client).get(name, ""), "it says why")
    count, others = len(messages(redis_client)), len(messages(redis_client, "other"))
    eventually(lambda: len(messages(redis_client, "other")) >= others + 2, "the other one runs on")
    assert len(messages(redis_client)) == count
    tasks.apply(schedule="@every 1s", concurrencyPolicy="Allow", catchUp="All")
    eventually(lambda: len(messages(redis_client)) >= count + 2, "it runs again")
    eventually(lambda: name not in refused_schedules(redis_client), "and is no longer listed as refused")
    before = registered(redis_client)["demo"].runs
    due = [message["options"]["due_at"] / 1000 for message in messages(redis_client)]
    assert due[count] - due[count - 1] >= 3, "what was due meanwhile stays undone"
    # it may be due between two looks
    assert before <= len(due) <= registered(redis_client)["demo"].runs


def test_a_label_changes_nothing(tasks: Tasks, operator: Start, crd_installed: Any) -> None:
    """What is neither spec nor one of our annotations is none of the engine's business."""
    tasks.apply(schedule="@daily")
    process = ready(operator())
    before = len(process.events("schedules_registered"))
    path = f"/apis/financehub.io/v1alpha1/namespaces/{tasks.namespace}/scheduledtasks/demo"
    body = {"metadata": {"labels": {"team": "data"}, "annotations": {"example.com/note": "x"}}}
    crd_installed.request("PATCH", path, body, content_type="application/merge-patch+json")
    tasks.apply("marker", schedule="@daily")
    eventually(lambda: len(process.events("schedules_registered")) == before + 1, "only the marker is registered")
