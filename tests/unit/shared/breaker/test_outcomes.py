"""What counts as a failure of an upstream."""

import asyncio

import pytest

from financehub_shared.breaker.outcomes import ERROR_MAX, report_of_error, report_of_result
from financehub_shared.breaker.states import Outcome
from financehub_shared.core import errors


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (errors.ProviderTimeoutError("p", "x"), Outcome.FAILURE),
        (errors.RateLimitedError("p", "x"), Outcome.FAILURE),
        (errors.AuthFailedError("p", "x"), Outcome.FAILURE),
        (errors.BlockedError("p", "x"), Outcome.FAILURE),
        (errors.UpstreamError("p", "x"), Outcome.FAILURE),
        (errors.MalformedError("p", "x"), Outcome.FAILURE),
        (errors.NotFoundError("p", "x"), Outcome.SUCCESS),
        (errors.StaleError("p", "x"), Outcome.SUCCESS),
        (errors.QuotaExceededError("p", "x", 5), Outcome.IGNORED),
        (errors.BreakerOpenError("p", "x", 5), Outcome.IGNORED),
        (ConnectionResetError(), Outcome.FAILURE),
        (KeyError("price"), Outcome.FAILURE),
        (asyncio.CancelledError(), Outcome.IGNORED),
        (KeyboardInterrupt(), Outcome.IGNORED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_an_exception_is_classified(error: BaseException, outcome: Outcome):
    """What is not about the upstream's health is no failure, and an interruption says nothing."""
    assert report_of_error(error).outcome is outcome


@pytest.mark.parametrize(("asked", "taken"), [(None, 0.0), (0.0, 0.0), (-3.0, 0.0), (float("inf"), 0.0), (7.5, 7.5)])
def test_retry_after_is_taken_when_it_is_a_time(asked: float | None, taken: float):
    """Only a positive, finite Retry-After reaches the breaker."""
    assert report_of_error(errors.RateLimitedError("p", "x", asked)).retry_after == taken


def test_foreign_exceptions_keep_their_text_to_themselves():
    """The text of an exception that is not ours may hold a key and is not stored; ours is cut to a line."""
    assert report_of_error(ValueError("https://host/?apikey=secret")).error == "ValueError"
    assert len(report_of_error(errors.UpstreamError("p", "x" * 1_000)).error) == ERROR_MAX


@pytest.mark.parametrize(
    ("error", "seconds", "outcome"),
    [
        (None, 1.0, Outcome.SUCCESS),
        (None, 20.1, Outcome.FAILURE),
        (errors.UpstreamError("p", "an error in the body"), 1.0, Outcome.FAILURE),
        (errors.NotFoundError("p", "no such symbol"), 1.0, Outcome.SUCCESS),
    ],
)
def test_a_result_is_classified(error: errors.ProviderError | None, seconds: float, outcome: Outcome):
    """A call that returned still fails when it was slow or its judge says so."""
    assert report_of_result(error, seconds, 20.0).outcome is outcome
