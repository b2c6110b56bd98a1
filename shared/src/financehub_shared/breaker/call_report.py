"""Classifies completed calls by what an exception or a result shows about the upstream's health."""

import math
from dataclasses import dataclass

from financehub_shared.breaker.model import CallOutcome
from financehub_shared.core.errors import BreakerOpenError, ProviderError, QuotaExceededError

#: Maximum number of characters that Redis keeps of an error.
ERROR_MAX = 200


@dataclass(frozen=True, slots=True)
class CallReport:
    """The facts about a completed call that a breaker needs.

    Args:
        outcome: What the call shows about the upstream's health.
        error: Description of the failure for operators, without secrets.
        retry_after: Seconds for which the upstream asked not to be called; 0 if it did not specify any.
    """

    outcome: CallOutcome
    error: str = ""
    retry_after: float = 0.0


SUCCESS = CallReport(CallOutcome.SUCCESS)
IGNORED = CallReport(CallOutcome.IGNORED)


def report_of_error(error: BaseException) -> CallReport:
    """Classify an exception that a call raised.

    A ProviderError's `trips_breaker` attribute says whether the error concerns the upstream's health. An error that
    does not, such as not-found, shows that the upstream responds, unless nothing was sent (quota). Any other Exception
    is a failure, either of the upstream or of code that does not understand its response. Exceptions that do not derive
    from Exception (cancellation, a time limit, process exit) show nothing.
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
        # Its message is not kept, because a library's exception may quote a URL with a key.
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
