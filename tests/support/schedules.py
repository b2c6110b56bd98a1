"""ScheduledTasks, compiled schedules and real scheduler processes for tests."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import redis
import yaml

from financehub_scheduler.api.schedule import Schedule, compile_schedule
from financehub_shared.redis.schedule_record import ScheduleOutcome
from financehub_shared.schedules.listing import ScheduleInfo
from financehub_shared.spec.scheduled_task import ScheduledTask
from support.processes import end, launch

#: An arbitrary UUID.
UID = "5d1c1a64-8a63-5a0e-9b0a-1f0e6b7d2c11"


def resource(name: str = "demo", annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a ScheduledTask as JSON data.

    By default, it has a task outside the catalog on queue `q` and is not due during any test.

    Args:
        name: Name of the resource.
        annotations: Annotations of the resource.
        spec: Fields of the spec.
    """
    defaults: dict[str, Any] = {} if "task" in spec else {"task": "demo_task", "queue": "q"}
    if not {"schedules", "after"} & spec.keys():
        # An every-minute schedule would be due during one test in thirty.
        defaults["schedule"] = "@yearly"
    return {
        "apiVersion": "financehub.io/v1alpha1",
        "kind": "ScheduledTask",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": defaults | spec,
    }


def schedule(name: str = "demo", uid: str = UID, annotations: dict[str, str] | None = None, **spec: Any) -> Schedule:
    """Return a compiled schedule, which runs every minute by default, for tests that control the clock.

    Args:
        name: Name of the resource.
        uid: Uid of the resource.
        annotations: Annotations of the resource.
        spec: Fields of the spec.
    """
    timing = {} if {"schedules", "after"} & spec.keys() else {"schedule": "@every 1m"}
    data = json.dumps(resource(name, annotations, **timing | spec))
    return compile_schedule(ScheduledTask.model_validate_json(data), uid)


def registered(*, suspended: bool = False, runs: int = 0, **spec: Any) -> ScheduleInfo:
    """Return the schedule of `schedule` as readers see it: with the spec that the scheduler stores.

    Args:
        suspended: Whether it is suspended.
        runs: Number of its due runs so far.
        spec: Fields of the spec.
    """
    stored = json.loads(schedule(**spec).spec_json)
    return ScheduleInfo(
        uid=UID,
        name="default/demo",
        task="demo_task",
        queue="q",
        spec=stored,
        suspended=suspended,
        problem="",
        next_times=(),
        claimed_at=0,
        runs=runs,
        triggered=0,
        backfilled=0,
        missed=0,
        skipped={},
        last_due_at=None,
        outcome=ScheduleOutcome(),
        recent=(),
    )


def write(folder: Path, *resources: dict[str, Any], file: str = "schedules.yaml") -> Path:
    """Write a file of ScheduledTasks atomically, like an editor or the kubelet, and return its path."""
    path = folder / file
    draft = folder / f".{file}.draft"
    draft.write_text(yaml.safe_dump_all(resources), encoding="utf-8")
    draft.replace(path)
    return path


def messages(client: "redis.Redis", queue: str = "q") -> list[dict[str, Any]]:
    """Return the messages of a queue in order."""
    ids: Any = client.lrange(f"dramatiq:{queue}", 0, -1)
    bodies: Any = client.hmget(f"dramatiq:{queue}.msgs", ids) if ids else []
    return [json.loads(body) for body in bodies]


class SchedulerProcess:
    """A real scheduler process, started as `python -m financehub_scheduler`.

    `start` returns immediately, and `events` reads its log. `stop` terminates it with SIGTERM, `kill` kills it with
    SIGKILL, and `end` stops it in any state.

    Args:
        url: URL of the queue Redis.
        origin: A folder of schedule files, or the kubeconfig file of the cluster with the schedules.
        log: File for the log.
        arguments: Additional command-line arguments.
        data: URL of the data Redis, if it differs from the queue Redis.
    """

    def __init__(self, url: str, origin: Path, log: Path, *arguments: str, data: str | None = None) -> None:
        source = ["--kubernetes"] if origin.is_file() else ["--schedules", str(origin)]
        self._command = [sys.executable, "-m", "financehub_scheduler", "--broker", url, *source, *arguments]
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("FINANCEHUB_", "REDIS_"))},
            "KUBECONFIG": str(origin),
            "REDIS_URL": data or url,
            "FINANCEHUB_HTTP_PORT": "0",
            "FINANCEHUB_HTTP_HOST": "127.0.0.1",
        }
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "SchedulerProcess":
        """Start the process without waiting until it is ready."""
        with self.log.open("ab") as out:
            self._process = launch(self._command, env=self._env, stdout=out, stderr=out)
        return self

    def events(self, *events: str) -> list[dict[str, Any]]:
        """Return its log lines with the given event names, in order."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        # A line that is still being written is not valid JSON.
        return [found for line in lines if line.endswith("}") and (found := json.loads(line))["event"] in events]

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The running process."""
        assert self._process is not None
        return self._process

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Terminate the process with SIGTERM and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def end(self) -> None:
        """Stop the process in any state."""
        end(self.process)
