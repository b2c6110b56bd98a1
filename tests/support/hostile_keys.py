"""Keys of another type and with hostile names, as another program or a mistake in redis-cli leaves them."""

import redis

from financehub_shared.redis import keys, queue_keys

#: Type → function that creates a key of the type.
TYPES = {
    "string": lambda client, key: client.set(key, "another program's value"),
    "list": lambda client, key: client.rpush(key, "a", b"\xff"),
    "set": lambda client, key: client.sadd(key, "a", b"\xff"),
    "zset": lambda client, key: client.zadd(key, {"a": 1, b"\xff": float("inf")}),
    "hash": lambda client, key: client.hset(key, mapping={"a": "b", b"\xff": b"\xfe"}),
    "stream": lambda client, key: client.xadd(key, {"a": "b"}),
}

#: Names under our prefixes that none of our processes uses.
FOREIGN_NAMES = (
    b"dramatiq:\xff.msgs",
    b"dramatiq:\xed\xa0\x80.XQ",
    b"dramatiq:",
    b"dramatiq:.msgs",
    b"dramatiq:.DQ.msgs",
    b"dramatiq:a b\n\x1b[31m.msgs",
    b"dramatiq:" + b"x" * 5_000 + b".msgs",
    b"dramatiq:__acks__.worker",
    b"dramatiq:__acks__..",
    b"dramatiq:__acks__.\xff.high",
    b"dramatiq:__acks__.a:b c.high",
    b"dramatiq:{high}.XQ.msgs",
    b"dramatiq:high.msgs.msgs",
    b"dramatiq:high.XQ.XQ",
    b"financehub:\xff",
    b"financehub:run:",
    b"financehub:schedule:",
)


def replace_key(client: "redis.Redis", key: str | bytes, type_: str) -> None:
    """Replace a key by one of a type."""
    client.delete(key)
    TYPES[type_](client, key)


def add_foreign_names(client: "redis.Redis") -> None:
    """Create a key of each type in turn under each foreign name."""
    types = list(TYPES)
    for number, name in enumerate(FOREIGN_NAMES):
        replace_key(client, name, types[number % len(types)])


def add_foreign_members(client: "redis.Redis") -> None:
    """Add entries that no process of ours writes to keys of ours."""
    ids = (b"\xff", b"", b"a:b c", b"\x1b[31m\n", b"x" * 5_000, b"\xed\xa0\x80")
    for id in ids:
        for key in (keys.SCHEDULES, keys.PROCESSES, queue_keys.HEARTBEATS, queue_keys.dead("high")):
            client.zadd(key, {id: float("-inf") if id == b"\xff" else 1})
        for key in (keys.TASKS, keys.BREAKERS, keys.SCHEDULES_CHANGED, keys.SCHEDULE_BACKFILLS):
            client.sadd(key, id)
        for key in (
            keys.HIGH_WATER_MARKS,
            keys.SCHEDULE_NAMES,
            keys.SCHEDULES_BUFFERED,
            keys.SCHEDULE_NEXT_RUNS,
            keys.SCHEDULE_TRIGGERS,
            keys.SCHEDULES_FAILING,
            keys.SCHEDULES_PAUSED,
            keys.SCHEDULES_REFUSED,
            queue_keys.losses("high"),
            queue_keys.messages("high"),
            queue_keys.dead_messages("high"),
        ):
            client.hset(key, id, b"\xff{")
        client.rpush(queue_keys.ready("high"), id)
