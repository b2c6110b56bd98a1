"""The companion process of a scheduler, as tests of faults need it."""

import os
import signal
import urllib.error
import urllib.request
from pathlib import Path

from support.redis_server import PATIENT_SECONDS
from support.schedules import SchedulerProcess
from support.waiting import eventually


def companion_of(scheduler: SchedulerProcess, *, other_than: int | None = None) -> int:
    """Return the process id of a scheduler's companion.

    Args:
        scheduler: The scheduler, whose engine process has a companion or starts one.
        other_than: The companion that must be gone by then.
    """

    def find() -> int:
        found = [pid for pid in _children(scheduler.process.pid) if pid != other_than and is_alive(pid)]
        return found[0] if found else 0

    return eventually(find, "there is a companion")


def kill_companion(scheduler: SchedulerProcess) -> int:
    """Kill a scheduler's companion with SIGKILL, and return its process id."""
    pid = companion_of(scheduler)
    os.kill(pid, signal.SIGKILL)
    return pid


def http_get(scheduler: SchedulerProcess, path: str) -> tuple[int, str]:
    """Send a request to the newest companion of a scheduler, and return the HTTP status and the body."""
    started = eventually(lambda: scheduler.events("health_server_started"), "the server listens")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{started[-1]['port']}{path}", timeout=PATIENT_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    return [int(child) for child in text.split()]


def is_alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False
