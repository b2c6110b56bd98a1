"""Guards every upstream call: first the circuit breaker, then the budget (ADR 0011). Each call is reported once."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import ProviderError

T = TypeVar("T")

#: (provider, outcome, seconds) of one call. The outcome is `ok`, the `kind` of an error, or `canceled` if the time
#: limit of the task ended the call. The seconds include the wait for Redis.
CallObserver = Callable[[str, str, float], None]


class CallBudget(Protocol):
    """The methods of `Budget` that a guard uses."""

    async def spend(self, weight: int) -> None:
        """Take `weight` units from every window.

        Raises:
            QuotaExceededError: A window is used up and nothing was taken.
        """
        ...

    async def correct(self, used: int) -> None:
        """Raise our count of the last minute to the upstream's if that is higher."""
        ...


class CallBreaker(Protocol):
    """The method of `CircuitBreaker` that a guard uses."""

    async def acall(self, send: Callable[[], Awaitable[T]]) -> T:
        """Call `send` and record the outcome.

        Raises:
            BreakerOpenError: The breaker is open and nothing was sent.
        """
        ...


class UpstreamGuard:
    """Lets one provider's calls through to its upstream if the breaker and the budget allow them.

    Args:
        provider: Name of the provider.
        budget: Rate budget of the upstream. None means no limit. Every upstream in the provider table has one.
        breaker: Circuit breaker of the upstream.
        clock: Measures the duration of calls.
        on_call: Receives the outcome of every call.
        on_end: Receives the error of every call, or None after a success.
    """

    def __init__(
        self,
        provider: str,
        budget: CallBudget | None,
        breaker: CallBreaker,
        clock: Clock,
        on_call: CallObserver,
        on_end: Callable[[ProviderError | None], None] | None = None,
    ) -> None:
        self.provider = provider
        self._budget = budget
        self._breaker = breaker
        self._clock = clock
        self._on_call = on_call
        self._on_end = on_end

    async def call(self, send: Callable[[], Awaitable[T]], weight: int = 1) -> T:
        """Make one upstream call.

        Args:
            send: Sends the request. It may raise a ProviderError.
            weight: Units that the upstream charges for the call.

        Raises:
            ProviderError: The error of the call, QuotaExceededError or BreakerOpenError. With the last two, nothing
                was sent.
        """
        started = self._clock.monotonic()
        outcome = "canceled"

        async def spend_and_send() -> T:
            if self._budget is not None:
                await self._budget.spend(weight)
            return await send()

        try:
            # The breaker comes first, so that a rejected call does not cost units. Monthly budgets are small, and spent
            # units are never returned.
            result = await self._breaker.acall(spend_and_send)
            outcome = "ok"
            if self._on_end is not None:
                self._on_end(None)
            return result
        except ProviderError as error:
            outcome = error.kind
            if self._on_end is not None:
                self._on_end(error)
            raise
        finally:
            self._on_call(self.provider, outcome, self._clock.monotonic() - started)

    async def correct(self, used: int) -> None:
        """Report the upstream's count of the last minute to the budget. Other clients may share our IP address."""
        if self._budget is not None:
            await self._budget.correct(used)
