"""Measures what the door adds to a message, compared with dramatiq, which only decodes it."""

import time
from collections.abc import Callable

import dramatiq

from bench.rows import Row
from financehub_shared.broker import options
from financehub_shared.broker.door import read_message

CALLS, ROUNDS = 5_000, 9
#: The limit of the issue in microseconds per message.
LIMIT = 20.0
QUEUE, TASK = "high", "fetch_stock_prices_task"


def _messages() -> dict[str, bytes]:
    """Return a scheduled message, one with many arguments, and a retry with the history of its failures."""
    scheduled = {
        options.SCHEDULE: "default/fetch-stock-prices",
        options.DUE_AT: 1_796_000_000_000,
        options.CORRELATION_ID: "1a28cfb1-489a-57d8-9ad1-b5ab7efacac6",
        "max_age": 240_000,
    }
    failure = {"at": 1_796_000_000_000, "exception": "TaskFailedError", "error": "no quote of 28 stock assets: " * 10}
    symbols = [f"SYM{number}" for number in range(1_000)]

    def encode(symbols: list[str], values: dict[str, object]) -> bytes:
        return bytes(dramatiq.Message(QUEUE, TASK, (), {"symbols": symbols}, values).encode())

    return {
        "scheduled": encode([], scheduled),
        "1000-symbols": encode(symbols, scheduled),
        "retry": encode([], {**scheduled, "retries": 5, options.FAILURES: [failure] * 5}),
    }


def run() -> list[Row]:
    """Return the least time per message. Both functions take turns, so a busy machine affects both."""
    rows = []
    for name, data in _messages().items():
        checked, decoded = [], []
        for _ in range(ROUNDS):
            checked.append(_microseconds(lambda data=data: read_message(data, "id", QUEUE)))
            decoded.append(_microseconds(lambda data=data: dramatiq.Message.decode(data)))
        added = min(checked) - min(decoded)
        goal = f"< {LIMIT:g} more than dramatiq"
        rows.append(Row(f"door.{name}", min(checked), "µs", "dramatiq", min(decoded), goal, added < LIMIT))
    return rows


def _microseconds(call: Callable[[], object]) -> float:
    started = time.thread_time()
    for _ in range(CALLS):
        call()
    return (time.thread_time() - started) / CALLS * 1e6
