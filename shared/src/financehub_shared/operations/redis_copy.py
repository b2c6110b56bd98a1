"""Copies all keys of a database into an empty one, so that a fleet that is stopped can move to another server."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis

from financehub_shared.core.errors import FinanceHubError
from financehub_shared.core.text import printable
from financehub_shared.health.processes import EXPIRY_SECONDS, ProcessRegistry
from financehub_shared.redis.explanations import explain_refusal
from financehub_shared.redis.faults import fault_code
from financehub_shared.redis.server_check import WrongServerError
from financehub_shared.redis.text import decode
from financehub_shared.redis.value_parts import VALUE_KINDS, ValueKind

#: Keys per round trip. Most values have less than 1 kB; a blob of bars has 30 kB.
_BATCH = 200
#: Number of elements after which a round trip takes no further part of a value. A queue can have a million messages of
#: 1 kB, and the copy must not hold all of them in memory.
_ELEMENTS = 2_000
_START_AGAIN = "empty the target (FLUSHDB on its database) and start again"
#: Reply of PTTL for a key that has expired.
_GONE = -2

Entry = tuple[bytes, ValueKind]
#: A part of a value: its key, kind, elements and position.
Part = tuple[bytes, ValueKind, list[Any], int]
#: A function that sends a command, and its arguments after the client.
Command = tuple[Any, ...]


class CopyError(FinanceHubError):
    """The database was not copied, or not completely. The source was not changed."""


@dataclass(frozen=True, slots=True)
class CopiedKeys:
    """What was copied and found to be equal in both databases.

    Args:
        keys: Type of the keys, such as `hash` → their number.
        elements: Type of the keys → number of their elements: fields, members, or entries of lists.
        expiring: Number of keys with an expiry.
    """

    keys: Counter[str]
    elements: Counter[str]
    expiring: int


def copy_database(
    source: "redis.Redis",
    target: "redis.Redis",
    *,
    queues: "redis.Redis | None" = None,
    pause: Callable[[float], None] = time.sleep,
) -> CopiedKeys:
    """Copy all keys with their remaining lifetimes into an empty database, and compare all values afterwards.

    Args:
        source: The database to read.
        target: The database to write.
        queues: The queue Redis, which knows the live processes of the fleet, if it is not the source.
        pause: Waits for a number of seconds.

    Raises:
        CopyError: A process of the fleet stays alive, a database is not suitable, the target refused something, or the
            databases differ afterwards, also if only the target has a key.
        redis.RedisError: The source or the queue Redis does not answer, or refused a command.
    """
    _await_stop(source if queues is None else queues, pause)
    if not _has_keys(source):
        raise CopyError("the source has no keys; check its address and the number of its database")
    with _explained(""):
        is_empty = not _has_keys(target)
    if not is_empty:
        raise CopyError(
            "the target is not empty, and a copy could damage its keys; use an empty database, or empty it with "
            "FLUSHDB if nobody needs them"
        )
    written: set[bytes] = set()
    for batch in _batches(source):
        # SCAN may return a key again while the source resizes its table, and a list would get its entries twice.
        fresh = {key: kind for key, kind in batch if key not in written}
        _copy(source, target, list(fresh.items()))
        written.update(fresh)
    copied = _compare(source, target)
    _refuse_others(target, written)
    return copied


def _await_stop(queues: "redis.Redis", pause: Callable[[float], None]) -> None:
    """Wait until no process of the fleet is alive. One that was killed counts as alive for EXPIRY_SECONDS.

    Raises:
        CopyError: A process is still alive after this time, so it is running.
    """
    registry = ProcessRegistry(queues)
    for _ in range(EXPIRY_SECONDS + 1):
        if not registry.live():
            return
        pause(1)
    if alive := registry.live():
        names = ", ".join(sorted({f"{process.tier} on {process.host}" for process in alive}))
        raise CopyError(
            f"processes use the source: {names}; stop the fleet, because what they write meanwhile would be lost"
        )


def _has_keys(client: "redis.Redis") -> bool:
    return next(client.scan_iter(count=_BATCH), None) is not None


def _batches(client: "redis.Redis") -> Iterator[list[Entry]]:
    """Yield all keys of a database with their kinds. A key that expires meanwhile is left out."""
    cursor: int | None = None
    while cursor != 0:
        cursor, found = client.scan(cursor or 0, count=_BATCH)
        keys = [key for key in found if isinstance(key, bytes)]  # our clients return bytes
        types = map(decode, _ask(client, [(redis.Redis.type, key) for key in keys]))
        present = [(key, name) for key, name in zip(keys, types, strict=True) if name != "none"]
        for key, name in present:
            if name not in VALUE_KINDS:
                raise CopyError(f"the key {printable(decode(key))} has the type {name}, which FinanceHub does not use")
        yield [(key, VALUE_KINDS[name]) for key, name in present]


def _ask(client: "redis.Redis", commands: Sequence[Command]) -> list[Any]:
    """Send commands in one round trip, and return their replies."""
    with client.pipeline(transaction=False) as pipe:
        for send, *arguments in commands:
            send(pipe, *arguments)
        return list(pipe.execute())


def _parts(client: "redis.Redis", batch: Sequence[Entry]) -> Iterator[Part]:
    """Yield the parts of all values. The first parts need one round trip in all."""
    replies = _ask(client, [(kind.ask, key, 0) for key, kind in batch])
    for (key, kind), first in zip(batch, replies, strict=True):
        position: int | None = 0
        reply = first
        while position is not None:
            part, following = kind.parse(reply, position)
            if part:
                yield key, kind, part, position
            position = following
            reply = None if position is None else kind.ask(client, key, position)


def _groups(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Yield the parts in groups, each for one round trip."""
    group: list[Part] = []
    elements = 0
    for part in parts:
        group.append(part)
        elements += len(part[2])
        if len(group) >= _BATCH or elements >= _ELEMENTS:
            yield group
            group, elements = [], 0
    if group:
        yield group


def _copy(source: "redis.Redis", target: "redis.Redis", batch: Sequence[Entry]) -> None:
    lifetimes = _ask(source, [(redis.Redis.pttl, key) for key, _ in batch])
    for group in _groups(_parts(source, batch)):
        with _explained(_START_AGAIN):
            _ask(target, [(kind.write, key, part) for key, kind, part, _ in group])
    with _explained(_START_AGAIN):
        # A key that has just expired in the source expires at once in the target too.
        _ask(
            target,
            [
                (redis.Redis.pexpire, key, max(left, 1))
                for (key, _), left in zip(batch, lifetimes, strict=True)
                if left >= 0 or left == _GONE
            ],
        )


def _compare(source: "redis.Redis", target: "redis.Redis") -> CopiedKeys:
    """Compare the values of all keys of the source with the target.

    Raises:
        CopyError: They differ.
    """
    keys, elements, expiring = Counter[str](), Counter[str](), 0
    differing: set[bytes] = set()
    seen: set[bytes] = set()
    for batch in _batches(source):
        wrong: set[bytes] = set()
        counted = Counter[bytes]()
        for group in _groups(_parts(source, batch)):
            with _explained(_START_AGAIN):
                replies = _ask(target, [(kind.ask_same, key, part, position) for key, kind, part, position in group])
            for (key, kind, part, _), reply in zip(group, replies, strict=True):
                counted[key] += len(part)
                if not kind.is_same(reply, part):
                    wrong.add(key)
        facts = [(kind.size, key) for key, kind in batch] + [(redis.Redis.pttl, key) for key, _ in batch]
        with _explained(_START_AGAIN):
            its = _ask(target, facts)
        mine = _ask(source, facts)
        count = len(batch)
        for number, (key, kind) in enumerate(batch):
            lifetime = mine[count + number]
            if lifetime == _GONE or key in seen:
                continue
            seen.add(key)
            if key in wrong or mine[number] != its[number] or (lifetime < 0) != (its[count + number] < 0):
                differing.add(key)
            keys[kind.name] += 1
            elements[kind.name] += counted[key]
            expiring += lifetime >= 0
    if differing:
        raise CopyError(
            f"keys differ in source and target, so something writes to one of them ({_shown(differing)}); stop it, "
            f"{_START_AGAIN}"
        )
    return CopiedKeys(keys, elements, expiring)


def _refuse_others(target: "redis.Redis", written: set[bytes]) -> None:
    """Check that the target has only keys that were copied. The source is not asked, because its keys may expire.

    Raises:
        CopyError: It has other keys.
    """
    with _explained(_START_AGAIN):
        others = {key for key in target.scan_iter(count=_BATCH) if isinstance(key, bytes)} - written
    if others:
        raise CopyError(
            f"the target has keys that were not copied, so something else writes to it ({_shown(others)}); stop it, "
            f"{_START_AGAIN}"
        )


def _shown(names: set[bytes]) -> str:
    """Return the number of keys and the names of the first ones."""
    return f"{len(names)}: {', '.join(printable(decode(name)) for name in sorted(names)[:5])}"


@contextmanager
def _explained(remedy: str) -> Iterator[None]:
    """Translate errors of the target, so that no message speaks of the source.

    Args:
        remedy: What to do before the copy is started again; empty if nothing was written.

    Raises:
        CopyError: The target did not answer, or refused a command.
    """
    more = f"; then {remedy}" if remedy else ""
    try:
        yield
    except redis.RedisError as error:
        if fault_code(error):
            raise CopyError(f"{explain_refusal('the target', error)[1]}{more}") from None
        if isinstance(error, WrongServerError):
            raise CopyError(f"the target cannot be used: {error}{more}") from None
        raise CopyError(
            f"the target does not serve the copy ({' '.join(str(error).split())[:300]}); check its URL, its user, its "
            f"password and its log{more}"
        ) from None
