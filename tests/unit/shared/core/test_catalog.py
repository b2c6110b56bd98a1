"""The catalogue: what the design's table says, and how wrong arguments are refused."""

from typing import Any

import pytest

from financehub_shared.core.catalog import CATALOG, validate_arguments
from financehub_shared.core.errors import InvalidArgumentsError


def test_the_catalogue_is_the_table_of_the_design() -> None:
    """Names, queues and default schedules are exactly those of the design."""
    assert {(spec.name, spec.queue.value, spec.schedule) for spec in CATALOG.values()} == {
        ("fetch_crypto_prices_task", "high", "@every 2m"),
        ("fetch_stock_prices_task", "high", "@every 5m"),
        ("fetch_news_task", "medium", "@every 30m"),
        ("calculate_indicators_task", "medium", "@hourly"),
        ("cleanup_old_cache_task", "low", "@daily"),
        ("health_check_task", "low", "@every 1m"),
        ("cleanup_failed_tasks_task", "low", "@daily"),
    }


@pytest.mark.parametrize(
    ("args", "kwargs", "field", "says"),
    [
        ((), {"symbols": ["not a symbol"]}, "symbols.0", "pattern"),
        ((), {"symbols": "AAPL"}, "symbols", "list"),
        ((), {"symbols": [1]}, "symbols.0", "string"),
        ((), {"symbols": []}, "symbols", "at least 1"),
        ((), {"symbol": ["AAPL"]}, "symbol", "takes: symbols"),
        ((["AAPL"],), {}, "args", "kwargs"),
    ],
)
def test_wrong_arguments_name_the_field(args: tuple[Any, ...], kwargs: dict[str, Any], field: str, says: str) -> None:
    """A wrong argument is refused with the field at fault and what is allowed."""
    with pytest.raises(InvalidArgumentsError, match=says) as caught:
        validate_arguments("fetch_stock_prices_task", args, kwargs)
    assert caught.value.field == field


@pytest.mark.parametrize("kwargs", [{}, {"symbols": None}, {"symbols": ["AAPL", "VOD.L", "BTC-USD", "^GSPC"]}])
def test_right_arguments_pass(kwargs: dict[str, Any]) -> None:
    """No arguments, or canonical symbols, are accepted."""
    validate_arguments("fetch_stock_prices_task", (), kwargs)
