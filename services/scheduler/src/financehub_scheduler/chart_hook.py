"""The frame of the programs that the chart's hooks run: one action, one line of output and an exit code."""

import asyncio
import signal
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
#: No attempt begins later than this. All pods of the Job (`backoffLimit`) have to end within the five minutes for which
#: Helm waits, because its message then contains the reason.
LIMIT_SECONDS = 45.0
#: Pause after a conflict. The API server itself changes a new definition a few times within a second.
CONFLICT_SECONDS = 0.25
#: Pause after a temporary error of the API server, or after no answer.
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
        ApiError: The API server refused, or answered with conflicts or server errors until the limit.
        ApiUnreachableError: The API server did not answer until the limit.
    """
    clock = clock or SystemClock()
    deadline = clock.monotonic() + LIMIT_SECONDS
    was_unavailable = False
    while True:
        try:
            return await attempt()
        except (ApiError, ApiUnreachableError) as error:
            status = error.status if isinstance(error, ApiError) else None
            # Kubernetes answers with this status if an object changed since it was read, and if it exists already.
            is_conflict = status == HTTPStatus.CONFLICT
            pause = CONFLICT_SECONDS if is_conflict else OUTAGE_SECONDS
            was_unavailable = was_unavailable or _is_unavailable(status)
            # For some seconds after its start, an API server does not know all accounts and roles.
            may_be_starting = was_unavailable and status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
            is_temporary = is_conflict or _is_unavailable(status) or may_be_starting
            if not is_temporary or clock.monotonic() + pause > deadline:
                raise
            if not is_conflict:
                sys.stderr.write(printable(f"{error}; the next attempt follows in {pause:g} s") + "\n")
        await clock.sleep(pause)


def _is_unavailable(status: int | None) -> bool:
    """Whether the API server, or a proxy in front of it, gave no answer or one that only says that it cannot work now.

    Args:
        status: HTTP status; None for no answer.
    """
    return status is None or status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


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

    # The first process of a container ignores this signal unless there is a handler.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        sys.stdout.write(f"{asyncio.run(connected())}\n")
    except ConfigError as error:
        exit_on_config_error(error)
    except (ApiError, ApiUnreachableError, HookRefusedError) as error:
        sys.exit(printable(f"{failure}: {error}"))
