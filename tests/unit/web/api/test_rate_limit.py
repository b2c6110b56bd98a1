"""Tests of the limit of requests per client."""

from hypothesis import given
from hypothesis import strategies as st

from financehub_shared.core.clock import ManualClock
from financehub_web.api.rate_limit import WINDOW_SECONDS, request_limiter
from financehub_web.http.limiter import MOST_CLIENTS


def test_client_may_use_its_requests_at_once_and_gets_them_back() -> None:
    """A client may send the requests of the window at once, and one more whenever one is available again."""
    clock = ManualClock()
    limiter = request_limiter(2, clock.monotonic)
    assert [limiter.count("a").remaining for _ in range(20)] == list(range(19, -1, -1))
    refused = limiter.count("a")
    assert (refused.is_allowed, refused.remaining, round(refused.wait_seconds, 6)) == (False, 0, 0.5)
    assert limiter.check("a") == refused
    assert [limiter.check("b").remaining for _ in range(2)] == [19, 19]
    assert limiter.count("b").is_allowed
    clock.advance(0.5)
    assert [limiter.count("a").is_allowed for _ in range(2)] == [True, False]
    clock.advance(WINDOW_SECONDS)
    assert limiter.count("a").remaining == 19


@given(st.floats(0.05, 100), st.lists(st.floats(0, 3), max_size=60))
def test_limiter_never_exceeds_the_rate_and_waits_are_true(rate: float, pauses: list[float]) -> None:
    """In any window, at most twice the limit passes; after the announced wait, the next request passes."""
    clock = ManualClock()
    limiter = request_limiter(rate, clock.monotonic)
    passed: list[float] = []
    for pause in pauses:
        clock.advance(pause)
        verdict = limiter.count("a")
        if verdict.is_allowed:
            passed.append(clock.monotonic())
        else:
            clock.advance(verdict.wait_seconds + 1e-6)
            assert limiter.count("a").is_allowed
            passed.append(clock.monotonic())
    for at in passed:
        assert sum(at - WINDOW_SECONDS < each <= at for each in passed) <= 2 * limiter.limit


def test_number_of_clients_is_bounded() -> None:
    """Many addresses take bounded memory, and the one that was silent for longest is forgotten."""
    limiter = request_limiter(0.1, ManualClock().monotonic)
    for number in range(MOST_CLIENTS + 1):
        assert limiter.count(str(number)).is_allowed
    assert limiter.count("0").is_allowed
    assert not limiter.count(str(MOST_CLIENTS)).is_allowed
