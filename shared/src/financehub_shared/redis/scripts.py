"""Lua on a Redis that may be away: one command a script, one client an event loop, and a memory of an outage.

While Redis is away, callers are told at once and only one of them asks again every few seconds; so an outage costs
a process one timeout now and then instead of one a call.
"""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
import structlog

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.redis.client import connect, connect_async

log = structlog.get_logger(__name__)

#: How long Redis is left alone after it failed: short against the schedules, long against a timeout.
RETRY_SECONDS = 5.0
#: A healthy Redis answers these scripts in a millisecond; waiting longer than this would delay an upstream call.
TIMEOUT_SECONDS = 1.0

#: Redis' own clock in milliseconds, so that pods need none in common; tests put another line before a script.
REDIS_NOW = "local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"

Argument = str | int | float | bytes


class LuaScript:
    """A script and its digest.

    Args:
        source: Lua, for Redis 6.2 and newer.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


class RedisScripts:
    """Runs scripts on one Redis, blocking or in coroutines; nothing connects before the first run.

    Args:
        build: makes a blocking client, whose socket timeout bounds a blocking run.
        build_async: makes a client for coroutines; called once per event loop.
        clock: for the pauses between attempts while Redis is away.
        retry_seconds: length of such a pause.
        timeout_seconds: longest wait of a coroutine for an answer.
    """

    def __init__(
        self,
        build: Callable[[], "redis.Redis"],
        build_async: Callable[[], "redis.asyncio.Redis"],
        clock: Clock,
        *,
        retry_seconds: float = RETRY_SECONDS,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._build = build
        self._build_async = build_async
        self._clock = clock
        self._retry_seconds = retry_seconds
        self._timeout_seconds = timeout_seconds
        self._lock = threading.Lock()
        self._client: Any = None
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()
        self._sent: set[str] = set()
        self._retry_at: float | None = None

    @classmethod
    def of_url(cls, url: str, clock: Clock) -> "RedisScripts":
        """The usual way to the Redis at `url`."""
        # one retry mends a connection that a restart has cut
        return cls(
            partial(connect, url, retries=1, timeout=TIMEOUT_SECONDS),
            partial(connect_async, url, retries=1, timeout=TIMEOUT_SECONDS),
            clock,
        )

    def run(self, script: LuaScript, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run `script` and wait for its answer.

        Raises:
            StoreUnavailableError: Redis is away, or refused.
        """
        with self._watching():
            with self._lock:
                self._client = self._client or self._build()
            try:
                answer = self._client.execute_command(*self._command(script), len(keys), *keys, *args)
            except redis.exceptions.NoScriptError:  # Redis was restarted
                answer = self._client.execute_command("EVAL", script.source, len(keys), *keys, *args)
            self._sent.add(script.sha)
            return answer

    async def arun(self, script: LuaScript, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run `script` without blocking the event loop; as `run` otherwise."""
        with self._watching():
            loop = asyncio.get_running_loop()
            with self._lock:
                client = self._clients.get(loop) or self._clients.setdefault(loop, self._build_async())
            async with asyncio.timeout(self._timeout_seconds):
                try:
                    answer = await client.execute_command(*self._command(script), len(keys), *keys, *args)
                except redis.exceptions.NoScriptError:  # Redis was restarted
                    answer = await client.execute_command("EVAL", script.source, len(keys), *keys, *args)
                self._sent.add(script.sha)
                return answer

    def _command(self, script: LuaScript) -> tuple[str, str]:
        """EVAL, which Redis remembers, the first time and EVALSHA later: one command a run from the very first."""
        return ("EVALSHA", script.sha) if script.sha in self._sent else ("EVAL", script.source)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        self._admit()
        try:
            yield
        except (redis.RedisError, OSError, TimeoutError) as error:
            self._note_failure(error)
            raise StoreUnavailableError(f"Redis ran no script: {type(error).__name__}: {error}") from error
        if self._retry_at is not None:
            self._retry_at = None
            log.info("redis_scripts_back")

    def _admit(self) -> None:
        now = self._clock.monotonic()
        with self._lock:
            if self._retry_at is None:
                return
            if now < self._retry_at:
                raise StoreUnavailableError(f"Redis is away and is asked again in {self._retry_at - now:.1f} s")
            # whoever comes first asks; the others go on without Redis until the answer is there
            self._retry_at = now + self._retry_seconds

    def _note_failure(self, error: Exception) -> None:
        with self._lock:
            known, self._retry_at = self._retry_at, self._clock.monotonic() + self._retry_seconds
        if known is None:
            log.warning("redis_scripts_away", error=f"{type(error).__name__}: {error}", retry_in=self._retry_seconds)

    def close(self) -> None:
        """Close the blocking client; a later run opens a new one."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    async def aclose(self) -> None:
        """Close the client of the running event loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()
