"""The schedules of the simulation, and random specs for them."""

import json
import random
from datetime import UTC, datetime
from functools import cache
from typing import Any

from financehub_scheduler.api.schedule import Schedule, compile_schedule
from financehub_shared.spec.scheduled_task import ScheduledTask
from support.schedules import resource


def uid_of(number: int, incarnation: int = 0) -> str:
    """Return the uid of a schedule. In a cluster, one that is created again has another one."""
    return f"5d1c1a64-8a63-5a0e-9b0a-{incarnation:06}{number:06}"


def name_of(number: int) -> str:
    """Return the name of a schedule, without its namespace."""
    return f"s{number}"


@cache
def compiled(number: int, uid: str, spec: str, annotations: str = "{}") -> Schedule:
    """Return a compiled schedule.

    Args:
        number: Number of the schedule.
        uid: Its uid.
        spec: Its spec as JSON.
        annotations: Its annotations as JSON.
    """
    data = json.dumps(resource(name_of(number), json.loads(annotations), **json.loads(spec)))
    return compile_schedule(ScheduledTask.model_validate_json(data), uid)


def random_spec(rng: random.Random, number: int, now: float) -> dict[str, Any]:
    """Return a spec.

    Args:
        rng: The source of randomness.
        number: Number of the schedule. A later one may follow an earlier one.
        now: About the time at which it is written, Unix seconds.
    """
    spec: dict[str, Any] = {}
    if number and rng.random() < 0.15:
        spec["after"] = name_of(rng.randrange(number))
    else:
        expressions = ["@every 1s", "@every 3s", "@every 5s", "@every 10s", "@every 30s", "@every 7s offset 2s"]
        spec["schedule"] = rng.choice([*expressions, "@every 60s", "* * * * *"])
        if rng.random() < 0.1:
            spec["startTime"] = _text(now + rng.choice((-90, 0, 20)))
        if rng.random() < 0.1:
            spec["endTime"] = _text(now + rng.choice((30, 90, 400)))
    spec["concurrencyPolicy"] = rng.choice(["Allow", "Allow", "Forbid", "Replace", "BufferOne", "BufferAll"])
    spec["catchUp"] = rng.choice(["None", "Latest", "All", "All"])
    choices: dict[str, list[Any]] = {
        "jitterSeconds": [0, 0, 3, 20, 60],
        "startingDeadlineSeconds": [None, None, 10, 15, 40, 300],
        "maxRuns": [None, None, None, None, 3, 12, 30],
        "maxQueueDepth": [None, None, None, 0, 2, 6],
        "pauseAfterFailures": [None, None, None, 1, 2],
    }
    for field, values in choices.items():
        if (value := rng.choice(values)) is not None:
            spec[field] = value
    return spec


def edited(rng: random.Random, spec: dict[str, Any], number: int, now: float) -> dict[str, Any]:
    """Return a spec with some fields of another one."""
    if rng.random() < 0.3:
        return random_spec(rng, number, now)
    other, result = random_spec(rng, number, now), dict(spec)
    result.pop("suspend", None)
    fields = ["concurrencyPolicy", "catchUp", "jitterSeconds", "startingDeadlineSeconds", "maxRuns", "maxQueueDepth"]
    for field in rng.sample(fields, rng.randint(1, 2)):
        result.pop(field, None)
        if field in other:
            result[field] = other[field]
    return result


def _text(time: float) -> str:
    return datetime.fromtimestamp(int(time), UTC).isoformat().replace("+00:00", "Z")
