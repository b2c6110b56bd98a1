"""Looks at a busy cluster: an error is a state that may pass, until a deadline."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

import httpx
import redis

#: What a look may raise if the API server, Redis or a command does not answer, or answers with half of its text.
PASSING = (httpx.HTTPError, redis.RedisError, subprocess.SubprocessError, OSError, AssertionError, ValueError)
_RETRIED = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often one looks.

    Args:
        clock: Returns the time in seconds.
        pause: Waits for some seconds.
        poll_seconds: Seconds between two looks.
    """

    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], object] = time.sleep
    poll_seconds: float = 5.0

    def until_right(self, look: Callable[[], str], within: float) -> str:
        """Look until nothing is wrong, and return what stayed wrong at the deadline, or an empty string.

        Args:
            look: Returns what is wrong, or an empty string. It may raise an error.
            within: Seconds until the deadline. A look that has begun before it is completed.
        """
        limit, seen = self.clock() + within, ""
        while True:
            try:
                seen = look()
                if not seen:
                    return ""
                last = seen
            except PASSING as error:
                last = f"no answer within {within:g} s: {describe(error)}" + (f"; before: {seen}" if seen else "")
            if self.clock() >= limit:
                return last
            self.pause(self.poll_seconds)

    def read(self, read: Callable[[], T], within: float) -> T:
        """Return what a reading returns, which is repeated after an error that may pass.

        Args:
            read: Reads something.
            within: Seconds after which its error is raised.
        """
        limit = self.clock() + within
        while True:
            try:
                return read()
            except PASSING as error:
                if is_final(error) or self.clock() >= limit:
                    raise
            self.pause(self.poll_seconds)


def is_final(error: Exception) -> bool:
    """Whether the server has refused a request, so that the same request would be refused again."""
    if not isinstance(error, httpx.HTTPStatusError):
        return False
    return error.response.is_client_error and error.response.status_code not in _RETRIED


def guarded(name: str, step: Callable[[], T], report: Callable[[str], None]) -> T | None:
    """Return what a step returns. If it fails, report why and return None, so that the next step follows.

    Args:
        name: What the step checks.
        step: The step.
        report: Gets the finding.
    """
    try:
        return step()
    except Exception as error:  # noqa: BLE001  # whatever is wrong with one check, the others must follow
        report(f"{name}: could not be checked: {describe(error)}")
        return None


def in_order(work: Callable[[], None], end: Callable[[], None], report: Callable[[str], None]) -> None:
    """Do the work and then what belongs to its end, whether the work fails or is interrupted.

    Args:
        work: The work.
        end: Its end. A second interrupt leaves the rest of it out.
        report: Gets a finding for an error and for an interrupt.
    """
    for name, part in (("soak", work), ("end of the soak", end)):
        try:
            part()
        except KeyboardInterrupt:
            report(f"{name}: interrupted")
        except Exception as error:  # noqa: BLE001  # the report must be made in any case
            report(f"{name}: ended early: {describe(error)}")


def describe(error: BaseException) -> str:
    """Return an error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]
