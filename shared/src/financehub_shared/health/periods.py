"""How old data may be: from the catalogue's default schedules."""

from collections.abc import Mapping

from financehub_shared.catalog import CATALOG, TaskSpec

_NAMED = {"@hourly": 3_600, "@daily": 86_400, "@weekly": 604_800}
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

#: Dataset, as `Store.mark_success` names it → the task that refreshes it.
DATASETS: Mapping[str, str] = {
    "quotes:crypto": "fetch_crypto_prices_task",
    "quotes:stock": "fetch_stock_prices_task",
    "news": "fetch_news_task",
    "bars": "calculate_indicators_task",
    "indicators": "calculate_indicators_task",
}


def period_seconds(schedule: str) -> int:
    """Seconds between two runs of a catalogue schedule (`@every 2m`, `@hourly`, …).

    Raises:
        ValueError: a schedule of another form; the catalogue uses none.
    """
    if schedule in _NAMED:
        return _NAMED[schedule]
    word, _, amount = schedule.partition(" ")
    if word == "@every" and amount[:-1].isdigit() and amount[-1] in _UNITS:
        return int(amount[:-1]) * _UNITS[amount[-1]]
    raise ValueError(f"{schedule!r}: a catalogue schedule is @hourly, @daily, @weekly or @every <n><s|m|h|d>")


def stale_after(task: TaskSpec) -> float:
    """Age in seconds at which a dataset is stale: two runs were due and had their time, and none delivered."""
    return 2 * period_seconds(task.schedule) + task.time_limit_seconds


def dataset_limits() -> dict[str, float]:
    """Dataset → age in seconds at which it is stale."""
    return {dataset: stale_after(CATALOG[task]) for dataset, task in DATASETS.items()}
