"""What is wrong with a Redis server, according to its replies."""

import dataclasses
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.redis.conditions import (
    CODES,
    MEMORY_SHARE,
    SKEW_SECONDS,
    clock_problem,
    find_problems,
)
from financehub_shared.redis.explanations import WRITE_CODES
from financehub_shared.redis.server_facts import ServerFacts

HEALTHY: dict[str, Any] = {
    "redis_version": "7.0.15",
    "cluster_enabled": 0,
    "role": "master",
    "used_memory": 1_000_000,
    "maxmemory": 100_000_000,
    "maxmemory_policy": "noeviction",
    "total_system_memory": 8_000_000_000,
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "aof_last_bgrewrite_status": "ok",
    "rdb_last_bgsave_status": "ok",
    "rdb_changes_since_last_save": 12,
    "connected_clients": 20,
    "maxclients": 10_000,
    "latest_fork_usec": 900,
}
MISCONF = (
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
    "may modify the data set are disabled"
)
FULL = {"used_memory": 100_000_001}


def facts(refused: dict[str, redis.RedisError] | None = None, **info: Any) -> ServerFacts:
    """Return the facts of a healthy server with other fields of INFO and refused commands."""
    return ServerFacts("queues", "localhost:6379", info=HEALTHY | info, refused=refused or {})


#: Facts → codes of their problems, in order.
CASES: dict[str, tuple[ServerFacts, list[str]]] = {
    "healthy": (facts(), []),
    "full": (facts({"SET": redis.OutOfMemoryError("command not allowed")}, **FULL), ["full"]),
    "full in a script of Redis 6.2": (
        facts({"SET": redis.ResponseError("ERR Error running script: @user_script: 1: -OOM command not allowed")}),
        ["full"],
    ),
    "disk full": (
        facts({"SET": redis.ResponseError(MISCONF)}, rdb_last_bgsave_status="err"),
        ["disk-failing"],
    ),
    "no replica": (
        facts({"SET": redis.ResponseError("NOREPLICAS Not enough good replicas to write.")}),
        ["replicas-missing"],
    ),
    "replica": (facts({"SET": redis.ReadOnlyError("You can't write")}, role="slave"), ["read-only"]),
    "denied": (
        facts({"SET": redis.exceptions.NoPermissionError("no permissions to run the 'set' command")}),
        ["denied"],
    ),
    "denied in a script": (
        facts({"SET": redis.ResponseError("ACL failure in script: User x has no permissions")}),
        ["denied"],
    ),
    "time denied": (facts({"TIME": redis.exceptions.NoPermissionError("the 'time' command")}), ["denied"]),
    "scripts denied": (facts({"EVALSHA": redis.exceptions.NoPermissionError("the 'evalsha' command")}), ["denied"]),
    "keys of the queues denied": (facts({"EXISTS": redis.exceptions.NoPermissionError("the keys")}), ["denied"]),
    "scripts renamed": (facts({"EVALSHA": redis.ResponseError("unknown command `EVALSHA`")}), ["denied"]),
    "SET renamed": (facts({"SET": redis.ResponseError("unknown command `SET`")}), ["denied"]),
    "full server refuses scripts too": (
        facts({"SET": redis.OutOfMemoryError("not allowed"), "EVALSHA": redis.OutOfMemoryError("not allowed")}),
        ["full"],
    ),
    "unknown refusal": (facts({"SET": redis.ResponseError("ERR something new")}), ["write-refused"]),
    "INFO denied": (
        ServerFacts("queues", refused={"INFO": redis.exceptions.NoPermissionError("the 'info' command")}),
        ["not-checked"],
    ),
    "INFO renamed": (
        ServerFacts("queues", refused={"INFO": redis.ResponseError("unknown command 'INFO'")}),
        ["not-checked"],
    ),
    "6.0": (facts(redis_version="6.0.16"), ["old-version"]),
    "6.2": (facts(redis_version="6.2.0"), []),
    "5": (facts(redis_version="5.0.14"), ["old-version"]),
    "10": (facts(redis_version="10.0.0"), []),
    "unknown version": (facts(redis_version="unstable"), []),
    "Valkey": (facts(server_name="valkey", redis_version="7.2.4", valkey_version="8.1.0"), []),
    "cluster": (facts(cluster_enabled=1), ["cluster"]),
    "writable replica": (facts(role="slave"), ["writable-replica"]),
    "eviction": (facts(maxmemory_policy="allkeys-lru"), ["eviction"]),
    "eviction of keys that expire": (facts(maxmemory_policy="volatile-ttl"), ["eviction"]),
    "eviction without a limit has no effect": (facts(maxmemory_policy="allkeys-lru", maxmemory=0), []),
    "no append-only file": (facts(aof_enabled=0), ["aof-off"]),
    "snapshot failed": (facts(rdb_last_bgsave_status="err"), ["save-failing"]),
    "rewrite failed": (facts(aof_last_bgrewrite_status="err"), ["save-failing"]),
    "memory at the limit of the check": (facts(used_memory=80_000_000), []),
    "memory above": (facts(used_memory=80_000_001), ["memory-high"]),
    "memory of the machine": (facts(maxmemory=0, used_memory=6_400_000_001), ["memory-high"]),
    "memory with room": (facts(maxmemory=0, used_memory=6_300_000_000), []),
    "connections": (facts(connected_clients=9_001), ["clients-high"]),
    "slow fork": (facts(latest_fork_usec=1_000_001), ["slow-fork"]),
    "one key was set aside": (dataclasses.replace(facts(), set_aside=1), ["set-aside"]),
    "keys were set aside": (dataclasses.replace(facts(), set_aside=2), ["set-aside"]),
    "two problems": (facts(maxmemory_policy="allkeys-lru", aof_enabled=0), ["eviction", "aof-off"]),
    "managed Redis that hides fields": (ServerFacts("queues", info={"redis_version": "7.1.0"}), []),
}


@pytest.mark.parametrize(("found", "codes"), CASES.values(), ids=CASES)
def test_find_problems_returns_the_problems_of_the_replies(found: ServerFacts, codes: list[str]) -> None:
    """Each set of replies has exactly these problems."""
    assert [problem.code for problem in find_problems(found)] == codes


def test_find_problems_knows_every_code() -> None:
    """The cases contain every code, and only problems because of which nothing can be written are blocking."""
    problems = [problem for found, _ in CASES.values() for problem in find_problems(found)]
    assert {problem.code for problem in problems} == {*CODES}
    assert {problem.code for problem in problems if problem.blocking} == {*WRITE_CODES}


def test_every_problem_names_the_server_and_a_remedy() -> None:
    """Each sentence says where the problem is and, after a semicolon, what to do."""
    for found, _ in CASES.values():
        for problem in find_problems(found):
            assert problem.text.startswith(found.place), problem.text
            assert ";" in problem.text, problem.text
            assert "\n" not in problem.text


def test_full_server_names_used_and_allowed_memory() -> None:
    """The sentence about a full server contains the numbers that the user has to compare."""
    (problem,) = find_problems(CASES["full"][0])
    assert "it uses 100.0 MB of 100.0 MB" in problem.text


@given(used=st.integers(0, 10**12), limit=st.integers(1, 10**12))
def test_memory_high_is_the_share_of_the_limit(used: int, limit: int) -> None:
    """For any numbers, memory is nearly full exactly above the share."""
    codes = [problem.code for problem in find_problems(facts(used_memory=used, maxmemory=limit))]
    assert ("memory-high" in codes) == (used > MEMORY_SHARE * limit)


_FIELDS = st.sampled_from(sorted(HEALTHY))
#: What redis-py makes of a field of INFO.
_VALUES = st.integers() | st.floats() | st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.integers())
_OOM = {"SET": redis.OutOfMemoryError("command not allowed")}


@given(fields=st.sets(_FIELDS))
def test_find_problems_without_some_fields_finds_nothing_new(fields: set[str]) -> None:
    """Servers that hide any of the fields have no problem because of it."""
    info = {name: value for name, value in HEALTHY.items() if name not in fields}
    assert find_problems(ServerFacts("queues", info=info)) == []


@pytest.mark.parametrize(
    ("skew", "words"),
    [
        (None, ""),
        (SKEW_SECONDS, ""),
        (-SKEW_SECONDS, ""),
        (3_600.0, "is 1h 0m ahead of that of the queue Redis"),
        (-3_600.0, "is 1h 0m behind that of the queue Redis"),
    ],
)
def test_clock_problem_begins_beyond_the_limit(skew: float | None, words: str) -> None:
    """A clock is wrong if it differs by more than the limit in either direction, and the sentence says in which."""
    problem = clock_problem(ServerFacts("queues", skew=skew))
    assert (words in problem.text if problem else "") == bool(words) if words else problem is None


@given(info=st.dictionaries(_FIELDS, _VALUES), refused=st.sampled_from([{}, _OOM]))
def test_find_problems_with_any_values_names_problems(info: dict[str, Any], refused: dict[str, redis.RedisError]):
    """Whatever a managed service or a proxy sends as INFO, no value raises an error, and refused writes are named."""
    codes = [problem.code for problem in find_problems(ServerFacts("queues", info=info, refused=refused))]
    assert ("full" in codes) == bool(refused)
