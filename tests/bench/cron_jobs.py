"""Measures the lateness of ScheduledTasks, and of CronJobs in the same cluster, that are all due in the same minute."""

import time
from datetime import UTC, datetime
from typing import Any

from bench.arrivals import lateness
from bench.operator_cluster import SCHEDULED_TASKS, OperatorCluster, log_progress, unix_seconds, wait_until
from support.schedules import resource

COUNT = 500
_CRON_JOBS = "/apis/batch/v1/namespaces/{}/cronjobs"
_CONTROLLER = "system:serviceaccount:kube-system:cronjob-controller"
#: Minimum seconds until the measured minute. If the next full minute is closer, the one after it is measured.
_MARGIN_SECONDS = 10
_MINUTE = 60
#: Seconds within which all runs of ScheduledTasks must arrive.
_ARRIVAL_SECONDS = 5


def scheduled_task_lateness(cluster: OperatorCluster, namespace: str) -> list[float]:
    """Return the seconds from the due time until each run was enqueued, ascending."""
    log_progress(f"{COUNT} ScheduledTasks in one minute")
    user = cluster.user(namespace)
    due = _next_minute()
    spec: dict[str, Any] = {"task": "noop", "queue": "bench", "schedule": _cron_expression(due)}
    cluster.create(SCHEDULED_TASKS.format(namespace), (resource(f"s{number}", **spec) for number in range(COUNT)))
    with cluster.scheduler(user, COUNT):
        late = lateness(cluster.redis.client(), "dramatiq:bench", due, due + _ARRIVAL_SECONDS)
    if len(late) != COUNT:
        raise RuntimeError(f"{len(late)} of {COUNT} runs arrived within {_ARRIVAL_SECONDS} s")
    return late


def cron_job_lateness(cluster: OperatorCluster, namespace: str) -> list[float]:
    """Return the seconds from the due time until each Job was created, ascending."""
    log_progress(f"{COUNT} CronJobs in one minute")
    due = _next_minute()
    cluster.create(
        _CRON_JOBS.format(namespace), (_cron_job(f"s{number}", _cron_expression(due)) for number in range(COUNT))
    )
    time.sleep(due - time.time())
    wait_until(
        lambda: len(_job_times(cluster)) == COUNT,
        lambda: f"{len(_job_times(cluster))} of {COUNT} Jobs were created",
        every=2,
    )
    return sorted(created - due for created in _job_times(cluster))


def _next_minute() -> int:
    return int((time.time() + _MARGIN_SECONDS) // _MINUTE + 1) * _MINUTE


def _cron_expression(due: int) -> str:
    """Return the cron expression for one minute of the year."""
    return f"{datetime.fromtimestamp(due, UTC):%-M %-H %-d %-m} *"


def _cron_job(name: str, schedule: str) -> dict[str, Any]:
    # The Jobs are suspended, because their Pods would be work for other controllers.
    pod = {"restartPolicy": "Never", "containers": [{"name": "noop", "image": "noop"}]}
    job = {"suspend": True, "template": {"spec": pod}}
    return {
        "metadata": {"name": name},
        "spec": {"schedule": schedule, "timeZone": "Etc/UTC", "jobTemplate": {"spec": job}},
    }


def _job_times(cluster: OperatorCluster) -> list[float]:
    """Return the creation times of the controller's Jobs in Unix seconds."""
    return [
        unix_seconds(record["stageTimestamp"])
        for record in cluster.plane.audit(_CONTROLLER)
        if (record["verb"], record["objectRef"]["resource"]) == ("create", "jobs")
        and record["responseStatus"]["code"] == 201
    ]
