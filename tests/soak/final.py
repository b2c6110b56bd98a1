"""Looks at the release at the end: health, status, dead letters, and what is left in the queues."""

import json
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import redis

from e2e.release import NAME, Release
from soak import redis_view
from soak.accounts import Disturbance
from soak.api import Api, component_of
from soak.load import LOAD_PREFIX, PERIOD_SECONDS, offset_of
from soak.patience import Patience
from soak.site import RECORDING_TIER, TIERS, Site

#: Seconds after its enqueue time in which a due time must be in the status: 30 s until a status is compared, and the
#: time to write the statuses of a busy machine.
STATUS_SECONDS = 60.0
_HEALTH_SECONDS = 300.0
_STATUS_WAIT_SECONDS = 240.0
_STOP_SECONDS = 180.0
_DRAIN_SECONDS = 180.0
_LETTERS_SECONDS = 180.0
#: Seconds in which the retries of a task follow each other.
RETRY_SECONDS = 300.0
_MESSAGES = 5


def wait_for_health(checks: Release, patience: Patience) -> str:
    """Wait until the health report is ok, and return why it is not, or an empty string.

    Args:
        checks: The release, with commands that end soon.
        patience: How often the report is read.
    """

    def look() -> str:
        status = ("exec", f"deploy/{NAME}-scheduler", "--", "financehub", "status", "--json")
        done = checks.kubectl(*status, check=False)
        return "" if done.returncode == 0 else str(done.stdout or done.stderr or f"exit code {done.returncode}")

    problem = patience.until_right(look, _HEALTH_SECONDS)
    return f"health: {' '.join(problem.split())}" if problem else ""


def outdated_statuses(items: Sequence[dict[str, Any]], now: float) -> list[str]:
    """Return the names of the ScheduledTasks of the load whose status misses a due time.

    Args:
        items: The ScheduledTasks as the API server stores them.
        now: Time in Unix seconds before they were read.
    """
    outdated = []
    for item in items:
        reached = int(now - STATUS_SECONDS - offset_of(item["metadata"]["uid"])) // PERIOD_SECONDS * PERIOD_SECONDS
        # Due times from before the creation do not run.
        shown = item.get("status", {}).get("lastScheduleTime") or item["metadata"]["creationTimestamp"]
        if datetime.fromisoformat(shown).timestamp() < reached:
            outdated.append(item["metadata"]["name"])
    return outdated


def wait_for_statuses(
    api: Api, path: str, expected: int, patience: Patience, clock: Callable[[], float] = time.time
) -> str:
    """Wait until every status is current, and return which are not, or an empty string.

    Args:
        api: The API server. It may be busy: an error is not the end.
        path: Path of the list of ScheduledTasks.
        expected: Number of ScheduledTasks of the load.
        patience: How often the list is read.
        clock: Returns the time in Unix seconds.
    """

    def look() -> str:
        now = clock()
        items = [each for each in api.pages(path) if each["metadata"]["name"].startswith(LOAD_PREFIX)]
        if len(items) != expected:
            return f"{len(items)} ScheduledTasks of {expected} exist"
        outdated = outdated_statuses(items, now)
        return f"{len(outdated)} of {len(items)} are not current, such as {outdated[0]}" if outdated else ""

    problem = patience.until_right(look, _STATUS_WAIT_SECONDS)
    return f"status: {problem}" if problem else ""


def stop_schedulers(site: Site, patience: Patience) -> tuple[float | None, str]:
    """Remove all schedulers, so that only workers are left.

    Args:
        site: The release.
        patience: How often the request is repeated and the pods are read.

    Returns:
        The Unix time in seconds before the first request, or None if schedulers are left, and what is wrong.
    """
    at = time.time()

    def look() -> str:
        site.checks.kubectl("scale", f"deployment/{NAME}-scheduler", "--replicas=0")
        pods = site.api.pods(site.release.namespace)
        left = [pod["metadata"]["name"] for pod in pods if component_of(pod) == "scheduler"]
        return f"{', '.join(left)} have not ended" if left else ""

    problem = patience.until_right(look, _STOP_SECONDS)
    return (None, f"schedulers: {problem}") if problem else (at, "")


def wait_until_drained(connect: "Callable[[], redis.Redis | None]", patience: Patience) -> str:
    """Wait until the workers have ended all messages, and return what is left, or an empty string.

    Args:
        connect: Returns a client of Redis, or None while its address is not known.
        patience: How often the queues are read.
    """

    def look() -> str:
        server = connect()
        if server is None:
            return "the address of Redis is not known"
        # Retries of the product's tasks may wait longer than this.
        counts = {
            name: states["held"] + (states["delayed"] if name == RECORDING_TIER else 0)
            for name, states in redis_view.queues(server, TIERS).items()
        }
        left = [f"{count} messages of the queue {name}" for name, count in counts.items() if count]
        return f"{', '.join(left)} have not ended" if left else ""

    problem = patience.until_right(look, _DRAIN_SECONDS)
    return f"left: {problem}" if problem else ""


def dead_letters(
    site: Site, disturbances: Sequence[Disturbance], since: float, patience: Patience
) -> tuple[int, list[str]]:
    """Return the number of dead letters, and a finding for each that no fault explains.

    Args:
        site: The release.
        disturbances: The faults.
        since: Begin of the soak in Unix seconds.
        patience: How often the list is read if it is not answered.
    """
    entries = patience.read(lambda: site.checks.cli("dead-letters", "list"), _LETTERS_SECONDS)
    letters = [_letter(each) for each in entries]
    return len(letters), unexplained(letters, disturbances, since)


def _letter(entry: dict[str, Any]) -> tuple[float, str, str]:
    died_at = entry["died_at"]
    at = datetime.fromisoformat(died_at).timestamp() if isinstance(died_at, str) else float(died_at)
    return at, str(entry["task"]), json.dumps(entry)[:300]


def unexplained(
    letters: Sequence[tuple[float, str, str]], disturbances: Sequence[Disturbance], since: float
) -> list[str]:
    """Return a finding for each dead letter that no fault explains.

    Args:
        letters: Time of death in Unix seconds, task, and description.
        disturbances: The faults.
        since: Begin of the soak in Unix seconds.
    """
    findings = []
    for at, task, text in letters:
        # Retries take a few minutes, and the last one fails during or after the fault.
        causes = [each for each in disturbances if each.fails and each.begin <= at <= each.end + RETRY_SECONDS]
        if not causes or task == "record_attempt":
            findings.append(f"dead letter: {task} {at - since:.0f} s after the begin: {text}")
    return findings[:_MESSAGES]
