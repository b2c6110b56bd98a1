"""What is wrong with a Redis server: pure functions from the server's replies to problems with their remedies.

Everything is derived from INFO and one write, because managed Redis services deny CONFIG. docs/redis.md explains the
problems; a test compares their codes with its table.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import redis

from financehub_shared.core.durations import format_duration
from financehub_shared.redis.explanations import (
    ACL_REMEDY,
    WRITE_CODES,
    explain_denial,
    explain_failure,
    explain_refusal,
    megabytes,
    shorten,
)
from financehub_shared.redis.key_types import ASIDE
from financehub_shared.redis.server_facts import ServerFacts, describe_server

#: The command ZMSCORE, with which schedulers find lost schedules, exists since Redis 6.2.
OLDEST_VERSION = (6, 2)
#: Share of the memory above which it counts as nearly full. There is still time to react.
MEMORY_SHARE = 0.8
#: Share of the allowed connections above which new processes may soon be refused.
CLIENTS_SHARE = 0.9
#: Duration of a fork in seconds above which it matters. During a fork Redis answers nobody.
SLOW_FORK_SECONDS = 1.0
#: Difference of clocks in seconds above which one of them is wrong. Synchronized clocks differ by less than 0.1 s, and
#: no limit of FinanceHub is below 5 s.
SKEW_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class RedisProblem:
    """One problem of one server.

    Args:
        server: `queues` or `data`.
        code: Name of the problem, which is also the metric label `problem`.
        text: One sentence that says what is wrong, where, and what to do.
        blocking: Whether the server refuses what FinanceHub needs, so that nothing works.
    """

    server: str
    code: str
    text: str
    blocking: bool = False


#: Code of the problem that a process's clock and that of a server differ. It belongs to the process.
CLOCK_SKEW = "clock-skew"
#: Codes of all problems of a server that answers.
CODES = (
    *WRITE_CODES,
    "not-checked",
    "old-version",
    "cluster",
    "writable-replica",
    "eviction",
    "aof-off",
    "save-failing",
    "memory-high",
    "clients-high",
    "slow-fork",
    "set-aside",
)


def find_problems(facts: ServerFacts) -> list[RedisProblem]:
    """Return what is wrong with a server, most important first. The clock is judged by `clock_problem`."""
    problems = list(_refusals(facts))
    if facts.info:
        codes = {problem.code for problem in problems}
        problems += [problem for check in _CHECKS for problem in check(facts) if not _is_implied(problem.code, codes)]
    return problems


def clock_problem(facts: ServerFacts) -> RedisProblem | None:
    """Return a problem if this process's clock and that of the server differ."""
    if facts.skew is None or abs(facts.skew) <= SKEW_SECONDS:
        return None
    side = "ahead of" if facts.skew > 0 else "behind"
    text = (
        f"the clock of this machine is {format_duration(abs(facts.skew))} {side} that of {facts.place}; FinanceHub "
        "uses the time of the queue Redis; synchronize the clocks of both machines with NTP"
    )
    return RedisProblem(facts.server, CLOCK_SKEW, text)


def failure_problem(server: str, address: str, error: redis.RedisError) -> RedisProblem:
    """Return the problem of a server that sent no facts.

    Args:
        server: `queues` or `data`.
        address: Host and port, or the path of the socket.
        error: The error of the connection or command.
    """
    code, text = explain_failure(describe_server(server, address), error)
    return RedisProblem(server, code, text, blocking=True)


def _refusals(facts: ServerFacts) -> Iterator[RedisProblem]:
    if (error := facts.refused.get("SET")) is not None:
        code, text = explain_refusal(facts.place, error, dict(facts.info))
        yield RedisProblem(facts.server, code, text, blocking=True)
    else:
        # None of them fails because of the state of the server while it accepts a write.
        error = next((facts.refused[name] for name in ("TIME", "EVALSHA", "EXISTS") if name in facts.refused), None)
        if error is not None:
            yield RedisProblem(facts.server, "denied", explain_denial(facts.place, error), blocking=True)
    if (error := facts.refused.get("INFO")) is not None:
        text = (
            f"{facts.place} denies this user the command INFO ({shorten(error)}), so version, memory and persistence "
            f"cannot be checked; {ACL_REMEDY}"
        )
        yield RedisProblem(facts.server, "not-checked", text)


def _version(facts: ServerFacts) -> Iterator[RedisProblem]:
    text = str(facts.info.get("redis_version", ""))
    found = re.match(r"(\d+)\.(\d+)", text)
    if found and (int(found[1]), int(found[2])) < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        yield RedisProblem(
            facts.server,
            "old-version",
            f"{facts.place} has version {text}, which lacks commands that FinanceHub needs; install Redis {oldest} or "
            "later, or Valkey",
        )


def _topology(facts: ServerFacts) -> Iterator[RedisProblem]:
    if facts.info.get("cluster_enabled") == 1:
        yield RedisProblem(
            facts.server,
            "cluster",
            f"{facts.place} is a node of a Redis Cluster, which FinanceHub cannot use because its scripts change "
            "several keys; use a single master, with Sentinel if it must fail over",
        )
    if facts.info.get("role") == "slave":
        yield RedisProblem(
            facts.server,
            "writable-replica",
            f"{facts.place} is a replica that accepts writes, which its next synchronization discards; point REDIS_URL "
            "(and DRAMATIQ_BROKER_URL, if it is set) to the master",
        )


def _eviction(facts: ServerFacts) -> Iterator[RedisProblem]:
    policy = facts.info.get("maxmemory_policy", "noeviction")
    # Without a limit, Redis never evicts anything, whatever its policy.
    if facts.number("maxmemory") and policy != "noeviction":
        yield RedisProblem(
            facts.server,
            "eviction",
            f"{facts.place} has maxmemory-policy {policy}: at its memory limit it deletes messages and data instead of "
            "refusing writes; set it to noeviction",
        )


def _persistence(facts: ServerFacts) -> Iterator[RedisProblem]:
    info = facts.info
    if info.get("aof_enabled") == 0:
        changes = round(facts.number("rdb_changes_since_last_save"))
        yield RedisProblem(
            facts.server,
            "aof-off",
            f"{facts.place} has no append-only file: a restart loses everything since its last snapshot, now {changes} "
            "changes; set appendonly to yes",
        )
    failed = [field for field in SAVE_FIELDS if info.get(field, "ok") != "ok"]
    if failed:
        yield RedisProblem(
            facts.server,
            "save-failing",
            f"{facts.place} cannot save to its disk ({', '.join(failed)}: err), so a restart loses messages and data; "
            "free space on that disk and see the log of Redis",
        )


#: Fields of INFO with the result of the last save, which is `ok` or `err`.
SAVE_FIELDS = ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")


def _memory(facts: ServerFacts) -> Iterator[RedisProblem]:
    used, limit, machine = map(facts.number, ("used_memory", "maxmemory", "total_system_memory"))
    if limit and used > MEMORY_SHARE * limit:
        yield RedisProblem(
            facts.server,
            "memory-high",
            f"{facts.place} uses {megabytes(used)} of its maxmemory of {megabytes(limit)}; raise it, or find out "
            "with `redis-cli --bigkeys` what has grown, because a full Redis refuses writes",
        )
    elif not limit and machine and used > MEMORY_SHARE * machine:
        yield RedisProblem(
            facts.server,
            "memory-high",
            f"{facts.place} uses {megabytes(used)} of the {megabytes(machine)} of its machine and has no maxmemory; "
            "set a maxmemory, because the kernel kills a process that exhausts the memory",
        )


def _clients(facts: ServerFacts) -> Iterator[RedisProblem]:
    clients, limit = round(facts.number("connected_clients")), round(facts.number("maxclients"))
    if limit and clients > CLIENTS_SHARE * limit:
        yield RedisProblem(
            facts.server,
            "clients-high",
            f"{facts.place} has {clients} of at most {limit} connections; raise maxclients, or stop clients that leak "
            "connections (`redis-cli client list`)",
        )


def _fork(facts: ServerFacts) -> Iterator[RedisProblem]:
    seconds = facts.number("latest_fork_usec") / 1e6
    if seconds > SLOW_FORK_SECONDS:
        yield RedisProblem(
            facts.server,
            "slow-fork",
            f"{facts.place} did not answer for {seconds:.1f} s while it forked for its last save; disable transparent "
            "huge pages on its machine, or give it less data",
        )


def _set_aside(facts: ServerFacts) -> Iterator[RedisProblem]:
    if not facts.set_aside:
        return
    if facts.set_aside == 1:
        found = "a key of another program, which had replaced a key of FinanceHub and was set aside"
    else:
        found = f"{facts.set_aside} keys of other programs, which had replaced keys of FinanceHub and were set aside"
    yield RedisProblem(
        facts.server,
        "set-aside",
        f"{facts.place} contains {found}; find what was set aside with `redis-cli --scan --pattern '{ASIDE}*'`, stop "
        "the program that writes it, and delete it",
    )


_CHECKS: tuple[Callable[[ServerFacts], Iterator[RedisProblem]], ...] = (
    _version,
    _topology,
    _eviction,
    _persistence,
    _memory,
    _clients,
    _fork,
    _set_aside,
)


def _is_implied(code: str, found: set[str]) -> bool:
    """Whether a problem is only another sign of a problem that was found."""
    implied_by = {"memory-high": "full", "save-failing": "disk-failing", "writable-replica": "read-only"}
    return implied_by.get(code) in found
