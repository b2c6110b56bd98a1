"""How often a client repeats a command, blocking and for coroutines.

A command on a connection that broke may have run, so it is repeated as often as the caller allows. A command that a
server refused because it is not the master did not run. It is always repeated once, at once and on a new connection,
because the address often leads to the new master already, and then as often as the caller allows.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import redis
from redis.asyncio.retry import Retry as _AsyncRetry
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry as _Retry

from financehub_shared.redis.faults import FAILOVER_ERRORS

#: Longest pauses between two attempts: 0.1 s, 0.2 s, 0.4 s and so on up to 1 s. Each is chosen at random below.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 1.0
#: Errors after which a command is repeated.
REPEATED_ERRORS = (redis.ConnectionError, *FAILOVER_ERRORS)
#: How redis-py begins the text of an error in a pipeline. Commands before the refused one have run.
_IN_PIPELINE = "Command # "


def _may_repeat(error: Exception) -> bool:
    return isinstance(error, FAILOVER_ERRORS) and not str(error).startswith(_IN_PIPELINE)


def _policy(retries: int) -> tuple[ExponentialWithJitterBackoff, int, tuple[type[redis.RedisError], ...]]:
    backoff = ExponentialWithJitterBackoff(base=FIRST_PAUSE_SECONDS, cap=LONGEST_PAUSE_SECONDS)
    return backoff, retries, REPEATED_ERRORS


class Retry(_Retry):
    """The repetitions of a blocking client.

    Args:
        retries: Number of repetitions after a broken connection.
    """

    def __init__(self, retries: int) -> None:
        super().__init__(*_policy(retries))

    def call_with_retry(
        self,
        do: Callable[[], Any],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,
    ) -> Any:
        """Run a command. See `redis.retry.Retry`."""
        failures, refused = 0, False
        while True:
            try:
                return do()
            except self._supported_errors as error:
                if is_retryable and not is_retryable(error):
                    raise
                repeats_at_once = not refused and _may_repeat(error)
                refused = refused or repeats_at_once
                failures += not repeats_at_once
                # this closes the connection, and the next attempt looks the address up again
                fail(error, failures) if with_failure_count else fail(error)
                if repeats_at_once:
                    continue
                if failures > self._retries:
                    raise
                time.sleep(self._backoff.compute(failures))


class AsyncRetry(_AsyncRetry):
    """The repetitions of a client for coroutines. See `Retry`."""

    def __init__(self, retries: int) -> None:
        super().__init__(*_policy(retries))

    async def call_with_retry(
        self,
        do: Callable[[], Awaitable[Any]],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,
    ) -> Any:
        """Run a command. See `redis.asyncio.retry.Retry`."""
        failures, refused = 0, False
        while True:
            try:
                return await do()
            except self._supported_errors as error:
                if is_retryable and not is_retryable(error):
                    raise
                repeats_at_once = not refused and _may_repeat(error)
                refused = refused or repeats_at_once
                failures += not repeats_at_once
                await (fail(error, failures) if with_failure_count else fail(error))
                if repeats_at_once:
                    continue
                if failures > self._retries:
                    raise
                await asyncio.sleep(self._backoff.compute(failures))
