"""What Redis contains at the end of a history, read with plain commands and written as JSON."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import redis

from history.plan import KINDS, QUEUE

_BATCH = 500


def read_final_state(client: "redis.Redis", messages: list[str]) -> dict[str, Any]:
    """Return what the checker needs of Redis.

    Args:
        client: Client with replies as bytes.
        messages: Ids of all messages of the history.
    """
    left = {
        name.decode(): _size(client, name)
        for name in client.scan_iter(match="dramatiq:*", count=1_000)
        if not name.startswith((b"dramatiq:__heartbeats__", f"dramatiq:{QUEUE}.XQ".encode()))
    }
    letters = {}
    raw: Any = client.hgetall(f"dramatiq:{QUEUE}.XQ.msgs")
    for id, data in raw.items():
        fields = json.loads(data)
        letters[id.decode()] = {
            "message": fields["message_id"],
            "task": fields["actor_name"],
            "reason": fields["options"]["dead_letter"]["reason"],
            "failures": len(fields["options"].get("failures", [])),
        }
    listed: Any = client.zrange(f"dramatiq:{QUEUE}.XQ", 0, -1)
    records = {}
    for begin in range(0, len(messages), _BATCH):
        pipeline = client.pipeline(transaction=False)
        batch = messages[begin : begin + _BATCH]
        for message in batch:
            pipeline.hmget(f"financehub:run:{message}", "state", "attempt")
        for message, (state, attempt) in zip(batch, pipeline.execute(), strict=True):
            if state is not None:
                records[message] = [state.decode(), int(attempt or 0)]
    stats = {}
    for task in KINDS:
        values: Any = client.hgetall(f"financehub:task:{task}")
        stats[task] = {
            name.decode(): int(value)
            for name, value in values.items()
            if name in {b"succeeded", b"retried", b"dead_lettered", b"skipped", b"failed", b"attempts", b"lost"}
        }
    return {
        "left": left,
        "letters": letters,
        "listed": [id.decode() for id in listed],
        "records": records,
        "stats": stats,
        "running": {task: client.zcard(f"financehub:task:{task}:running") for task in KINDS},
    }


def _size(client: "redis.Redis", name: bytes) -> int:
    sizes: dict[bytes, Any] = {b"list": client.llen, b"hash": client.hlen, b"set": client.scard, b"zset": client.zcard}
    kind: Any = client.type(name)
    return int(sizes[kind](name)) if kind in sizes else 0


def summary(counts: Counter[str]) -> str:
    """Return counts as one line of text."""
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def write(state: dict[str, Any], file: Path) -> None:
    """Write the state to a file."""
    file.write_text(json.dumps(state), encoding="utf-8")
