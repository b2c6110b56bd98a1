"""A process's dramatiq middleware: one list, in order, with the reason for each position.

Dramatiq runs the `before_…` hooks down the list and the `after_…` hooks up the list.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dramatiq import Middleware
from dramatiq.middleware import CurrentMessage, ShutdownNotifications, TimeLimit

from financehub_shared.core.catalog import Tier
from financehub_shared.core.clock import Clock
from financehub_shared.core.settings import Settings
from financehub_shared.logging import Redactor, known_secrets
from financehub_shared.worker.middleware.follow_ups import Callbacks, Pipelines
from financehub_shared.worker.middleware.history import FailureHistory
from financehub_shared.worker.middleware.limits import AgeLimit, DeliveryLimit
from financehub_shared.worker.middleware.process import (
    AsyncCloseable,
    ProviderShutdown,
    RequeueOnShutdown,
    WorkerTuning,
)
from financehub_shared.worker.middleware.redis_watch import ServerTime
from financehub_shared.worker.middleware.retries import Retries
from financehub_shared.worker.middleware.shutdown import DaemonEventLoop, ShutdownSignals
from financehub_shared.worker.middleware.stamps import CorrelationId, ReadyAt

#: Longest wait in ms between two polls of an idle queue. The high tier promises a start within a fraction of a second;
#: the tasks of the other tiers are minutes apart, and longer waits reduce the load on Redis.
POLL_MS: Mapping[str, int] = {Tier.HIGH: 100}
DEFAULT_POLL_MS = 1_000


@dataclass(frozen=True, slots=True)
class Observers:
    """The middleware that observes a worker. `observers.build_observers` creates it.

    The types are general, so that a process that only enqueues does not import health, metrics and monitor.
    """

    attempts: Middleware
    run_log: Middleware
    run_metrics: Middleware
    run_recorder: Middleware
    heartbeat: Middleware
    liveness: Middleware
    redis_watch: Middleware
    health_server: Middleware


def build_middleware(
    settings: Settings,
    clock: Clock,
    *,
    tier: str = "",
    observers: Observers | None = None,
    providers: AsyncCloseable | None = None,
) -> list[Middleware]:
    """Build a process's complete middleware, in order.

    Args:
        settings: Limits and retries.
        clock: Clock for timestamps and ages.
        tier: Tier of the worker; empty for a process that only enqueues.
        observers: Observers of a worker; None for a process that only enqueues.
        providers: Providers that the worker closes when it stops, if it has any.
    """
    redact = Redactor(known_secrets(settings))
    return [
        *_observers(observers),
        # CorrelationId and ReadyAt stamp messages at `before_enqueue`; nothing above them changes these options.
        CorrelationId(),
        ReadyAt(clock),
        # Before the middleware below, so that every message they enqueue inherits the current message's correlation id.
        CurrentMessage(),
        # Before any further work on the message, which might kill the process again.
        DeliveryLimit(settings.max_deliveries),
        # After DeliveryLimit: a message that kills workers must not escape as merely too old.
        AgeLimit(clock),
        # Callbacks and Pipelines act on success. On the way up, they run after Retries, which may fail the message.
        Callbacks(redact),
        Pipelines(),
        # Runs after FailureHistory on the way up, because it copies the message with its history into the retry.
        Retries(
            max_retries=settings.dramatiq_max_retries,
            min_backoff=round(settings.retry_min_seconds * 1000),
            max_backoff=round(settings.retry_max_seconds * 1000),
            exponential=settings.dramatiq_retry_backoff,
            redact=redact,
        ),
        FailureHistory(clock, redact),
        # Armed last and disarmed first, so that an interrupt hits the task and never the middleware above.
        TimeLimit(time_limit=settings.dramatiq_task_timeout),
        ShutdownNotifications(),
        WorkerTuning(POLL_MS.get(tier, DEFAULT_POLL_MS)),
        ServerTime(clock),
        # Starts the event loop. On the way up, it stops the loop after the two below, which may still need it.
        DaemonEventLoop(),
        # Runs just before AsyncIO on the way up, because the providers are closed in the event loop.
        *([ProviderShutdown(providers)] if providers is not None else []),
        # Runs first on the way up at the end of a shutdown, because requeueing must not wait for anything.
        RequeueOnShutdown(),
        # Handles signals from the first hook of a process on, which runs up the list. It has no other hook.
        ShutdownSignals(),
    ]


def _observers(observers: Observers | None) -> list[Middleware]:
    """Return the observers in order.

    They come before all other middleware. They therefore see every message first, including skipped ones, and see its
    end last, when Retries has decided its outcome and no time limit can interrupt them.
    """
    if observers is None:
        return []
    return [
        # Before the other observers, which query it for the current attempt.
        observers.attempts,
        # Before everything that may log, so that its context is on all of those lines.
        observers.run_log,
        observers.run_metrics,
        # After the metrics, whose durations then exclude the write to Redis.
        observers.run_recorder,
        # The last four act on the process only, and their order does not matter.
        observers.heartbeat,
        observers.liveness,
        observers.redis_watch,
        observers.health_server,
    ]
