"""Finds schedules by the names that users write, and says which schedules they may have meant."""

from collections.abc import Collection, Mapping, Sequence

import redis

from financehub_shared.core.catalog import CATALOG
from financehub_shared.core.chunks import chunks
from financehub_shared.core.errors import InvalidArgumentsError
from financehub_shared.core.near_names import similar_names
from financehub_shared.redis import keys
from financehub_shared.redis.key_types import readable
from financehub_shared.redis.schedule_record import ScheduleField
from financehub_shared.redis.text import decode, decode_hash

#: Number of schedules whose names a message lists.
_LISTED = 12
#: Number of schedules whose tasks are read in one round trip.
_CHUNK = 1_000


def find_schedule(client: "redis.Redis", name: str) -> tuple[str, str]:
    """Return the uid and the full name of a schedule.

    Args:
        client: Client for the queue Redis, with replies as bytes.
        name: `namespace/name`, or `name` if it is unique.

    Raises:
        InvalidArgumentsError: There is no schedule with this name, or there are several. The message contains the
            names that the user may have meant.
    """
    return find_schedules(client, [name])[0]


def find_schedules(client: "redis.Redis", names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the uids and the full names of schedules. See `find_schedule`."""
    uids = _registered(client)
    return [_find(client, uids, name) for name in names]


def all_schedules(client: "redis.Redis") -> dict[str, str]:
    """Return full name → uid of all registered schedules."""
    return dict(sorted(_registered(client).items()))


def _registered(client: "redis.Redis") -> dict[str, str]:
    with client.pipeline(transaction=False) as pipeline:
        pipeline.hgetall(keys.SCHEDULE_NAMES)
        (raw,) = readable([keys.SCHEDULE_NAMES], pipeline.execute(raise_on_error=False), {})
    return decode_hash(raw)


def _find(client: "redis.Redis", uids: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the uid and the full name of a schedule.

    Args:
        client: Client for the queue Redis, which knows the tasks of the schedules.
        uids: Full name → uid of all schedules.
        name: `namespace/name`, or `name` if it is unique.
    """
    # A page names up to 1,000 of thousands of schedules, so a full name is looked up.
    if "/" in name and name in uids:
        return uids[name], name
    matches = [full_name for full_name in uids if name in {full_name, full_name.partition("/")[2]}]
    if len(matches) == 1:
        return uids[matches[0]], matches[0]
    if matches:
        problem = f"{name!r} is in several namespaces: {', '.join(sorted(matches))}"
    else:
        problem = f"{name!r} is not registered; {_advice(client, uids, name)}"
    raise InvalidArgumentsError("schedules", "name", problem)


def _advice(client: "redis.Redis", uids: Mapping[str, str], name: str) -> str:
    """Return which schedules the user may have meant by a name that no schedule has."""
    if not uids:
        return "no schedule is registered (is a scheduler running?)"
    tasks = _tasks(client, uids)
    if name in CATALOG or name in tasks.values():
        own = sorted(full_name for full_name, task in tasks.items() if task == name)
        hint = f"its schedules are {_listed(own)}" if own else "no schedule runs it"
        return f"it is a task, and {hint}; `financehub run {name}` runs it without a schedule"
    if near := _near(name, uids):
        return f"did you mean {' or '.join(near)}?"
    return f"registered schedules: {_listed(sorted(uids))}"


def _near(name: str, full_names: Collection[str]) -> list[str]:
    """Return the full names that are similar to a name, with or without their namespaces, best first."""
    short_names: dict[str, list[str]] = {}
    for full_name in full_names:
        short_names.setdefault(full_name.partition("/")[2].lower(), []).append(full_name)
    found = [
        each
        for short in similar_names(name.partition("/")[2].lower() or name.lower(), short_names)
        for each in short_names[short]
    ]
    return list(dict.fromkeys(found))[:3] or similar_names(name, full_names)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED:,} more (`financehub schedules list`)" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _tasks(client: "redis.Redis", uids: Mapping[str, str]) -> dict[str, str]:
    """Return full name → task of schedules. The task of a damaged record is an empty string."""
    tasks: dict[str, str] = {}
    for chunk in chunks(list(uids.items()), _CHUNK):
        names = [keys.schedule(uid) for _, uid in chunk]
        with client.pipeline(transaction=False) as pipeline:
            for key in names:
                pipeline.hget(key, ScheduleField.TASK)
            replies = readable(names, pipeline.execute(raise_on_error=False), b"")
        tasks |= {full_name: decode(reply or b"") for (full_name, _), reply in zip(chunk, replies, strict=True)}
    return tasks
