"""What a call that ended says about its upstream: exceptions and results, classified."""

import math
from dataclasses import dataclass

from financehub_shared.breaker.states import Outcome
from financehub_shared.core.errors import BreakerOpenError, ProviderError, QuotaExceededError

#: Characters of an error that are kept in Redis.
ERROR_MAX = 200


@dataclass(frozen=True, slots=True)
class Report:
    """One call, as the breaker sees it.

    Args:
        outcome: success, failure, or nothing.
        error: the failure, for people; free of secrets.
        retry_after: seconds the upstream asks us to stay away; 0: it did not say.
    """

    outcome: Outcome
    error: str = ""
    retry_after: float = 0.0


SUCCESS = Report(Outcome.SUCCESS)
IGNORED = Report(Outcome.IGNORED)


def report_of_error(error: BaseException) -> Report:
    """Classify what a call raised.

    A ProviderError says itself whether it is about the upstream's health (`trips_breaker`); one that is not, such as
    not-found, shows that the upstream answers, unless nothing was sent (quota). Another Exception is a failure: of the
    upstream, or of code that does not understand its answer. What is no Exception (cancellation, a time limit, the end
    of the process) says nothing.
    """
    if isinstance(error, QuotaExceededError | BreakerOpenError):
        return IGNORED
    if isinstance(error, ProviderError):
        if not error.trips_breaker:
            return SUCCESS
        asked = error.retry_after or 0.0
        return Report(Outcome.FAILURE, str(error)[:ERROR_MAX], asked if math.isfinite(asked) and asked > 0 else 0.0)
    if isinstance(error, Exception):
        # not its text: a foreign exception may quote a URL with a key
        return Report(Outcome.FAILURE, type(error).__name__)
    return IGNORED


def report_of_result(error: ProviderError | None, seconds: float, slow_seconds: float) -> Report:
    """Classify a call that returned.

    Args:
        error: what the caller's judge made of the result; None: it is good.
        seconds: how long the call took.
        slow_seconds: from there on it counts as failed.
    """
    if error is not None:
        return report_of_error(error)
    if seconds > slow_seconds:
        return Report(Outcome.FAILURE, f"slow: an answer after {seconds:.1f} s, more than {slow_seconds:.1f} s")
    return SUCCESS
