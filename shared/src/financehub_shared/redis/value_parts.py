"""Reads, writes and compares the values of keys of any type in parts of limited size, in the form of their type.

DUMP and RESTORE are not used: their format depends on the version of the server, so an older server or Valkey refuses
what a newer Redis has dumped. Many managed servers and the documented ACL refuse the commands too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

#: Number of elements in one part. A part of the largest elements, messages of 64 kB, takes 32 MB.
PART_SIZE = 500

#: A client or a pipeline of redis-py, whose methods have the same names.
Client = Any
#: The elements of a part, and the position of the next part; None after the last one.
Part = tuple[list[Any], int | None]


@dataclass(frozen=True, slots=True)
class ValueKind:
    """What depends on the type of a key. Every function with a client only sends a command, so it may be a pipeline.

    Args:
        name: The type, as TYPE names it.
        ask: Asks for the part at a position, which is 0 for the first one: (client, key, position).
        parse: Turns the reply into the part: (reply, position).
        write: Adds a part to a key: (client, key, elements).
        ask_same: Asks another server for the elements of a part: (client, key, elements, position).
        is_same: Whether its reply contains these elements: (reply, elements).
        size: Asks for the number of elements, which shows whether the other server has more: (client, key).
    """

    name: str
    ask: Callable[[Client, bytes, int], Any]
    parse: Callable[[Any, int], Part]
    write: Callable[[Client, bytes, list[Any]], Any]
    ask_same: Callable[[Client, bytes, list[Any], int], Any]
    is_same: Callable[[Any, list[Any]], bool]
    size: Callable[[Client, bytes], Any]


def _by_rank(reply: list[Any], position: int) -> Part:
    return list(reply), position + PART_SIZE if len(reply) == PART_SIZE else None


def _by_cursor(reply: tuple[int, Any], _position: int) -> Part:
    cursor, part = reply
    return list(part.items() if isinstance(part, dict) else part), int(cursor) or None


def _add_entries(client: Client, key: bytes, part: list[Any]) -> None:
    for id, fields in part:
        client.xadd(key, fields, id=id)


def _equal(reply: Any, part: list[Any]) -> bool:
    return bool(reply == part)


_KINDS = (
    ValueKind(
        "string",
        ask=lambda client, key, _: client.get(key),
        parse=lambda reply, _: ([reply] if reply is not None else [], None),
        write=lambda client, key, part: client.set(key, part[0]),
        ask_same=lambda client, key, _part, _position: client.get(key),
        is_same=lambda reply, part: [reply] == part,
        size=lambda client, key: client.strlen(key),
    ),
    ValueKind(
        "list",
        ask=lambda client, key, position: client.lrange(key, position, position + PART_SIZE - 1),
        parse=_by_rank,
        write=lambda client, key, part: client.rpush(key, *part),
        ask_same=lambda client, key, part, position: client.lrange(key, position, position + len(part) - 1),
        is_same=_equal,
        size=lambda client, key: client.llen(key),
    ),
    ValueKind(
        "zset",
        ask=lambda client, key, position: client.zrange(key, position, position + PART_SIZE - 1, withscores=True),
        parse=_by_rank,
        write=lambda client, key, part: client.zadd(key, dict(part)),
        ask_same=lambda client, key, part, position: client.zrange(
            key, position, position + len(part) - 1, withscores=True
        ),
        is_same=lambda reply, part: [tuple(each) for each in reply] == [tuple(each) for each in part],
        size=lambda client, key: client.zcard(key),
    ),
    ValueKind(
        "hash",
        ask=lambda client, key, position: client.hscan(key, position, count=PART_SIZE),
        parse=_by_cursor,
        write=lambda client, key, part: client.hset(key, mapping=dict(part)),
        ask_same=lambda client, key, part, _: client.hmget(key, [name for name, _ in part]),
        is_same=lambda reply, part: list(reply) == [value for _, value in part],
        size=lambda client, key: client.hlen(key),
    ),
    # The sets of FinanceHub are small, so one command reads each of them.
    ValueKind(
        "set",
        ask=lambda client, key, _: client.smembers(key),
        parse=lambda reply, _: (sorted(reply), None),
        write=lambda client, key, part: client.sadd(key, *part),
        ask_same=lambda client, key, _part, _position: client.smembers(key),
        is_same=lambda reply, part: sorted(reply) == part,
        size=lambda client, key: client.scard(key),
    ),
    # Streams are trimmed to a small length, and the documented ACL allows no XRANGE and no XLEN.
    ValueKind(
        "stream",
        ask=lambda client, key, _: client.xrevrange(key),
        parse=lambda reply, _: (reply[::-1], None),
        write=_add_entries,
        ask_same=lambda client, key, _part, _position: client.xrevrange(key),
        is_same=lambda reply, part: reply[::-1] == part,
        size=lambda client, key: client.exists(key),
    ),
)
#: Type of a key → its values. FinanceHub uses no other types.
VALUE_KINDS: Mapping[str, ValueKind] = {kind.name: kind for kind in _KINDS}
