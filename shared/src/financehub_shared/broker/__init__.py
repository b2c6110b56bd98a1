"""Dramatiq on Redis, with fixes: ADR 0006 lists what stock dramatiq loses and how this package prevents it."""

from financehub_shared.broker.dead_letter import DeadLetter
from financehub_shared.broker.dead_letter_queue import DeadLetterFilter, DeadLetterQueue
from financehub_shared.broker.dead_letter_reason import DeadLetterReason
from financehub_shared.broker.janitor import Janitor
from financehub_shared.broker.queues import QueueStats, discover_queues, queue_stats
from financehub_shared.broker.redis_broker import FinanceHubBroker

__all__ = [
    "DeadLetter",
    "DeadLetterFilter",
    "DeadLetterQueue",
    "DeadLetterReason",
    "FinanceHubBroker",
    "Janitor",
    "QueueStats",
    "discover_queues",
    "queue_stats",
]
