"""The frame of the programs that the chart's hooks run: one action, one line of output and an exit code."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from financehub_scheduler.kubernetes.client.api import ApiError, ApiUnreachableError, KubeApi
from financehub_scheduler.kubernetes.client.connection import Connection
from financehub_shared.core.errors import ConfigError, FinanceHubError
from financehub_shared.core.settings import exit_on_config_error
from financehub_shared.core.text import printable

#: The field manager of everything that a hook writes.
MANAGER = "financehub"
#: How often a hook reads an object again that another client changed in the meantime. The API server itself changes a
#: new definition a few times within a second.
ATTEMPTS = 20
RETRY_SECONDS = 0.25


class HookRefusedError(FinanceHubError):
    """The hook must not do its work, because something in the cluster needs a decision by a user."""


async def until_unchanged(attempt: Callable[[], Awaitable[str]]) -> str:
    """Repeat an attempt that read an object and wrote it, until no other client changed the object in between.

    Args:
        attempt: Reads and writes the object. A conflict means that another client was faster.

    Returns:
        The sentence of the attempt that succeeded.

    Raises:
        ApiError: The API server refused, or each attempt had a conflict.
        ApiUnreachableError: The API server did not answer.
    """
    for last in (*[False] * (ATTEMPTS - 1), True):
        try:
            return await attempt()
        except ApiError as error:
            # Both "changed since you read it" and "already exists" have this status.
            if error.status != 409 or last:
                raise
        await asyncio.sleep(RETRY_SECONDS)
    raise AssertionError("the last attempt returns or raises")


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
