"""The order of a process's middleware."""

import pytest

from financehub_shared.core.clock import SystemClock
from financehub_shared.core.settings import load_settings
from financehub_shared.metrics import Metrics
from financehub_shared.worker.observers import build_observers
from financehub_shared.worker.pipeline import build_middleware

OBSERVERS = [
    "AttemptTracker",
    "RunLog",
    "RunMetrics",
    "RunRecorder",
    "WorkerHeartbeat",
    "Liveness",
    "RedisWatchMiddleware",
    "HealthServerMiddleware",
]
MESSAGES = [
    "CorrelationId",
    "ReadyAt",
    "CurrentMessage",
    "DeliveryLimit",
    "AgeLimit",
    "Callbacks",
    "Pipelines",
    "Retries",
    "FailureHistory",
    "TimeLimit",
    "ShutdownNotifications",
]
STOP = ["RequeueOnShutdown", "ShutdownSignals"]


class Providers:
    """Fake providers for which closing does nothing."""

    async def aclose(self) -> None:
        """Do nothing."""


def names(*, worker: bool) -> list[str]:
    """Return the class names of the middleware in a worker with providers or in an enqueue-only process."""
    settings, clock = load_settings({}), SystemClock()
    if worker:
        observers = build_observers(settings, "high", Metrics("high"))
        middleware = build_middleware(settings, clock, tier="high", observers=observers, providers=Providers())
    else:
        middleware = build_middleware(settings, clock)
    return [type(one).__name__ for one in middleware]


def test_middleware_of_a_worker_is_in_the_documented_order() -> None:
    """A worker's middleware list has exactly these elements in this order."""
    expected = [*OBSERVERS, *MESSAGES, "WorkerTuning", "ServerTime", "DaemonEventLoop", "ProviderShutdown", *STOP]
    assert names(worker=True) == expected


def test_middleware_of_an_enqueuing_process_has_neither_observers_nor_providers() -> None:
    """In an enqueue-only process, the list lacks the observers and the middleware that shuts down providers."""
    assert names(worker=False) == [*MESSAGES, "WorkerTuning", "ServerTime", "DaemonEventLoop", *STOP]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        pytest.param("AttemptTracker", "RunLog", id="observers query the tracker"),
        pytest.param("RunLog", "RunRecorder", id="log lines of other observers have the context of the run"),
        pytest.param("HealthServerMiddleware", "CorrelationId", id="observers see skipped messages and final outcomes"),
        pytest.param("RunRecorder", "Retries", id="the recorder sees whether a retry follows"),
        pytest.param("CurrentMessage", "Callbacks", id="enqueued callbacks inherit the correlation id"),
        pytest.param("DeliveryLimit", "AgeLimit", id="a message that kills workers is not skipped as too old"),
        pytest.param("Callbacks", "Retries", id="callbacks follow the decision on a retry"),
        pytest.param("Pipelines", "Retries", id="pipelines follow the decision on a retry"),
        pytest.param("Retries", "FailureHistory", id="a retry carries the history of its failures"),
        pytest.param("FailureHistory", "TimeLimit", id="an interrupt does not hit the bookkeeping"),
        pytest.param("DaemonEventLoop", "ProviderShutdown", id="providers are closed in the running event loop"),
        pytest.param("ProviderShutdown", "RequeueOnShutdown", id="requeueing does not wait for the providers"),
    ],
)
def test_middleware_keeps_an_order_that_matters(earlier: str, later: str) -> None:
    """`before` hooks run down the list and `after` hooks run up, so each of these pairs must keep its order."""
    order = names(worker=True)
    assert order.index(earlier) < order.index(later)
