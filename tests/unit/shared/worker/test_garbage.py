"""Tests that the search for unused objects does not take the time of a worker."""

import gc
import json
from collections.abc import Iterator

import pytest

from financehub_shared.providers.bar_rows import BarRows
from financehub_shared.providers.binance.klines import DAY_MS, add_klines
from financehub_shared.providers.transport import strict_json
from financehub_shared.worker.garbage import limit_collections

ROWS = 500
ANSWERS = 40


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Restore what the other tests of this process expect."""
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


def test_reading_many_answers_with_bars_starts_few_collections() -> None:
    """The objects of one answer do not start a search for cycles each time that an answer is read."""
    kline = ["1.5"] * 5
    body = json.dumps([[day * DAY_MS, *kline, day, "0", 1, "0", "0", "0"] for day in range(ROWS)]).encode()
    started: list[str] = []

    def count(phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            started.append(phase)

    limit_collections()
    gc.callbacks.append(count)
    try:
        for _ in range(ANSWERS):
            add_klines(BarRows("binance"), strict_json.load_figures("binance", body))
    finally:
        gc.callbacks.remove(count)
    assert len(started) <= ANSWERS / 10


def test_what_the_start_created_is_not_searched() -> None:
    """The modules and tables of a worker live as long as it, so collections leave them out."""
    before = gc.get_freeze_count()
    kept = [[number] for number in range(1_000)]
    limit_collections()
    assert gc.get_freeze_count() >= before + len(kept)
