"""The frame of the programs that the chart's hooks run: one action, one line of output and an exit code."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from financehub_scheduler.kubernetes.client.api import ApiError, ApiUnreachableError, KubeApi
from financehub_scheduler.kubernetes.client.connection import Connection
from financehub_shared.core.clock import Clock, SystemClock
from financehub_shared.core.errors import ConfigError, FinanceHubError
from financehub_shared.core.settings import exit_on_config_error
from financehub_shared.core.text import printable

#: The field manager of everything that a hook writes.
MANAGER = "financehub"
#: How long a hook repeats its work. The Job ends after ten minutes, and Helm waits for five.
LIMIT_SECONDS = 120.0
#: Pause after a conflict. The API server itself changes a new definition a few times within a second.
CONFLICT_SECONDS = 0.25
#: Pause after an answer that says nothing about the work, or after no answer.
OUTAGE_SECONDS = 2.0


class HookRefusedError(FinanceHubError):
    """The hook must not do its work, because something in the cluster needs a decision by a user."""


async def until_done(attempt: Callable[[], Awaitable[str]], clock: Clock | None = None) -> str:
    """Repeat an attempt until it succeeds or the API server refuses it.

    A conflict, an overloaded API server and a lost answer are not refusals. After a lost answer it is unknown whether
    the API server did what it was asked, so an attempt begins by reading.

    Args:
        attempt: Reads an object and writes it.
        clock: The clock; None for the system clock.

    Returns:
        The sentence of the attempt that succeeded.

    Raises:
        ApiError: The API server refused, or had a conflict or a failure of its own for two minutes.
        ApiUnreachableError: The API server did not answer for two minutes.
    """
    clock = clock or SystemClock()
    deadline = clock.monotonic() + LIMIT_SECONDS
    while True:
        try:
            return await attempt()
        except (ApiError, ApiUnreachableError) as error:
            pause = _pause_after(error)
            remaining = deadline - clock.monotonic()
            if pause is None or remaining < pause:
                raise
            if pause == OUTAGE_SECONDS:
                sys.stderr.write(printable(f"{error}; trying again, for {remaining:.0f} s at most") + "\n")
        await clock.sleep(pause)


def _pause_after(error: ApiError | ApiUnreachableError) -> float | None:
    """Return the pause before the next attempt in seconds, or None if the API server refused."""
    if isinstance(error, ApiUnreachableError):
        return OUTAGE_SECONDS
    # Both "changed since you read it" and "already exists" have this status.
    if error.status == HTTPStatus.CONFLICT:
        return CONFLICT_SECONDS
    # An overloaded or starting API server, one that waits for etcd, or a proxy in front of it.
    if error.status == HTTPStatus.TOO_MANY_REQUESTS or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return OUTAGE_SECONDS
    return None


def run(work: Callable[[KubeApi], Awaitable[str]], failure: str) -> None:
    """Do a hook's work and print its sentence.

    The exit code is 1 if the API server refuses or does not respond, and 2 if none is configured.

    Args:
        work: The work. It returns a sentence that tells users what was done.
        failure: The beginning of the message of a failure, such as `cannot apply the definition`.
    """

    async def connected() -> str:
        api = KubeApi(await Connection.load())
        try:
            return await work(api)
        finally:
            await api.aclose()

    try:
        sys.stdout.write(f"{asyncio.run(connected())}\n")
    except ConfigError as error:
        exit_on_config_error(error)
    except (ApiError, ApiUnreachableError, HookRefusedError) as error:
        sys.exit(printable(f"{failure}: {error}"))
