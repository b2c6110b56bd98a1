"""The catalog of tasks and the validation of their arguments."""

from typing import Any

import pytest

from financehub_shared.core.catalog import CATALOG, TaskSpec, Tier, validate_arguments
from financehub_shared.core.errors import ConfigError, InvalidArgumentsError


def test_catalog_equals_required_tasks() -> None:
    """Names, queues and default schedules are exactly the required ones."""
    assert {(spec.name, spec.queue.value, spec.schedule) for spec in CATALOG.values()} == {
        ("fetch_crypto_prices_task", "high", "@every 2m"),
        ("fetch_stock_prices_task", "high", "@every 5m"),
        ("fetch_news_task", "medium", "@every 30m"),
        ("calculate_indicators_task", "medium", "@hourly"),
        ("cleanup_old_cache_task", "low", "@daily"),
        ("health_check_task", "low", "@every 1m"),
        ("cleanup_failed_tasks_task", "low", "@daily"),
    }


def test_catalog_names_each_dataset_once() -> None:
    """Every dataset is refreshed by exactly one task."""
    datasets = [dataset for spec in CATALOG.values() for dataset in spec.datasets]
    assert sorted(datasets) == ["bars", "indicators", "news", "quotes:crypto", "quotes:stock"]


@pytest.mark.parametrize(
    ("args", "kwargs", "field", "message"),
    [
        ((), {"symbols": ["not a symbol"]}, "symbols.0", "'not a symbol' is not a symbol; write a symbol such as"),
        ((), {"symbols": ["AAPL", "vod.l"]}, "symbols.1", "'vod.l' is not a symbol; did you mean VOD.L?"),
        ((), {"symbols": ["BTC/USD"]}, "symbols.0", "did you mean BTC-USD?"),
        ((), {"symbols": "AAPL"}, "symbols", "list"),
        ((), {"symbols": [1]}, "symbols.0", "string"),
        ((), {"symbols": []}, "symbols", "at least 1"),
        ((), {"symbol": ["AAPL"]}, "symbol", "takes: symbols"),
        ((["AAPL"],), {}, "args", "kwargs"),
    ],
)
def test_invalid_arguments_are_refused_with_field(
    args: tuple[Any, ...], kwargs: dict[str, Any], field: str, message: str
) -> None:
    """The error for an invalid argument names the argument and the allowed values."""
    with pytest.raises(InvalidArgumentsError, match=message) as caught:
        validate_arguments("fetch_stock_prices_task", args, kwargs)
    assert caught.value.field == field


@pytest.mark.parametrize("kwargs", [{}, {"symbols": None}, {"symbols": ["VOD.L", "BTC-USD", "^GSPC", "M&M.NS"]}])
def test_valid_arguments_are_accepted(kwargs: dict[str, Any]) -> None:
    """A call without arguments or with canonical symbols is valid."""
    validate_arguments("fetch_stock_prices_task", (), kwargs)


@pytest.mark.parametrize(
    ("task", "seconds"),
    [("fetch_crypto_prices_task", 120), ("calculate_indicators_task", 3_600), ("cleanup_old_cache_task", 86_400)],
)
def test_period_is_that_of_default_schedule(task: str, seconds: float) -> None:
    """The period of a task is the time between two runs of its default schedule."""
    assert CATALOG[task].period_seconds == seconds


@pytest.mark.parametrize("schedule", ["0 9 * * 1-5", "@weekly", "@hourly 5"])
def test_task_with_a_schedule_of_unknown_period_is_refused(schedule: str) -> None:
    """Creating a catalog entry whose default schedule has an unknown period fails, and the error says how to fix it."""
    with pytest.raises(ConfigError, match=r"new_task: the period of the default schedule .* is unknown; write one of"):
        TaskSpec("new_task", Tier.LOW, schedule, "Does something new.")
