"""Waits for conditions that other processes or threads satisfy."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.02


def eventually(
    condition: Callable[[], T],
    description: str = "the condition holds",
    within: float = 90.0,
    *,
    poll_seconds: float = _POLL_SECONDS,
    ignored: type[Exception] | tuple[type[Exception], ...] = (),
) -> T:
    """Wait until a condition holds, and return its value.

    The default timeout also covers the start of a process. On a busy machine, a dozen processes that start together
    take half a minute to import their modules.

    Args:
        condition: Returns a true value if it holds.
        description: Description of the condition, for the error message.
        within: Timeout in seconds.
        poll_seconds: Seconds between two checks.
        ignored: Exceptions that mean that the condition does not hold yet.

    Raises:
        AssertionError: The condition does not hold at the timeout. The message contains the last value.
    """
    deadline = time.monotonic() + within
    while True:
        value: object
        try:
            if value := condition():
                return value
        except ignored as error:
            value = error
        assert time.monotonic() < deadline, f"not within {within:g} s: {description}; the last value was {value!r}"
        time.sleep(poll_seconds)


async def eventually_async(
    condition: Callable[[], object], description: str = "the condition holds", within: float = 60.0
) -> None:
    """Wait until a condition holds without blocking the event loop.

    Args:
        condition: Returns a true value if it holds.
        description: Description of the condition, for the error message.
        within: Timeout in seconds.

    Raises:
        AssertionError: The condition does not hold at the timeout.
    """
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within:g} s: {description}"
        await asyncio.sleep(_POLL_SECONDS)
