"""A fake network for adapters: httpx's own MockTransport, and a guard that lets everything through."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx

from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import ProviderError
from financehub_shared.core.settings import Settings
from financehub_shared.providers.guard import UpstreamGuard
from financehub_shared.providers.transport.http import HttpClient

T = TypeVar("T")
Answer = Callable[[httpx.Request], httpx.Response]


class OpenBreaker:
    """A breaker that never opens and remembers what it saw."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    async def acall(self, send: Callable[[], Awaitable[T]]) -> T:
        try:
            result = await send()
        except ProviderError as error:
            self.outcomes.append(error.kind)
            raise
        self.outcomes.append("ok")
        return result


class Upstream:
    """Answers requests with `answer` and remembers them.

    Args:
        answer: request → response.
        settings: of the client.
    """

    def __init__(self, answer: Answer, **settings: object) -> None:
        self.requests: list[httpx.Request] = []
        self.clock = ManualClock()
        self.breaker = OpenBreaker()
        self.weights: list[int] = []
        self.corrected: list[int] = []
        self.observed: list[tuple[str, str]] = []

        def remember(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            answered = answer(request)
            # A stream that was not read yet, as from the network.
            return httpx.Response(
                answered.status_code, headers=answered.headers, stream=httpx.ByteStream(answered.content)
            )

        self.http = HttpClient(Settings(**settings), self.clock, httpx.MockTransport(remember))
        self.guard = UpstreamGuard("upstream", self, self.breaker, self.clock, lambda p, o, _: self.observed.append((p, o)))

    async def spend(self, weight: int) -> None:
        """The budget: unlimited."""
        self.weights.append(weight)

    async def correct(self, used: int) -> None:
        """What the upstream says we have used."""
        self.corrected.append(used)

    @property
    def deadline(self) -> float:
        """Ten seconds from now."""
        return self.clock.monotonic() + 10
