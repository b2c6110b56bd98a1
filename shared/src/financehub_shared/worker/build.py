"""The one place where the broker of a process is put together."""

from collections.abc import Mapping, Sequence

import dramatiq
import redis
from dramatiq.middleware import AsyncIO, Callbacks, CurrentMessage, Pipelines, ShutdownNotifications, TimeLimit

from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.catalog import Tier
from financehub_shared.core.clock import Clock, SystemClock
from financehub_shared.core.settings import Settings
from financehub_shared.logging import Redactor, known_secrets
from financehub_shared.redis.client import connect
from financehub_shared.worker.middleware.history import FailureHistory
from financehub_shared.worker.middleware.limits import AgeLimit, DeliveryLimit
from financehub_shared.worker.middleware.process import HandBack, WorkerTuning
from financehub_shared.worker.middleware.results import results
from financehub_shared.worker.middleware.retries import Retries
from financehub_shared.worker.middleware.stamps import CorrelationId, ReadyAt

#: Longest wait between two polls of an idle queue, ms. High promises a start within a fraction of a second; the others
#: serve tasks that are minutes apart and spare Redis.
POLL_MS: Mapping[str, int] = {Tier.HIGH: 100}
DEFAULT_POLL_MS = 1_000


def build_broker(
    settings: Settings,
    *,
    tier: str = "",
    observers: Sequence[dramatiq.Middleware] = (),
    clock: Clock | None = None,
    client: "redis.Redis | None" = None,
) -> FinanceHubBroker:
    """Build the broker; nothing is opened before it is used. A worker passes it to `dramatiq.set_broker`.

    Args:
        settings: limits, retries, retention and the Redis of the queues.
        tier: whose worker it is (`high`, …); a user may add one; empty for a process that only enqueues.
        observers: monitor, metrics, logs, health: they see every message, skipped ones too, first on its way in and
            last on its way out, when it is decided whether it is retried or dead.
        clock: what stamps and ages are measured by.
        client: another connection than `settings.broker_url`, made with `retries=0`.
    """
    clock = clock or SystemClock()
    middleware: list[dramatiq.Middleware] = [
        # `before_…` runs down this list, `after_…` runs up.
        *observers,  # first in, last out: log context around everything, outcomes final
        CorrelationId(),  # stamps what is enqueued; reads the current message
        ReadyAt(clock),  # likewise
        CurrentMessage(),  # before whatever may enqueue
        DeliveryLimit(settings.max_deliveries),  # before anything else about the message can kill the process
        AgeLimit(clock),  # after the limit that must not be dodged by age
        Callbacks(),  # dramatiq's default; after Retries has decided (upwards)
        Pipelines(),  # dramatiq's default; likewise
        results(),  # lets actors return their summary; order is of no matter
        Retries(
            max_retries=settings.dramatiq_max_retries,
            min_backoff=round(settings.retry_min_seconds * 1000),
            max_backoff=round(settings.retry_max_seconds * 1000),
            exponential=settings.dramatiq_retry_backoff,
        ),  # after the history is written (upwards), since it copies the message
        FailureHistory(clock, Redactor(known_secrets(settings))),
        # Armed last and disarmed first, so that an interrupt hits the task and never the bookkeeping above.
        TimeLimit(time_limit=settings.dramatiq_task_timeout),
        ShutdownNotifications(),
        WorkerTuning(POLL_MS.get(tier, DEFAULT_POLL_MS)),
        AsyncIO(),  # its loop stops after HandBack (upwards)
        HandBack(),  # first to know of a shutdown's end
    ]
    return FinanceHubBroker(
        # no hidden retries: a script must not run twice unseen
        client=client or connect(settings.broker_url, retries=0),
        middleware=middleware,
    )
