"""The sign that this machine reaches no upstream at all."""

import ssl

import httpx
import pytest
from structlog.testing import capture_logs

from financehub_shared.core.errors import (
    NO_UPSTREAM,
    BreakerOpenError,
    ConnectTimeoutError,
    NotFoundError,
    NotSentError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitedError,
    UnreachableError,
    UpstreamError,
)
from financehub_shared.providers.reach import UpstreamReach
from financehub_shared.providers.reasons import format_reasons, task_failure
from financehub_shared.providers.transport.status import error_of_exception


def lost_reach(now: list[float] | None = None) -> UpstreamReach:
    """Return the state after two upstreams were not reached."""
    clock = now or [0.0]
    reach = UpstreamReach(lambda: clock[0])
    reach.record("binance", UnreachableError("binance", "x"))
    reach.record("kraken", ConnectTimeoutError("kraken", "x"))
    return reach


def test_reach_without_any_connection_is_lost_and_logged_once() -> None:
    """Two upstreams without a connection mean that the network is the problem, and one line says so."""
    reach = UpstreamReach(lambda: 0.0)
    with capture_logs() as lines:
        reach.record("binance", UnreachableError("binance", "x"))
        assert not reach.is_lost
        for name in ("kraken", "coingecko", "binance"):
            reach.record(name, UnreachableError(name, "x"))
    assert reach.is_lost
    assert [(line["event"], line["error"]) for line in lines] == [("upstreams_unavailable", NO_UPSTREAM)]


@pytest.mark.parametrize(
    "error",
    [None, NotFoundError("yahoo", "x"), RateLimitedError("yahoo", "x"), UpstreamError("yahoo", "HTTP 500")],
    ids=["ok", "not found", "rate-limited", "server error"],
)
def test_reach_after_any_response_is_not_lost(error: ProviderError | None) -> None:
    """Any response shows that the network works, and the end of the outage is logged."""
    reach = lost_reach()
    with capture_logs() as lines:
        reach.record("yahoo", error)
        reach.record("binance", UnreachableError("binance", "x"))
        reach.record("kraken", UnreachableError("kraken", "x"))
    assert not reach.is_lost
    assert [line["event"] for line in lines] == ["upstreams_available_again"]


@pytest.mark.parametrize("error", [BreakerOpenError, QuotaExceededError, ProviderTimeoutError, NotSentError])
def test_reach_after_an_error_without_a_response_stays_lost(error: type[ProviderError]) -> None:
    """An open breaker, a used budget, a timeout and a request that cannot be sent say nothing about the network."""
    reach = lost_reach()
    reach.record("yahoo", error("yahoo", "x"))
    assert reach.is_lost


def test_reach_of_long_ago_does_not_count() -> None:
    """An upstream that was reached hours ago and is not called now does not hide a lost network."""
    now = [0.0]
    reach = UpstreamReach(lambda: now[0])
    reach.record("yahoo", None)
    for _ in range(2):
        reach.record("binance", UnreachableError("binance", "x"))
        reach.record("kraken", UnreachableError("kraken", "x"))
        assert reach.is_lost is (now[0] > 0)
        now[0] = 3_600.0


def test_error_of_exception_distinguishes_a_missing_connection() -> None:
    """A refused connection and an unknown name mean that the host was not reached. A TLS error means that it was."""
    request = httpx.Request("GET", "https://example.invalid")
    tls = httpx.ConnectError("x", request=request)
    tls.__cause__ = ssl.SSLCertVerificationError("expired")
    assert isinstance(error_of_exception("p", httpx.ConnectError("x", request=request)), UnreachableError)
    assert isinstance(error_of_exception("p", httpx.ConnectTimeout("x", request=request)), ConnectTimeoutError)
    assert not isinstance(error_of_exception("p", tls), UnreachableError)
    assert not isinstance(error_of_exception("p", httpx.ReadTimeout("x", request=request)), ConnectTimeoutError)


@pytest.mark.parametrize(
    "error",
    [
        httpx.InvalidURL("x"),
        httpx.UnsupportedProtocol("x"),
        httpx.LocalProtocolError("x"),
        httpx.ProxyError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_request_that_is_not_sent_to_the_upstream_does_not_hide_a_lost_network(
    error: httpx.HTTPError | httpx.InvalidURL,
) -> None:
    """A wrong URL or key, and a proxy without a connection, are not signs of an upstream."""
    reach = lost_reach()
    reach.record("yahoo", error_of_exception("yahoo", error))
    assert reach.is_lost


def test_task_failure_names_each_reason_once() -> None:
    """Reasons that differ only in seconds appear once, and providers with the same reason share it."""
    reasons = [f"kraken: breaker-open: a probe is allowed in {seconds}.5 s" for seconds in range(20)]
    text = str(task_failure("no quote", [*reasons, "binance: timeout: no answer"], None, None))
    assert text.count("breaker-open") == 1
    assert text.startswith("no quote: binance: timeout: no answer | kraken: breaker-open")
    assert format_reasons({"a": "timeout: x", "b": "quota: y", "c": "timeout: x"}) == "a, c: timeout: x; b: quota: y"


def test_task_failure_without_a_network_has_one_sentence() -> None:
    """If no upstream is reached, the reason of each provider adds nothing."""
    error = task_failure("no quote of 20 crypto assets", ["binance: upstream: x"], 5.0, lost_reach())
    assert str(error) == f"no quote of 20 crypto assets: {NO_UPSTREAM}"
    assert error.retry_after == 5.0
