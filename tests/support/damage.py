"""Damages stored records in every way, and lists where each kind of record is stored."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import redis

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.market.encoding.records import QUOTE_ORDER_LENGTH
from financehub_shared.redis import keys
from support.market_data import T0

#: Values that can replace a stored value that FinanceHub wrote.
WHOLE_DAMAGES: Mapping[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut in half": lambda raw: raw[: len(raw) // 2],
    "without its last byte": lambda raw: raw[:-1],
    "without its first byte": lambda raw: raw[1:],
    "doubled": lambda raw: raw * 2,
    "flipped bit": lambda raw: raw[:5] + bytes([raw[5] ^ 64]) + raw[6:],
    "not UTF-8": lambda raw: b"\xff\xfe" + raw[2:],
    "binary": lambda _: bytes(range(256)),
    "text": lambda _: b"hello",
    "null": lambda _: b"null",
    "NaN": lambda _: b"NaN",
    "number": lambda _: b"1e999",
    "huge number": lambda _: b"9" * 100_000,
    "list": lambda _: b'[{"price": "1"}]',
    "empty object": lambda _: b"{}",
    "huge": lambda _: b"x" * 1_000_000,
    "deep": lambda _: b"[" * 200_000,
}
#: Values that can replace a field of a stored JSON object.
FIELD_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**30,
    10**400,
    1e308,
    float("nan"),
    float("-inf"),
    "",
    "NaN",
    "1E+999999",
    "x" * 10_000,
    "\ud800",
    "\0\n\x1b[31m",
    [],
    [1],
    {},
    {"a": 1},
    {"a": float("nan")},
    [["a"]],
)
#: Fields that a record can have in addition to the fields that the damaged records have.
OPTIONAL_FIELDS = ("note", "quality", "unconfirmed", "active", "kind", "aliases", "exchanges", "declared", "guid")


@dataclass(frozen=True, slots=True)
class RecordKind:
    """One kind of stored record.

    Args:
        name: Name of the kind.
        key: Returns the Redis key of a symbol's record.
        field: Returns its hash field. Empty if the record is the whole key.
        json_at: Returns the position of the JSON in the stored bytes. None if the record is not JSON.
        index: A sorted set that lists the fields, if there is one.
    """

    name: str
    key: Callable[[str], str]
    field: Callable[[str], str] = lambda _: ""
    json_at: Callable[[bytes], int] | None = None
    index: str = ""

    def read(self, client: "redis.Redis", symbol: str) -> bytes | None:
        """Return the stored bytes of a symbol's record, if there are any."""
        field = self.field(symbol)
        raw = client.hget(self.key(symbol), field) if field else client.get(self.key(symbol))
        assert raw is None or isinstance(raw, bytes)
        return raw

    def write(self, client: "redis.Redis", symbol: str, raw: bytes) -> None:
        """Replace the stored bytes of a symbol's record."""
        field = self.field(symbol)
        if field:
            client.hset(self.key(symbol), field, raw)
        else:
            client.set(self.key(symbol), raw)
        if self.index:
            client.zadd(self.index, {field: 1_000.0})

    def describe(self, symbol: str) -> str:
        """Return the name of a symbol's record in messages."""
        return f"{self.key(symbol)} {self.field(symbol)}".strip()


#: Every kind of stored market data. A news item has the symbol as its id.
KINDS = {
    kind.name: kind
    for kind in (
        RecordKind("asset", lambda _: keys.ASSETS, str, lambda _: 0),
        RecordKind("quote", lambda _: keys.QUOTES, str, lambda _: QUOTE_ORDER_LENGTH),
        RecordKind("history", lambda symbol: keys.history(symbol, int(T0 // DAY_SECONDS))),
        RecordKind("dispute", lambda _: keys.DISPUTES, str, lambda _: 0),
        RecordKind("bars", keys.bars),
        RecordKind("full read", lambda _: keys.FULL_READS, str, lambda _: 0),
        RecordKind("newest values", lambda _: keys.INDICATORS, str, lambda _: 0),
        RecordKind("series", keys.indicator_series),
        RecordKind("news item", lambda _: keys.NEWS, str, lambda _: 0, keys.NEWS_BY_TIME),
        RecordKind(
            "quarantine record",
            lambda _: keys.quarantine("quote"),
            lambda symbol: f"binance|not-found|{symbol}",
            lambda raw: raw.index(b"{"),
            keys.quarantine_by_time("quote"),
        ),
        RecordKind("freshness mark", lambda _: keys.FRESHNESS, lambda symbol: f"news|{symbol}"),
    )
}


def damages(raw: bytes, json_at: Callable[[bytes], int] | None) -> Iterator[tuple[str, bytes]]:
    """Yield (description, bytes) of a record that is damaged as a whole or, if it is JSON, in one field.

    Args:
        raw: The intact record.
        json_at: Returns the position of the JSON. None if the record is not JSON.
    """
    for description, damage in WHOLE_DAMAGES.items():
        yield description, damage(raw)
    if json_at is None:
        return
    head, fields = raw[: json_at(raw)], json.loads(raw[json_at(raw) :])
    for name in fields:
        yield f"without {name}", head + _encode({key: value for key, value in fields.items() if key != name})
    for name in [*fields, *OPTIONAL_FIELDS, "a_field_of_a_newer_release"]:
        for value in FIELD_VALUES:
            yield f"{name} = {value!r:.40}", head + _encode(fields | {name: value})


def damage_records(client: "redis.Redis", kind: RecordKind, intact: str, *, every: int = 1) -> dict[str, str]:
    """Store a copy of a symbol's record for each, or every n-th, way of damage; return symbol → description.

    Args:
        client: Connection to Redis.
        kind: Kind of the record.
        intact: The symbol whose record is copied.
        every: The n of "every n-th". It has no common divisor with the number of `FIELD_VALUES`, so each value occurs.
    """
    raw = kind.read(client, intact)
    assert raw is not None, f"{kind.name} is not stored"
    victims = {}
    for number, (description, damaged) in islice(enumerate(damages(raw, kind.json_at)), 0, None, every):
        victims[f"V{number}"] = description
        kind.write(client, f"V{number}", damaged)
    return victims


def _encode(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields).encode()
