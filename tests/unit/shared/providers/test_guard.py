"""The way of every upstream call, and what is told of it."""

import asyncio

import pytest

from financehub_shared.breaker import BreakerRegistry, CircuitBreaker, Policy
from financehub_shared.core.errors import BreakerOpenError, ProviderTimeoutError, QuotaExceededError
from financehub_shared.providers.guard import UpstreamGuard
from support.upstream import Upstream


class Refusing:
    """A budget that is used up."""

    async def spend(self, weight: int) -> None:
        raise QuotaExceededError("upstream", "used up")

    async def correct(self, used: int) -> None:
        pass


async def never() -> None:
    pytest.fail("something was sent")


async def ok() -> str:
    return "answer"


async def slow() -> None:
    raise ProviderTimeoutError("upstream", "slow")


def guard(upstream: Upstream, **parts: object) -> UpstreamGuard:
    chosen = {"budget": upstream, "breaker": upstream.breaker, **parts}
    observe = lambda provider, outcome, _: upstream.observed.append((provider, outcome))  # noqa: E731 — one line reads best
    return UpstreamGuard("upstream", chosen["budget"], chosen["breaker"], upstream.clock, observe)


@pytest.fixture
def upstream() -> Upstream:
    """Budget, breaker and clock that let everything through."""
    return Upstream(lambda _: pytest.fail("no request is due"))


async def test_a_call_spends_its_weight_and_is_observed_once(upstream: Upstream):
    """Budget and metrics see each call once."""
    assert await guard(upstream).call(ok, weight=40) == "answer"
    assert (upstream.weights, upstream.observed, upstream.breaker.outcomes) == ([40], [("upstream", "ok")], ["ok"])


async def test_a_failure_is_observed_by_its_kind(upstream: Upstream):
    """The error's kind is the outcome, and it is what the caller gets."""
    with pytest.raises(ProviderTimeoutError):
        await guard(upstream).call(slow)
    assert upstream.observed == [("upstream", "timeout")]


def real_breaker(upstream: Upstream) -> CircuitBreaker:
    """One that opens at the first failure, for ten seconds."""
    policy = Policy(minimum_calls=1, open_ms=10_000)
    return BreakerRegistry(policy, None, upstream.clock, (), luck=lambda: 0.0).get("upstream")


async def test_an_open_breaker_spends_nothing(upstream: Upstream):
    """While the breaker is open no unit of the budget is taken, and the rejection is observed."""
    guarded = guard(upstream, breaker=real_breaker(upstream))
    with pytest.raises(ProviderTimeoutError):
        await guarded.call(slow)
    with pytest.raises(BreakerOpenError):
        await guarded.call(never)
    assert upstream.weights == [1]
    assert upstream.observed == [("upstream", "timeout"), ("upstream", "breaker-open")]


async def test_a_budget_that_is_used_up_says_nothing_of_the_upstream(upstream: Upstream):
    """However often the budget refuses, nothing is sent and the breaker stays closed."""
    breaker = real_breaker(upstream)
    for _ in range(10):
        with pytest.raises(QuotaExceededError):
            await guard(upstream, budget=Refusing(), breaker=breaker).call(never)
    assert await guard(upstream, breaker=breaker).call(ok) == "answer"
    assert upstream.observed == [("upstream", "quota")] * 10 + [("upstream", "ok")]


async def test_a_probe_that_the_budget_refuses_leaves_room_for_the_next(upstream: Upstream):
    """A probe without budget decides nothing and keeps no lease: the next call probes at once."""
    breaker = real_breaker(upstream)
    with pytest.raises(ProviderTimeoutError):
        await guard(upstream, breaker=breaker).call(slow)
    upstream.clock.advance(10)
    for _ in range(2):
        with pytest.raises(QuotaExceededError):
            await guard(upstream, budget=Refusing(), breaker=breaker).call(never)
    assert await guard(upstream, breaker=breaker).call(ok) == "answer"


async def test_a_cancelled_call_is_observed_as_such(upstream: Upstream):
    """A time limit of the task is no failure of the upstream."""

    async def hang() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(guard(upstream).call(hang))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert upstream.observed == [("upstream", "cancelled")]
