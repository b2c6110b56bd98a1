"""Watches the Redis servers of a process: logs each problem once when it begins and once when it ends.

Every process has one watch. It looks once a minute for everything, and every 5 s whether Redis accepts writes.
"""

import threading
from collections.abc import Mapping
from typing import Any

import redis

from financehub_shared.core.log import get_logger
from financehub_shared.redis.conditions import (
    CLOCK_SKEW,
    RedisProblem,
    clock_problem,
    failure_problem,
    find_problems,
)
from financehub_shared.redis.explanations import CONNECTION_CODES, WRITE_CODES
from financehub_shared.redis.server_clock import ServerClock
from financehub_shared.redis.server_facts import ServerFacts, place_of, read_facts

log = get_logger(__name__)

#: Seconds between two checks of whether Redis accepts writes.
WRITE_CHECK_SECONDS = 5.0
#: Seconds between two looks at everything else.
LOOK_SECONDS = 60.0
#: Seconds without a problem after which it has ended. Near its memory limit, Redis accepts some writes and refuses
#: others, which is one problem and not many.
CALM_SECONDS = 15.0


class RedisWatch:
    """Looks at the servers in a thread. Its methods never raise.

    Args:
        servers: Name (`queues`, `data`) → client with a short timeout and without retries.
        clock: Clock of the process, which the watch corrects by the time of the queue Redis.
    """

    def __init__(self, servers: Mapping[str, "redis.Redis"], clock: ServerClock) -> None:
        self._servers = servers
        self._clock = clock
        #: Problems that are logged and have not ended: (server, code) → monotonic time at which it was last found.
        self._found_at: dict[tuple[str, str], float] = {}
        #: Server → reason why it cannot be used now.
        self._blocked: dict[str, RedisProblem] = {}
        self._described: set[str] = set()
        #: Types of unexpected errors that are logged.
        self._failures: set[type[Exception]] = set()
        self._looked_at: float | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look once, so that the clock is right before the process begins its work, and then in a thread."""
        self._look_again()
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="redis-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None

    def blocked(self) -> list[str]:
        """Return why Redis cannot be used now, one sentence per server; empty if it answers and accepts writes."""
        return [problem.text for problem in tuple(self._blocked.values())]

    def look(self) -> None:
        """Look at every server, and log problems that have begun or ended."""
        now = self._clock.monotonic()
        # The reason of a refused write is in INFO, and a problem that ends should be noticed soon.
        details = self._looked_at is None or now - self._looked_at >= LOOK_SECONDS or bool(self._blocked)
        for server, client in self._servers.items():
            self._look_at(server, client, details=details)
        if details:
            self._looked_at = now

    def _look_at(self, server: str, client: "redis.Redis", *, details: bool) -> None:
        try:
            facts = read_facts(server, client, self._clock.local, details=details)
            if server == "queues" and facts.skew is not None and self._clock.should_measure(facts.skew, facts.seconds):
                self._clock.measure(client)
        except redis.RedisError as error:
            self._unreachable(server, client, error)
            return
        if details and server not in self._described:
            self._describe(facts)
        problems = find_problems(facts)
        if (skewed := clock_problem(facts)) is not None:
            problems.append(skewed)
        self._update(server, problems, everything=details)

    def _unreachable(self, server: str, client: "redis.Redis", error: redis.RedisError) -> None:
        self._update(server, [failure_problem(server, place_of(client), error)], everything=False)

    def _describe(self, facts: ServerFacts) -> None:
        """Log once what the server is."""
        self._described.add(facts.server)
        info = facts.info
        log.info(
            "redis_inspected",
            server=facts.server,
            address=facts.address,
            version=_version(info),
            role=info.get("role", "unknown"),
            persistence=_persistence(info),
            maxmemory=info.get("maxmemory", "unknown"),
            policy=info.get("maxmemory_policy", "unknown"),
            clock_skew=None if facts.skew is None else round(facts.skew, 3),
        )

    def _update(self, server: str, problems: list[RedisProblem], *, everything: bool) -> None:
        now = self._clock.monotonic()
        blocking = next((problem for problem in problems if problem.blocking), None)
        # Probes read this without a lock, so it is replaced as a whole.
        others = {name: problem for name, problem in self._blocked.items() if name != server}
        self._blocked = others if blocking is None else {**others, server: blocking}
        begun = [problem for problem in problems if (server, problem.code) not in self._found_at]
        self._found_at |= {(server, problem.code): now for problem in problems}
        checked = {CLOCK_SKEW, *CONNECTION_CODES, *WRITE_CODES}
        ended = [
            key
            for key, at in self._found_at.items()
            if key[0] == server and now - at >= CALM_SECONDS and (everything or key[1] in checked)
        ]
        for key in ended:
            del self._found_at[key]
        for problem in begun:
            write = log.error if problem.blocking else log.warning
            write("redis_problem_detected", server=server, problem=problem.code, text=problem.text)
        for _, code in ended:
            log.info("redis_problem_ended", server=server, problem=code)

    def _run(self) -> None:
        while not self._stopped.wait(WRITE_CHECK_SECONDS):
            self._look_again()

    def _look_again(self) -> None:
        """Look, and log an unexpected error once per type. A watch that has ended would report nothing anymore."""
        try:
            self.look()
        except Exception as error:
            if type(error) not in self._failures:
                self._failures.add(type(error))
                consequence = "problems of Redis may not be noticed; the watch continues"
                log.exception("redis_watch_failed", consequence=consequence, exc_info=error)


def _version(info: Mapping[str, Any]) -> str:
    version = info.get("valkey_version") or info.get("redis_version") or "unknown"
    return f"{info.get('server_name', 'redis')} {version}"


def _persistence(info: Mapping[str, Any]) -> str:
    if "aof_enabled" not in info:
        return "unknown"
    return "append-only file" if info["aof_enabled"] else "no append-only file"
