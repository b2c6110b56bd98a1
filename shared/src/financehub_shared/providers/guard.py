"""The way of every upstream call: breaker, then budget, then HTTP (ADR 0011); each call is observed once."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import ProviderError

T = TypeVar("T")

#: (provider, outcome, seconds): outcome is `ok` or an error's `kind`; seconds include waiting for Redis.
Observe = Callable[[str, str, float], None]


class Budget(Protocol):
    """The rate budgets of one upstream, shared by all pods."""

    async def spend(self, weight: int) -> None:
        """Take `weight` units from every window.

        Raises:
            QuotaExceededError: a window is used up; nothing was taken.
        """
        ...

    async def correct(self, used: int) -> None:
        """Take over what the upstream has counted in the last minute, where that is more than ours."""
        ...


class Breaker(Protocol):
    """The circuit breaker of one upstream, shared by all pods."""

    async def acall(self, send: Callable[[], Awaitable[T]]) -> T:
        """Send and count the outcome.

        Raises:
            BreakerOpenError: nothing was sent.
        """
        ...


class Guard:
    """What stands between one adapter and its upstream.

    Args:
        provider: the adapter's name.
        budget: its rate budgets; None where the upstream has no limit.
        breaker: its circuit breaker.
        clock: for the seconds a call took.
        observe: told of every call.
    """

    def __init__(self, provider: str, budget: Budget | None, breaker: Breaker, clock: Clock, observe: Observe) -> None:
        self.provider = provider
        self._budget = budget
        self._breaker = breaker
        self._clock = clock
        self._observe = observe

    async def call(self, send: Callable[[], Awaitable[T]], weight: int = 1) -> T:
        """One upstream call.

        Args:
            send: does the request; raises ProviderError.
            weight: what the upstream charges for it.

        Raises:
            ProviderError: the call's own, QuotaExceededError or BreakerOpenError; nothing was sent for the last two.
        """
        started = self._clock.monotonic()
        outcome = "cancelled"

        async def spend_and_send() -> T:
            if self._budget is not None:
                await self._budget.spend(weight)
            return await send()

        try:
            # A rejected call must cost no unit: a month's budget is small, and what is spent is never given back.
            result = await self._breaker.acall(spend_and_send)
            outcome = "ok"
            return result
        except ProviderError as error:
            outcome = error.kind
            raise
        finally:
            self._observe(self.provider, outcome, self._clock.monotonic() - started)

    async def correct(self, used: int) -> None:
        """Tell the budget what the upstream says we have used in the last minute; others may share our address."""
        if self._budget is not None:
            await self._budget.correct(used)
