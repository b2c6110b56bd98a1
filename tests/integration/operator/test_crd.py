"""The resource as kubectl shows and explains it."""

import json
from typing import Any

import httpx
import pytest

from support.control_plane.cluster import Cluster
from support.operator import Tasks

STATUS: dict[str, Any] = {
    "schedule": "0 6 * * * (Europe/Berlin)",
    "queue": "high",
    "lastScheduleTime": "2020-01-01T05:00:00Z",
    "lastRun": {"id": "x", "outcome": "succeeded"},
    "nextScheduleTimes": ["2027-01-02T05:00:00Z", "2027-01-03T05:00:00Z"],
    "missed": 3,
    "failures": 2,
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Scheduled",
            "message": "x",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "observedGeneration": 1,
        }
    ],
}


@pytest.fixture
def tasks(crd_installed: Cluster, namespace: str) -> Tasks:
    """The ScheduledTasks of this test."""
    return Tasks(crd_installed, namespace)


def write_status(cluster: Cluster, tasks: Tasks, **body: Any) -> None:
    """Write to /status, as only the scheduler may."""
    path = f"/apis/financehub.io/v1alpha1/namespaces/{tasks.namespace}/scheduledtasks/demo/status"
    cluster.request("PATCH", path, body, content_type="application/merge-patch+json")


@pytest.mark.parametrize("name", ["st", "scheduledtask", "scheduledtasks", "financehub"])
def test_a_listing_answers_what_runs_when(crd_installed: Cluster, tasks: Tasks, name: str) -> None:
    """By short name, by name and by category: what runs by which schedule, whether it worked, when next."""
    tasks.apply(task="fetch_news_task")
    write_status(crd_installed, tasks, status=STATUS)
    shown = crd_installed.kubectl("get", name, "-n", tasks.namespace).stdout.splitlines()
    assert shown[0].split() == ["NAME", "SCHEDULE", "QUEUE", "SUSPENDED", "LAST", "OUTCOME", "NEXT", "READY"]
    row = shown[1].split()
    assert row[1:9] == ["0", "6", "*", "*", "*", "(Europe/Berlin)", "high", "false"]
    assert "y" in row[9]  # an age, of years
    assert row[10:] == ["succeeded", "2027-01-02T05:00:00Z", "True"]
    wide = crd_installed.kubectl("get", name, "-n", tasks.namespace, "-o", "wide").stdout.splitlines()
    assert wide[0].split()[8:] == ["TASK", "MISSED", "FAILURES"]
    assert wide[1].split()[-3:] == ["fetch_news_task", "3", "2"]


@pytest.mark.parametrize(
    ("field", "lessons"),
    [
        ("spec.catchUp", ["None: they are counted", "Latest: the newest", "All: all of them"]),
        ("spec.concurrencyPolicy", ["Allow: it is enqueued", "Forbid: it is skipped", "Replace:", "BufferOne:"]),
        ("spec.schedule", ["`30 6 * * 1-5`", "`@hourly`", "`@every 2m`", "startTime"]),
        ("spec.timeZone", ["America/New_York", "end of the gap", "exists twice runs once"]),
        ("status.conditions", ["Ready", "Suspended", "Failing"]),
    ],
)
def test_explain_teaches(crd_installed: Cluster, field: str, lessons: list[str]) -> None:
    """`kubectl explain` says what each value does, with an example."""
    shown = " ".join(crd_installed.kubectl("explain", f"st.{field}").stdout.split())
    assert [lesson for lesson in lessons if lesson not in shown] == []


def test_spec_and_status_are_written_apart(crd_installed: Cluster, tasks: Tasks) -> None:
    """Who writes status cannot change the spec with it, and a user's apply leaves status alone."""
    tasks.apply(task="fetch_news_task")
    write_status(crd_installed, tasks, status=STATUS, spec={"task": "health_check_task"})
    tasks.apply(task="fetch_news_task", suspend=True)
    found = tasks.get()
    assert found["spec"]["task"] == "fetch_news_task"
    assert found["status"]["missed"] == 3
    assert found["metadata"]["generation"] == 2


def test_defaults_are_filled_in(tasks: Tasks) -> None:
    """What a user leaves out is what the documentation says, and nothing that says nothing is added."""
    assert tasks.apply(task="fetch_news_task")["spec"] == {
        "task": "fetch_news_task",
        "schedule": "@yearly",
        "timeZone": "UTC",
        "suspend": False,
        "concurrencyPolicy": "Forbid",
        "catchUp": "Latest",
        "jitterSeconds": 0,
    }


def test_a_wrong_status_is_refused(crd_installed: Cluster, tasks: Tasks) -> None:
    """Status has a schema too: a scheduler of another version cannot leave nonsense behind."""
    tasks.apply(task="fetch_news_task")
    with pytest.raises(httpx.HTTPStatusError) as caught:
        write_status(crd_installed, tasks, status={"runs": "many"})
    assert "status.runs" in json.loads(caught.value.response.text)["message"]
