"""The guard of upstream calls: breaker, then budget, then the request, and one report per call."""

import asyncio

import pytest

from financehub_shared.breaker import BreakerPolicy, BreakerRegistry, CircuitBreaker
from financehub_shared.core.errors import BreakerOpenError, ProviderTimeoutError, QuotaExceededError
from financehub_shared.providers.guard import UpstreamGuard
from support.upstream import FakeUpstream


class UsedUpBudget:
    """A budget without any units left."""

    async def spend(self, weight: int) -> None:
        raise QuotaExceededError("upstream", "used up")

    async def correct(self, used: int) -> None:
        pass


async def must_not_send() -> None:
    """Fail the test, because the guard must not send anything."""
    pytest.fail("something was sent")


async def ok() -> str:
    return "answer"


async def slow() -> None:
    raise ProviderTimeoutError("upstream", "slow")


def guard(upstream: FakeUpstream, **parts: object) -> UpstreamGuard:
    chosen = {"budget": upstream, "breaker": upstream.breaker, **parts}
    observe = lambda provider, outcome, _: upstream.observed.append((provider, outcome))  # noqa: E731 — one line is more readable
    return UpstreamGuard("upstream", chosen["budget"], chosen["breaker"], upstream.clock, observe)


@pytest.fixture
def upstream() -> FakeUpstream:
    """Return a budget, a breaker and a clock that allow every call."""
    return FakeUpstream(lambda _: pytest.fail("unexpected request"))


async def test_guard_with_a_successful_call_spends_and_reports_once(upstream: FakeUpstream):
    """The budget and the observer receive each call once."""
    assert await guard(upstream).call(ok, weight=40) == "answer"
    assert (upstream.weights, upstream.observed, upstream.breaker.outcomes) == ([40], [("upstream", "ok")], ["ok"])


async def test_guard_with_a_failed_call_reports_its_kind(upstream: FakeUpstream):
    """The kind of the error is the reported outcome, and the caller receives the error."""
    with pytest.raises(ProviderTimeoutError):
        await guard(upstream).call(slow)
    assert upstream.observed == [("upstream", "timeout")]


def real_breaker(upstream: FakeUpstream) -> CircuitBreaker:
    """Return a breaker that opens for ten seconds at the first failure."""
    policy = BreakerPolicy(minimum_calls=1, open_ms=10_000)
    return BreakerRegistry(policy, None, upstream.clock, (), random_source=lambda: 0.0).get("upstream")


async def test_guard_with_an_open_breaker_spends_nothing(upstream: FakeUpstream):
    """While the breaker is open, no unit of the budget is taken and the rejection is reported."""
    guarded = guard(upstream, breaker=real_breaker(upstream))
    with pytest.raises(ProviderTimeoutError):
        await guarded.call(slow)
    with pytest.raises(BreakerOpenError):
        await guarded.call(must_not_send)
    assert upstream.weights == [1]
    assert upstream.observed == [("upstream", "timeout"), ("upstream", "breaker-open")]


async def test_guard_with_a_used_up_budget_leaves_the_breaker_closed(upstream: FakeUpstream):
    """No matter how often the budget refuses, nothing is sent and the breaker stays closed."""
    breaker = real_breaker(upstream)
    for _ in range(10):
        with pytest.raises(QuotaExceededError):
            await guard(upstream, budget=UsedUpBudget(), breaker=breaker).call(must_not_send)
    assert await guard(upstream, breaker=breaker).call(ok) == "answer"
    assert upstream.observed == [("upstream", "quota")] * 10 + [("upstream", "ok")]


async def test_guard_with_a_refused_probe_lets_the_next_call_probe(upstream: FakeUpstream):
    """A probe that the budget refuses decides nothing and holds no lease, so the next call may probe immediately."""
    breaker = real_breaker(upstream)
    with pytest.raises(ProviderTimeoutError):
        await guard(upstream, breaker=breaker).call(slow)
    upstream.clock.advance(10)
    for _ in range(2):
        with pytest.raises(QuotaExceededError):
            await guard(upstream, budget=UsedUpBudget(), breaker=breaker).call(must_not_send)
    assert await guard(upstream, breaker=breaker).call(ok) == "answer"


async def test_guard_with_a_canceled_call_reports_canceled(upstream: FakeUpstream):
    """A call that is canceled by its task's time limit does not count as an upstream failure."""

    async def hang() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(guard(upstream).call(hang))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert upstream.observed == [("upstream", "canceled")]
