"""The way of every upstream call, and what is told of it."""

import asyncio

import pytest

from financehub_shared.errors import BreakerOpenError, ProviderTimeoutError, QuotaExceededError
from financehub_shared.providers.guard import Guard
from support.upstream import OpenBreaker, Upstream


class Refusing:
    """A budget or breaker that lets nothing through."""

    async def spend(self, weight: int) -> None:
        raise QuotaExceededError("upstream", "used up")

    async def correct(self, used: int) -> None:
        pass

    async def acall(self, send: object) -> None:
        raise BreakerOpenError("upstream", "open")


async def never() -> None:
    pytest.fail("something was sent")


async def ok() -> str:
    return "answer"


async def slow() -> None:
    raise ProviderTimeoutError("upstream", "slow")


def guard(upstream: Upstream, **parts: object) -> Guard:
    chosen = {"budget": upstream, "breaker": upstream.breaker, **parts}
    observe = lambda provider, outcome, _: upstream.observed.append((provider, outcome))  # noqa: E731 — one line reads best
    return Guard("upstream", chosen["budget"], chosen["breaker"], upstream.clock, observe)


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


async def test_nothing_is_sent_and_no_breaker_asked_without_budget(upstream: Upstream):
    """The budget comes first: a probe must not be leased for a call that cannot be made."""
    breaker = OpenBreaker()
    with pytest.raises(QuotaExceededError):
        await guard(upstream, budget=Refusing(), breaker=breaker).call(never)
    assert (upstream.observed, breaker.outcomes) == ([("upstream", "quota")], [])


async def test_nothing_is_sent_through_an_open_breaker(upstream: Upstream):
    """A rejection is observed too."""
    with pytest.raises(BreakerOpenError):
        await guard(upstream, breaker=Refusing()).call(never)
    assert upstream.observed == [("upstream", "breaker-open")]


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
