"""Classifies ended calls: what an exception or a result shows about the health of the upstream."""

import math
from dataclasses import dataclass

from financehub_shared.breaker.model import CallOutcome
from financehub_shared.core.errors import BreakerOpenError, ProviderError, QuotaExceededError

#: Maximum number of characters of an error that are kept in Redis.
ERROR_MAX = 200


@dataclass(frozen=True, slots=True)
class CallReport:
    """The facts about an ended call that a breaker needs.

    Args:
        outcome: Evidence of the call about the health of the upstream.
        error: Failure, for operators, without secrets.
        retry_after: Seconds for which the upstream requests no calls; 0 if it named none.
    """

    outcome: CallOutcome
    error: str = ""
    retry_after: float = 0.0


SUCCESS = CallReport(CallOutcome.SUCCESS)
IGNORED = CallReport(CallOutcome.IGNORED)


def report_of_error(error: BaseException) -> CallReport:
    """Classify the exception of a call.

    The attribute `trips_breaker` of a ProviderError says whether the error concerns the health of the upstream. One
    that does not, such as not-found, shows that the upstream answers, unless nothing was sent (quota). Any other
    Exception is a failure, either of the upstream or of code that does not understand its answer. Other exceptions
    (cancellation, a time limit, the end of the process) show nothing.
    """
    if isinstance(error, QuotaExceededError | BreakerOpenError):
        return IGNORED
    if isinstance(error, ProviderError):
        if not error.trips_breaker:
            return SUCCESS
        seconds = error.retry_after or 0.0
        retry_after = seconds if math.isfinite(seconds) and seconds > 0 else 0.0
        return CallReport(CallOutcome.FAILURE, str(error)[:ERROR_MAX], retry_after)
    if isinstance(error, Exception):
        # Its text is not kept, because a foreign exception may quote a URL with a key.
        return CallReport(CallOutcome.FAILURE, type(error).__name__)
    return IGNORED


def report_of_result(error: ProviderError | None, seconds: float, slow_seconds: float) -> CallReport:
    """Classify a call that returned a result.

    Args:
        error: Error that the caller's judge found in the result, or None if the result is good.
        seconds: Duration of the call.
        slow_seconds: Duration above which the call counts as failed.
    """
    if error is not None:
        return report_of_error(error)
    if seconds > slow_seconds:
        problem = f"slow: an answer after {seconds:.1f} s, more than {slow_seconds:.1f} s"
        return CallReport(CallOutcome.FAILURE, problem)
    return SUCCESS
