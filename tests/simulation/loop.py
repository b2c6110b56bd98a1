"""An event loop whose time is simulated. It never waits: when nothing is ready, it returns to the simulation."""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any


class _Selector(selectors.SelectSelector):
    """Ends the loop instead of waiting, and notes for how long the loop would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.stop: Callable[[], None] = lambda: None
        self.wait: float | None = None

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None or timeout > 0:
            self.wait = timeout
            self.stop()
        return []


class SimLoop(asyncio.SelectorEventLoop):
    """The event loop of one simulated process.

    Args:
        clock: Returns the monotonic time of the process in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._monotonic = clock
        self._idle = _Selector()
        super().__init__(self._idle)
        self._idle.stop = self.stop
        self.failures: list[BaseException] = []
        self.set_exception_handler(lambda _, context: self._failed(context))

    def time(self) -> float:
        return self._monotonic()

    def _failed(self, context: dict[str, Any]) -> None:
        if error := context.get("exception"):
            self.failures.append(error)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Call the function at once. A thread would make the order of steps depend on the machine."""
        future = self.create_future()
        future.set_result(func(*args))
        return future

    def run_until_idle(self) -> float | None:
        """Run everything that is ready. Return the seconds until the next timer; None if there is none."""
        self._idle.wait = None
        self.run_forever()
        return self._idle.wait
