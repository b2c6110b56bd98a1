"""Schedules that are all due in one minute: ours, and CronJobs of the same cluster."""

import time
from datetime import UTC, datetime
from typing import Any

from bench.arrivals import lateness
from bench.operator_cluster import SCHEDULED_TASKS, OperatorCluster, moment, tell, until
from support.schedules import resource

COUNT = 500
_CRON_JOBS = "/apis/batch/v1/namespaces/{}/cronjobs"
_CONTROLLER = "system:serviceaccount:kube-system:cronjob-controller"
#: A start closer to a full minute than this is measured at the next.
_MARGIN_SECONDS = 10
_MINUTE = 60
#: How long runs of ours are awaited.
_PATIENCE_SECONDS = 5


def scheduled_tasks(cluster: OperatorCluster, namespace: str) -> list[float]:
    """Due → run enqueued, ascending, seconds."""
    tell(f"{COUNT} ScheduledTasks in one minute")
    user = cluster.user(namespace)
    due = _next_minute()
    spec: dict[str, Any] = {"task": "noop", "queue": "bench", "schedule": _at(due)}
    cluster.create(SCHEDULED_TASKS.format(namespace), (resource(f"s{number}", **spec) for number in range(COUNT)))
    with cluster.scheduler(user, COUNT):
        late = lateness(cluster.redis.client(), "dramatiq:bench", due, due + _PATIENCE_SECONDS)
    if len(late) != COUNT:
        raise RuntimeError(f"{len(late)} of {COUNT} runs came within {_PATIENCE_SECONDS} s")
    return late


def cron_jobs(cluster: OperatorCluster, namespace: str) -> list[float]:
    """Due → Job created, ascending, seconds."""
    tell(f"{COUNT} CronJobs in one minute")
    due = _next_minute()
    cluster.create(_CRON_JOBS.format(namespace), (_cron_job(f"s{number}", _at(due)) for number in range(COUNT)))
    time.sleep(due - time.time())
    until(lambda: len(_jobs(cluster)) == COUNT, lambda: f"{len(_jobs(cluster))} of {COUNT} Jobs were created", every=2)
    return sorted(created - due for created in _jobs(cluster))


def _next_minute() -> int:
    return int((time.time() + _MARGIN_SECONDS) // _MINUTE + 1) * _MINUTE


def _at(due: int) -> str:
    """The cron line that names one minute of the year."""
    return f"{datetime.fromtimestamp(due, UTC):%-M %-H %-d %-m} *"


def _cron_job(name: str, schedule: str) -> dict[str, Any]:
    # its Jobs wait: their Pods would be work for other controllers
    pod = {"restartPolicy": "Never", "containers": [{"name": "noop", "image": "noop"}]}
    job = {"suspend": True, "template": {"spec": pod}}
    return {
        "metadata": {"name": name},
        "spec": {"schedule": schedule, "timeZone": "Etc/UTC", "jobTemplate": {"spec": job}},
    }


def _jobs(cluster: OperatorCluster) -> list[float]:
    """When the controller's Jobs were created, Unix seconds."""
    return [
        moment(record["stageTimestamp"])
        for record in cluster.plane.audit(_CONTROLLER)
        if (record["verb"], record["objectRef"]["resource"]) == ("create", "jobs")
        and record["responseStatus"]["code"] == 201
    ]
