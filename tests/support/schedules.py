"""Schedules and scheduler processes for tests."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import redis
import yaml

from financehub_scheduler.api.schedule import Schedule, compile_schedule
from financehub_scheduler.api.scheduled_task import ScheduledTask
from support.processes import end, launch

T = TypeVar("T")
#: Any UUID will do.
UID = "5d1c1a64-8a63-5a0e-9b0a-1f0e6b7d2c11"


def resource(name: str = "demo", annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """A ScheduledTask as data; an unknown task on queue `q`, due in no test's time, unless `spec` says otherwise."""
    defaults: dict[str, Any] = {} if "task" in spec else {"task": "demo_task", "queue": "q"}
    if "schedules" not in spec:
        # a period of a minute ends within one test in thirty
        defaults["schedule"] = "@yearly"
    return {
        "apiVersion": "financehub.io/v1alpha1",
        "kind": "ScheduledTask",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": defaults | spec,
    }


def schedule(name: str = "demo", uid: str = UID, annotations: dict[str, str] | None = None, **spec: Any) -> Schedule:
    """The same, compiled; every minute, for tests that move the clock."""
    timing = {} if "schedules" in spec else {"schedule": "@every 1m"}
    data = json.dumps(resource(name, annotations, **timing | spec))
    return compile_schedule(ScheduledTask.model_validate_json(data), uid)


def write(folder: Path, *resources: dict[str, Any], file: str = "schedules.yaml") -> Path:
    """Write a file of ScheduledTasks, at once as an editor or kubelet does."""
    path = folder / file
    draft = folder / f".{file}.draft"
    draft.write_text(yaml.safe_dump_all(resources), encoding="utf-8")
    draft.replace(path)
    return path


def eventually(look: Callable[[], T], what: str, within: float = 40.0) -> T:
    """Poll until `look` answers with something true; so long takes only what hangs, also where a process starts."""
    limit = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < limit, f"not within {within} s: {what}"
        time.sleep(0.02)
    return found


def messages(client: "redis.Redis", queue: str = "q") -> list[dict[str, Any]]:
    """The messages of a queue in their order."""
    ids: Any = client.lrange(f"dramatiq:{queue}", 0, -1)
    bodies: Any = client.hmget(f"dramatiq:{queue}.msgs", ids) if ids else []
    return [json.loads(body) for body in bodies]


class SchedulerProcess:
    """A real scheduler.

    Args:
        url: Redis.
        origin: schedule files, or (a file) the kubeconfig of the cluster that has the schedules.
        log: where its lines go.
        data: Redis of the data, if it is another.
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
        """Start without waiting for it to be ready."""
        with self.log.open("ab") as out:
            self._process = launch(self._command, env=self._env, stdout=out, stderr=out)
        return self

    def events(self, *events: str) -> list[dict[str, Any]]:
        """Its log lines of some kinds, in order."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        # a line that is being written is not JSON yet
        return [found for line in lines if line.endswith("}") and (found := json.loads(line))["event"] in events]

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The running process."""
        assert self._process is not None
        return self._process

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def end(self) -> None:
        """End it, whatever state it is in."""
        end(self.process)
