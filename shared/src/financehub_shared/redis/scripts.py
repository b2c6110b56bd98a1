"""Runs Lua scripts on a Redis that may be unavailable: one command per run and one client per event loop.

While Redis is unavailable, calls fail immediately and only one call every few seconds tries again. An outage therefore
costs a process one timeout now and then instead of one per call.
"""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import redis
import redis.asyncio

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.log import get_logger
from financehub_shared.core.loop_local import LoopLocal
from financehub_shared.core.outage import Outage
from financehub_shared.core.redis_url import RedisUrl
from financehub_shared.redis.client import connect, connect_async
from financehub_shared.redis.command_channel import CommandChannel

log = get_logger(__name__)

#: Pause between two attempts while Redis is unavailable. It is short compared with schedules and long compared with a
#: timeout.
RETRY_SECONDS = 5.0
#: A healthy Redis answers these scripts in a millisecond. A longer timeout would delay calls to upstreams.
TIMEOUT_SECONDS = 1.0

#: Sets `now` to the Redis clock in milliseconds, so that the pods' clocks need not agree. Tests replace this line.
REDIS_NOW = "local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"

Argument = str | int | float | bytes


class LuaScript:
    """A script and its digest.

    Args:
        source: Lua source for Redis 6.2 and later.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


class ClientScript:
    """A script that a blocking client runs with one command, for scripts that run with every message.

    Args:
        channel: Sends the commands of the client.
        source: Lua source for Redis 6.2 and later.
    """

    def __init__(self, channel: CommandChannel, source: str) -> None:
        self._call = channel.call
        self._script = LuaScript(source)

    def __call__(self, keys: Sequence[str | bytes], args: Sequence[Argument]) -> Any:
        """Run the script and return its reply.

        Raises:
            redis.RedisError: Redis did not answer or refused the script.
        """
        try:
            return self._call("EVALSHA", self._script.sha, len(keys), *keys, *args)
        except redis.exceptions.NoScriptError:  # the first run, or Redis was restarted
            return self._call("EVAL", self._script.source, len(keys), *keys, *args)


class RedisScripts:
    """Runs scripts on one Redis, blocking or in coroutines. It connects on the first run.

    Args:
        build: Builds a blocking client. Its socket timeout limits a blocking run.
        build_async: Builds a client for coroutines. It is called once per event loop.
        clock: Measures the pauses between attempts while Redis is unavailable.
        retry_seconds: Length of each pause.
        timeout_seconds: Longest time that a coroutine waits for a reply.
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
        self._timeout_seconds = timeout_seconds
        self._lock = threading.Lock()
        self._client: Any = None
        self._async_clients: LoopLocal[Any] = LoopLocal(build_async)
        self._loaded: set[str] = set()
        self._outage = Outage("redis", clock.monotonic, log, pause_seconds=retry_seconds)

    @classmethod
    def of_url(cls, url: RedisUrl | str, clock: Clock, *, timeout_seconds: float = TIMEOUT_SECONDS) -> "RedisScripts":
        """Build an instance for the Redis at a URL. Every reply has the same timeout."""
        # one retry reopens a connection that a Redis restart has broken
        return cls(
            partial(connect, url, retries=1, timeout=timeout_seconds),
            partial(connect_async, url, retries=1, timeout=timeout_seconds),
            clock,
            timeout_seconds=timeout_seconds,
        )

    def run(self, script: LuaScript, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script and wait for its reply.

        Raises:
            StoreUnavailableError: Redis is unavailable or refused the script.
        """
        with self._translate_errors():
            with self._lock:
                self._client = self._client or self._build()
            try:
                reply = self._client.execute_command(*self._command(script), len(keys), *keys, *args)
            except redis.exceptions.NoScriptError:  # Redis was restarted
                reply = self._client.execute_command("EVAL", script.source, len(keys), *keys, *args)
            self._loaded.add(script.sha)
            return reply

    async def arun(self, script: LuaScript, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script without blocking the event loop. See `run`."""
        with self._translate_errors():
            client = self._async_clients.get()
            async with asyncio.timeout(self._timeout_seconds):
                try:
                    reply = await client.execute_command(*self._command(script), len(keys), *keys, *args)
                except redis.exceptions.NoScriptError:  # Redis was restarted
                    reply = await client.execute_command("EVAL", script.source, len(keys), *keys, *args)
                self._loaded.add(script.sha)
                return reply

    def _command(self, script: LuaScript) -> tuple[str, str]:
        """Return EVAL, which also loads the script, for the first run, then EVALSHA: one command per run."""
        return ("EVALSHA", script.sha) if script.sha in self._loaded else ("EVAL", script.source)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        if not self._outage.may_try():
            wait = self._outage.remaining_seconds()
            raise StoreUnavailableError(f"Redis is unavailable; the next attempt is in {wait:.1f} s")
        try:
            yield
        except (redis.RedisError, OSError, TimeoutError) as error:
            self._outage.failed(error)
            raise StoreUnavailableError(f"Redis did not run a script: {type(error).__name__}: {error}") from error
        self._outage.succeeded()

    def close(self) -> None:
        """Close the blocking client. A later run opens a new one."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    async def aclose(self) -> None:
        """Close the running event loop's client."""
        client = self._async_clients.pop()
        if client is not None:
            await client.aclose()
