"""A fake upstream for provider tests, with httpx's MockTransport and an upstream guard that allows every call."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx

from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import ProviderError
from financehub_shared.core.settings import Settings
from financehub_shared.providers.guard import UpstreamGuard
from financehub_shared.providers.transport.http import HttpClient

T = TypeVar("T")
Respond = Callable[[httpx.Request], httpx.Response]


class RecordingBreaker:
    """A breaker that never opens and records the outcome of every call."""

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


class FakeUpstream:
    """An upstream that records its requests and responds with the result of `respond`.

    Args:
        respond: Returns the response to a request.
        settings: Settings of the HTTP client.
    """

    def __init__(self, respond: Respond, **settings: object) -> None:
        self.requests: list[httpx.Request] = []
        self.clock = ManualClock()
        self.breaker = RecordingBreaker()
        self.weights: list[int] = []
        self.corrected: list[int] = []
        self.observed: list[tuple[str, str]] = []

        def record(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            response = respond(request)
            # The stream has not been read yet, like a response from the network.
            return httpx.Response(
                response.status_code, headers=response.headers, stream=httpx.ByteStream(response.content)
            )

        self.http = HttpClient(Settings(**settings), self.clock, httpx.MockTransport(record))
        self.guard = UpstreamGuard("upstream", self, self.breaker, self.clock, self._observe)

    def _observe(self, provider: str, outcome: str, _seconds: float) -> None:
        self.observed.append((provider, outcome))

    async def spend(self, weight: int) -> None:
        """Record the weight. The budget is unlimited."""
        self.weights.append(weight)

    async def correct(self, used: int) -> None:
        """Record the used units that the upstream reports."""
        self.corrected.append(used)

    @property
    def deadline(self) -> float:
        """The deadline of a call, ten seconds from now."""
        return self.clock.monotonic() + 10
