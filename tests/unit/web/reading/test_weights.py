"""Tests of the estimated memory of a reading."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from financehub_web.reading.weights import weight_of
from support.market_data import bars, news, quote

MAKERS: dict[str, Callable[[], Any]] = {
    "texts": lambda: [f"text {number}" * 20 for number in range(2_000)],
    "bars": lambda: {f"T{number}": bars(f"T{number}", range(1_000)) for number in range(20)},
    "news": lambda: [news(f"{number}", f"Story {number} of the day", 1.0, "AAPL") for number in range(1_000)],
    "quotes": lambda: {f"T{number}": quote(f"T{number}", str(number)) for number in range(1_000)},
}


@pytest.mark.parametrize("name", MAKERS)
def test_weight_is_near_the_memory_that_python_uses(name: str) -> None:
    """The estimate is between half and three times of what the allocator of Python counts."""
    MAKERS[name]()  # caches of the functions are filled
    tracemalloc.start()
    try:
        value = MAKERS[name]()
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used / 2 < weight_of(value, most=10**9) < 3 * used


def test_weight_is_not_counted_beyond_the_limit() -> None:
    """A huge reading costs no more time than one at the limit."""
    texts = [f"{number}" for number in range(100_000)]
    assert 1_000_000 > weight_of(texts, most=1_000) > 1_000
