"""Tests of how kubectl lists and explains ScheduledTasks and how the API server stores them."""

import json
from typing import Any

import httpx
import pytest

from support.operator import Tasks
from test_cluster.control_plane.cluster import Cluster

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


def write_status(cluster: Cluster, tasks: Tasks, **body: Any) -> None:
    """Write to the status subresource, which only the scheduler may do."""
    path = f"/apis/financehub.io/v1alpha1/namespaces/{tasks.namespace}/scheduledtasks/demo/status"
    cluster.request("PATCH", path, body, content_type="application/merge-patch+json")


@pytest.mark.parametrize("name", ["st", "scheduledtask", "scheduledtasks", "financehub"])
def test_get_lists_schedule_outcome_and_next_run(crd_installed: Cluster, tasks: Tasks, name: str) -> None:
    """`kubectl get` by short name, name and category lists the schedule, the last outcome and the next run."""
    tasks.apply(task="fetch_news_task")
    write_status(crd_installed, tasks, status=STATUS)
    shown = crd_installed.kubectl("get", name, "-n", tasks.namespace).stdout.splitlines()
    assert shown[0].split() == ["NAME", "SCHEDULE", "QUEUE", "SUSPENDED", "LAST", "OUTCOME", "NEXT", "READY"]
    row = shown[1].split()
    assert row[1:9] == ["0", "6", "*", "*", "*", "(Europe/Berlin)", "high", "false"]
    assert "y" in row[9]  # an age in years
    assert row[10:] == ["succeeded", "2027-01-02T05:00:00Z", "True"]
    wide = crd_installed.kubectl("get", name, "-n", tasks.namespace, "-o", "wide").stdout.splitlines()
    assert wide[0].split()[8:] == ["TASK", "MISSED", "FAILURES"]
    assert wide[1].split()[-3:] == ["fetch_news_task", "3", "2"]


@pytest.mark.parametrize(
    ("field", "explanations"),
    [
        ("spec.catchUp", ["None: they are counted", "Latest: the newest", "All: they run in order"]),
        ("spec.concurrencyPolicy", ["Allow: it is enqueued", "Forbid: it is skipped", "Replace:", "BufferOne:"]),
        ("spec.schedule", ["`30 6 * * 1-5`", "`@hourly`", "`@every 2m`", "startTime"]),
        ("spec.schedule", ["`@every 1h offset 7m`", "six with seconds first if the queue is not medium or low"]),
        ("spec.schedule", ["both day-of-month and weekday are restricted, a day matches if one of them does (OR)"]),
        ("spec.schedule", ["`22-6`", "`FRI-MON`", "15W", "L-2", "FRI#2", "`@open`", "closing of each day"]),
        ("spec.dayMatch", ["Any: a day matches if one", "All: a day matches only if both", "The default is Any"]),
        ("spec.exclude", ["count neither as skipped nor as missed", "all of its fields apply"]),
        ("spec.exclude.from", ["22:00", "goes over midnight"]),
        ("spec.exclude.dates", ["2026-12-24", "12-25", "2026-12-24/2027-01-02", "two ends are excluded too"]),
        ("spec.exclude.holidays", ["XNYS", "from Monday to Friday on which it has no session"]),
        ("spec.calendarOffsetSeconds", ["15 minutes after each close, also after an early one"]),
        ("spec.after", ["after each success", "exactly one of schedule, schedules and after"]),
        ("spec.concurrencyPolicy", ["BufferAll: all runs wait for their turn, in order", "FINANCEHUB_MAX_BACKLOG"]),
        ("spec.pauseAfterFailures", ["runs in a row", "financehub schedules resume NAME"]),
        ("spec.timeZone", ["America/New_York", "end of the gap", "both passes", "a repeated time is due once"]),
        ("status.conditions", ["Ready", "Suspended", "Failing"]),
    ],
)
def test_explain_describes_each_value(crd_installed: Cluster, field: str, explanations: list[str]) -> None:
    """`kubectl explain` describes each value, with an example."""
    shown = " ".join(crd_installed.kubectl("explain", f"st.{field}").stdout.split())
    assert [text for text in explanations if text not in shown] == []


def test_spec_and_status_are_written_separately(crd_installed: Cluster, tasks: Tasks) -> None:
    """A status write cannot change the spec, and a user's apply does not change the status."""
    tasks.apply(task="fetch_news_task")
    write_status(crd_installed, tasks, status=STATUS, spec={"task": "health_check_task"})
    tasks.apply(task="fetch_news_task", suspend=True)
    found = tasks.get()
    assert found["spec"]["task"] == "fetch_news_task"
    assert found["status"]["missed"] == 3
    assert found["metadata"]["generation"] == 2


def test_apply_fills_in_the_documented_defaults(tasks: Tasks) -> None:
    """Omitted fields get the documented defaults, and fields without a default are not added."""
    assert tasks.apply(task="fetch_news_task")["spec"] == {
        "task": "fetch_news_task",
        "schedule": "@yearly",
        "timeZone": "UTC",
        "suspend": False,
        "concurrencyPolicy": "Forbid",
        "catchUp": "Latest",
        "jitterSeconds": 0,
    }


def test_invalid_status_is_refused(crd_installed: Cluster, tasks: Tasks) -> None:
    """The status has a schema as well, so a scheduler of another version cannot store invalid values."""
    tasks.apply(task="fetch_news_task")
    with pytest.raises(httpx.HTTPStatusError) as caught:
        write_status(crd_installed, tasks, status={"runs": "many"})
    assert "status.runs" in json.loads(caught.value.response.text)["message"]
