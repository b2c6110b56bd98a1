"""Compares the check of a message that a worker fetched with dramatiq's decoding of the same message."""

import json
import statistics
import time
from collections.abc import Callable

from dramatiq import Message

from bench.rows import Row
from financehub_shared.broker.door import read_message

MESSAGES = 20_000
ROUNDS = 7
#: Microseconds that a message may cost more than dramatiq's decoding.
GOAL = 20.0
_OPTIONS = {
    "redis_message_id": "3b0d5f0e-5ad5-5e7c-9d5c-0d9a9f6d9a10",
    "max_age": 240_000,
    "time_limit": 110_000,
    "schedule": "default/quotes",
    "schedule_uid": "5d1c1a64-8a63-5a0e-9b0a-1f0e6b7d2c11",
    "due_at": 1_796_000_040_000,
    "ready_at": 1_796_000_040_012,
    "correlation_id": "3b0d5f0e-5ad5-5e7c-9d5c-0d9a9f6d9a10",
}
_FAILURE = {"at": 1_796_000_040_000, "exception": "TaskFailedError", "error": "binance: timeout; kraken: timeout"}


def run() -> list[Row]:
    """Return the medians for the message of a schedule, and for its fifth retry."""
    retry = _OPTIONS | {"retries": 5, "traceback": "TaskFailedError: no", "failures": [_FAILURE] * 5}
    return [_row("scheduled", _OPTIONS), _row("retry", retry)]


def _row(name: str, options: dict[str, object]) -> Row:
    fields = {
        "queue_name": "high",
        "actor_name": "fetch_quotes_task",
        "args": [],
        "kwargs": {"symbols": ["AAPL", "BTC-USD", "ETH-USD"]},
        "options": options,
        "message_id": _OPTIONS["redis_message_id"],
        "message_timestamp": 1_796_000_040_012,
    }
    data = json.dumps(fields, separators=(",", ":")).encode()
    own, peer = [], []
    for _ in range(ROUNDS):  # in turns, so that a busy moment affects both
        peer.append(_microseconds(lambda: Message.decode(data)))
        own.append(_microseconds(lambda: read_message(data, "3b0d5f0e-5ad5-5e7c-9d5c-0d9a9f6d9a10", "high")))
    value, peer_value = statistics.median(own), statistics.median(peer)
    goal = f"< {GOAL:g} µs more than dramatiq"
    return Row(f"door.{name}", value, "µs", "dramatiq's Message.decode", peer_value, goal, value - peer_value < GOAL)


def _microseconds(read: Callable[[], object]) -> float:
    start = time.process_time()
    for _ in range(MESSAGES):
        read()
    return (time.process_time() - start) / MESSAGES * 1e6
