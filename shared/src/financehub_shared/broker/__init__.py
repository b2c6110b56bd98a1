"""Dramatiq on Redis, mended: see ADR 0006 for what stock dramatiq loses and what is done about it."""

from financehub_shared.broker.dead_letter import DeadLetter, Reason
from financehub_shared.broker.dead_letters import DeadLetters, Filter
from financehub_shared.broker.janitor import Janitor
from financehub_shared.broker.queues import QueueStats, discover_queues, queue_stats
from financehub_shared.broker.redis_broker import FinanceHubBroker

__all__ = [
    "DeadLetter",
    "DeadLetters",
    "Filter",
    "FinanceHubBroker",
    "Janitor",
    "QueueStats",
    "Reason",
    "discover_queues",
    "queue_stats",
]
