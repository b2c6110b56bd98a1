"""The classification of finished calls."""

import asyncio

import pytest

from financehub_shared.breaker.call_report import ERROR_MAX, report_of_error, report_of_result
from financehub_shared.breaker.model import CallOutcome
from financehub_shared.core import errors


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (errors.ProviderTimeoutError("p", "x"), CallOutcome.FAILURE),
        (errors.RateLimitedError("p", "x"), CallOutcome.FAILURE),
        (errors.AuthFailedError("p", "x"), CallOutcome.FAILURE),
        (errors.BlockedError("p", "x"), CallOutcome.FAILURE),
        (errors.UpstreamError("p", "x"), CallOutcome.FAILURE),
        (errors.MalformedError("p", "x"), CallOutcome.FAILURE),
        (errors.NotFoundError("p", "x"), CallOutcome.SUCCESS),
        (errors.StaleError("p", "x"), CallOutcome.SUCCESS),
        (errors.QuotaExceededError("p", "x", 5), CallOutcome.IGNORED),
        (errors.BreakerOpenError("p", "x", 5), CallOutcome.IGNORED),
        (ConnectionResetError(), CallOutcome.FAILURE),
        (KeyError("price"), CallOutcome.FAILURE),
        (asyncio.CancelledError(), CallOutcome.IGNORED),
        (KeyboardInterrupt(), CallOutcome.IGNORED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_report_of_error_classifies_the_exception(error: BaseException, outcome: CallOutcome):
    """An error unrelated to the upstream's health is not a failure, and an interruption is inconclusive."""
    assert report_of_error(error).outcome is outcome


@pytest.mark.parametrize(("asked", "taken"), [(None, 0.0), (0.0, 0.0), (-3.0, 0.0), (float("inf"), 0.0), (7.5, 7.5)])
def test_report_of_error_with_retry_after_keeps_only_positive_finite_times(asked: float | None, taken: float):
    """Only a positive and finite Retry-After reaches the breaker."""
    assert report_of_error(errors.RateLimitedError("p", "x", asked)).retry_after == taken


def test_report_of_error_with_a_foreign_exception_omits_its_text():
    """A foreign exception's text is not stored, because it may contain a key, and our exceptions' text is truncated."""
    assert report_of_error(ValueError("https://host/?apikey=secret")).error == "ValueError"
    assert len(report_of_error(errors.UpstreamError("p", "x" * 1_000)).error) == ERROR_MAX


@pytest.mark.parametrize(
    ("error", "seconds", "outcome"),
    [
        (None, 1.0, CallOutcome.SUCCESS),
        (None, 20.1, CallOutcome.FAILURE),
        (errors.UpstreamError("p", "an error in the body"), 1.0, CallOutcome.FAILURE),
        (errors.NotFoundError("p", "no such symbol"), 1.0, CallOutcome.SUCCESS),
    ],
)
def test_report_of_result_with_a_slow_or_bad_result_is_a_failure(
    error: errors.ProviderError | None, seconds: float, outcome: CallOutcome
):
    """A call that returned counts as a failure if it was slow or if its judge found an error that trips the breaker."""
    assert report_of_result(error, seconds, 20.0).outcome is outcome
