"""Compares what Redis has with what the model expects."""

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from financehub_shared.redis import keys, queue_keys
from simulation.model import QUEUE, Counters, Schedule, ViolationError
from simulation.wire import Request, Wire

if TYPE_CHECKING:
    from simulation.oracle import Oracle


def compare(oracle: "Oracle", wire: Wire) -> None:
    """Compare records, marks, buffered runs, pauses, messages, requests and backfills.

    Args:
        oracle: The model.
        wire: The connection to Redis.

    Raises:
        ViolationError: They differ.
    """
    uids = [uid for uid, known in oracle.schedules.items() if known.fingerprint != "deleted"]
    backfills = {id: known.cursor for id, known in oracle.backfills.items() if not known.is_ended}
    requests: list[Request] = [
        [b"HKEYS", queue_keys.messages(QUEUE).encode()],
        [b"LRANGE", queue_keys.ready(QUEUE).encode(), b"0", b"-1"],
        [b"HKEYS", keys.SCHEDULES_PAUSED.encode()],
        [b"HGETALL", keys.SCHEDULES_BUFFERED.encode()],
        [b"HGETALL", keys.HIGH_WATER_MARKS.encode()],
        [b"HKEYS", keys.SCHEDULE_TRIGGERS.encode()],
        [b"SMEMBERS", keys.SCHEDULE_BACKFILLS.encode()],
        *([b"HGETALL", keys.schedule(uid).encode()] for uid in uids),
        *([b"LRANGE", keys.schedule_buffered(uid).encode(), b"0", b"-1"] for uid in uids),
        *([b"HGET", keys.backfill(id).encode(), b"cursor"] for id in backfills),
    ]
    messages, waiting, paused, first, marks, triggers, unfinished, *rest = wire.execute(requests)
    stored = {id.decode() for id in messages}
    _same("messages", stored, {run.id for run in oracle.runs.values() if run.state in {"queued", "fetched"}})
    order = [run.id for run in oracle.runs.values() if run.state == "queued"]
    _same("messages in their order", [id.decode() for id in waiting], order)
    _same("pauses", {uid.decode() for uid in paused}, oracle.paused)
    _same("requests", {id.decode() for id in triggers}, {*oracle.requests})
    _same("unfinished backfills", {id.decode() for id in unfinished}, {*backfills})
    lists, cursors = rest[len(uids) : 2 * len(uids)], rest[2 * len(uids) :]
    for uid, record, more in zip(uids, rest[: len(uids)], lists, strict=True):
        known = oracle.schedules[uid]
        _compare_record(known, {name.decode(): value.decode() for name, value in record.items()})
        next_one = first.get(uid.encode())
        buffered = [] if next_one is None else [int(next_one), *map(int, more)]
        _same(f"buffered runs of {known.name}", buffered, known.buffered)
        _same(f"mark of {known.name}", int(marks.get(uid.encode(), b"0")), known.mark)
    for (id, expected), cursor in zip(backfills.items(), cursors, strict=True):
        _same(f"cursor of the backfill {id}", int(cursor or b"0"), expected)


def _compare_record(known: Schedule, record: Mapping[str, str]) -> None:
    for field in fields(Counters):
        expected = getattr(known.counters, field.name)
        _same(f"{field.name} of {known.name}", int(record.get(field.name, "0")), expected)
    _same(f"changed_at of {known.name}", round(float(record.get("changed_at", "0")) * 1000), known.since)


def _same(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise ViolationError(f"{what}: Redis has {found!r}, but the model has {expected!r}")
