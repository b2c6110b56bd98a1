"""Queue entries that no worker may trust, and strategies that generate more of them."""

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from financehub_shared.broker.option_rules import OPTION_RULES

#: Values of wrong types and ranges, in JSON text, because Python cannot hold all of them.
HOSTILE_VALUES = (
    "5",
    "-1",
    "1.5",
    '"abc"',
    '"\\ud800"',
    '""',
    "[]",
    '[1, "a"]',
    "[null]",
    '[{"at": "x"}]',
    "{}",
    '{"a": 1}',
    '{"queue_name": 5}',
    "true",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "1" + "0" * 400,
    '"' + "x" * 600 + '"',
)
#: Text after the options of a message, to which hostile entries add.
_TAIL = '"message_id": "{id}", "message_timestamp": 1795000000000}}'


@dataclass(frozen=True, slots=True)
class HostileEntry:
    """An entry of a queue.

    Args:
        id: Its id in Redis.
        body: Its content.
    """

    id: bytes
    body: bytes


def message(actor: str, *, options: str = "{}", id: str = "m", **fields: str) -> bytes:
    """Return a message as JSON text. Each argument except the actor and the id is JSON text too."""
    values = {
        "queue_name": '"high"',
        "actor_name": json.dumps(actor),
        "args": "[]",
        "kwargs": "{}",
        "options": options,
        "message_id": json.dumps(id),
        "message_timestamp": "1795000000000",
    } | fields
    return ("{" + ", ".join(f'"{name}": {value}' for name, value in values.items()) + "}").encode()


def hostile_bodies(actor: str) -> Iterator[bytes]:
    """Yield entries that are refused, each wrong in one way. `actor` exists."""
    yield from (b"", b"\xff\xfe{", b"null", b"5", b'"text"', b"[]", b"{}", b"{", b"[" * 5_000, b'{"a":' * 5_000)
    yield from (b"\xef\xbb\xbf" + message(actor), message(actor).decode().encode("utf-16"), b"1" * 6_000)
    for name, valid in (
        ("queue_name", ()),
        ("actor_name", ()),
        ("message_id", ()),
        ("args", ("[]", '[1, "a"]', "[null]", '[{"at": "x"}]')),
        ("kwargs", ("{}", '{"a": 1}', '{"queue_name": 5}')),
        ("options", ("{}", '{"a": 1}', '{"queue_name": 5}')),
        ("message_timestamp", ("5",)),
    ):
        texts = ('"abc"',) if name in {"queue_name", "actor_name", "message_id"} else ()
        for value in ("null", *HOSTILE_VALUES):
            if value not in (*valid, *texts):
                yield message(actor, **{name: value})
    yield message(actor, extra='"field"')
    yield message(actor, kwargs='{"a": ' + "[" * 300 + "]" * 300 + "}")
    yield message(actor, kwargs=json.dumps({"a": "x" * 300_000}))
    for name, rule in OPTION_RULES.items():
        for value in HOSTILE_VALUES:
            try:
                accepted = rule.accepts(json.loads(value))
            except ValueError:
                accepted = False
            if not accepted:
                yield message(actor, options=json.dumps({name: 0}).replace("0}", f"{value}}}"))


def hostile_entries(actor: str, count: int) -> list[HostileEntry]:
    """Return `count` entries. Some have hostile ids too.

    Args:
        actor: Name of an actor of the worker.
        count: Number of entries; the bodies repeat.
    """
    bodies = itertools.cycle(list(hostile_bodies(actor)))
    prefixes = itertools.cycle((b"h", b"\xff\x00", b"a:b c", b"\x1b[31m", b"\xed\xa0\x80", b"%s{}'\"", b"\n\r"))
    return [HostileEntry(b"%b-%d" % (next(prefixes), number), next(bodies)) for number in range(count)]


#: Any JSON value, with NaN, huge numbers and lone surrogates.
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(10**30), max_value=10**30)
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["\ud800", "a\udfffb", "\x00", "\x1b[2J", "\u202e"]),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=10), children, max_size=4),
    max_leaves=12,
)

#: JSON texts that no record of ours contains: numbers that no `float`, calendar or counter holds, and other types.
HOSTILE_JSON = (
    *("1e999", "-1e999", "NaN", "Infinity", "1e300", "9" * 400, "-" + "9" * 400, "9" * 5_000, "9" * 18, "-1", "0.5"),
    *("null", "true", '""', '"x"', '"NaN"', "[]", "{}", "[null]", '{"a": 1e999}'),
)


def with_hostile_field(raw: bytes, choose: Callable[[Sequence[Any]], Any]) -> bytes | None:
    """Return a JSON record with one value in it replaced, at any depth; None if it is not a JSON object or list.

    Args:
        raw: The record.
        choose: Returns one of several values.
    """
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    holder: Any = [value]
    key: Any = 0
    while isinstance(holder[key], dict | list) and holder[key] and (holder[key] is value or choose([True, False])):
        holder = holder[key]
        key = choose(sorted(holder) if isinstance(holder, dict) else range(len(holder)))
    if not isinstance(value, dict | list) or not value:
        return None
    holder[key] = "HOSTILE_JSON"
    return json.dumps(value).replace('"HOSTILE_JSON"', choose(HOSTILE_JSON)).encode()


def hostile_variants(raw: bytes) -> list[bytes]:
    """Return a JSON record once for each value in it and each hostile replacement; empty if it is not JSON.

    A list counts as its first element, because the others are read in the same way.

    Args:
        raw: The record.
    """
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return []

    def places(holder: Any, key: Any) -> Iterator[tuple[Any, Any]]:
        yield holder, key
        inner = holder[key]
        for each in inner if isinstance(inner, dict) else range(min(1, len(inner))) if isinstance(inner, list) else ():
            yield from places(inner, each)

    root = [value]
    variants = []
    for holder, key in list(places(root, 0)):
        kept, holder[key] = holder[key], "HOSTILE_JSON"
        text = json.dumps(root[0])
        variants += [text.replace('"HOSTILE_JSON"', hostile).encode() for hostile in HOSTILE_JSON]
        holder[key] = kept
    return variants


#: Options of a message: known names and others, with any values.
option_values = st.dictionaries(st.sampled_from(sorted(OPTION_RULES)) | st.text(max_size=8), json_values, max_size=5)
