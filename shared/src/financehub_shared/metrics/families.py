"""Pure functions that build the metric families whose values are read at a scrape rather than counted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from financehub_shared.core.figures import BudgetFigures, QueueFigures

#: The label values of one series.
Key = TypeVar("Key", bound=tuple[str, ...])

BREAKER_STATES: Final = ("closed", "half-open", "open")


@dataclass(frozen=True, slots=True)
class WorkerFigures:
    """One queue's worker counts and wait target.

    Args:
        queue: Name of the queue.
        workers: Number of live processes that consume the queue.
        min_workers: Number of workers that the queue should always have.
        max_workers: Maximum number of workers to which its tier may be scaled. None if it is not configured.
        wait_target_seconds: Seconds within which a message should start.
    """

    queue: str
    workers: int
    min_workers: int
    max_workers: int | None
    wait_target_seconds: float


@dataclass(frozen=True, slots=True)
class AssetFigures:
    """One dataset's asset counts.

    Args:
        dataset: Name of the dataset.
        assets: Number of active assets that it should cover.
        stale: Number of those assets that have no value or a stale one.
    """

    dataset: str
    assets: int
    stale: int


def gauge(name: str, text: str, labels: Iterable[str], values: Mapping[Key, float]) -> Metric:
    """Build a gauge family.

    Args:
        name: Name without the prefix `financehub_`.
        text: Description of the metric.
        labels: Label names, in the order of the tuples in `values`.
        values: Label values → value, one entry for each series.
    """
    family = GaugeMetricFamily(f"financehub_{name}", text, labels=list(labels))
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def queue_metrics(queues: Iterable[QueueFigures]) -> list[Metric]:
    """Build the families for each queue's depth, age and orphaned messages."""
    figures = list(queues)
    states = {
        (queue.queue, state): float(count)
        for queue in figures
        for state, count in (
            ("ready", queue.ready),
            ("inflight", queue.in_flight),
            ("delayed", queue.delayed),
            ("dead", queue.dead),
        )
    }
    ages = {(queue.queue,): queue.oldest_age_seconds for queue in figures}
    orphans = {(queue.queue,): float(queue.orphaned) for queue in figures}
    age_text = "How long the oldest ready message has waited"
    return [
        gauge("queue_messages", "Messages by state", ["queue", "state"], states),
        gauge("queue_oldest_message_age_seconds", age_text, ["queue"], ages),
        gauge("queue_orphaned_messages", "Messages in the hands of dead workers", ["queue"], orphans),
    ]


def worker_metrics(queues: Iterable[WorkerFigures]) -> list[Metric]:
    """Build the families for each queue's workers and wait target."""
    figures = list(queues)
    return [
        gauge(
            "queue_workers",
            "Live worker processes that consume the queue",
            ["queue"],
            {(queue.queue,): float(queue.workers) for queue in figures},
        ),
        gauge(
            "queue_workers_min",
            "Worker processes that the queue should always have",
            ["queue"],
            {(queue.queue,): float(queue.min_workers) for queue in figures},
        ),
        gauge(
            "queue_workers_max",
            "Largest number of worker processes to which the tier may be scaled",
            ["queue"],
            {(queue.queue,): float(queue.max_workers) for queue in figures if queue.max_workers is not None},
        ),
        gauge(
            "queue_wait_target_seconds",
            "Seconds within which a message should start",
            ["queue"],
            {(queue.queue,): queue.wait_target_seconds for queue in figures},
        ),
    ]


def breaker_metrics(breakers: Mapping[str, str]) -> list[Metric]:
    """Build the family for the circuit breaker states.

    Args:
        breakers: Upstream → state. That state's series has the value 1, and the series of the other states have the
            value 0.
    """
    values = {
        (upstream, state): float(state == current) for upstream, current in breakers.items() for state in BREAKER_STATES
    }
    text = "1 for the current state of the breaker, 0 for the others"
    return [gauge("circuit_breaker_state", text, ["provider", "state"], values)]


def freshness_metrics(
    successes: Mapping[tuple[str, str], float], stale: Mapping[str, bool], limits: Mapping[str, float]
) -> list[Metric]:
    """Build the families for the datasets' last deliveries and freshness.

    Args:
        successes: (dataset, provider) → time of the last delivery in Unix seconds.
        stale: Dataset → whether it is stale.
        limits: Dataset → age in seconds beyond which it is stale.
    """
    delivered = {(provider, dataset): at for (dataset, provider), at in successes.items()}
    return [
        gauge(
            "data_last_success_timestamp_seconds",
            "When the provider last delivered the dataset, Unix seconds",
            ["provider", "dataset"],
            delivered,
        ),
        gauge(
            "data_stale",
            "1 if the dataset is past its freshness limit or was never fetched",
            ["dataset"],
            {(dataset,): float(is_stale) for dataset, is_stale in stale.items()},
        ),
        gauge(
            "data_freshness_limit_seconds",
            "Age from which the dataset is stale",
            ["dataset"],
            {(dataset,): limits[dataset] for dataset in stale},
        ),
    ]


def asset_metrics(assets: Iterable[AssetFigures], oldest_quotes: Mapping[str, float]) -> list[Metric]:
    """Build the families for the stale assets and the age of the oldest quotes.

    Args:
        assets: Each dataset's asset counts.
        oldest_quotes: Asset type → seconds since its oldest quote was fetched.
    """
    figures = list(assets)
    return [
        gauge(
            "data_assets",
            "Active assets that the dataset should cover",
            ["dataset"],
            {(dataset.dataset,): float(dataset.assets) for dataset in figures},
        ),
        gauge(
            "data_stale_assets",
            "Active assets without a value, or with one past the freshness limit of the dataset",
            ["dataset"],
            {(dataset.dataset,): float(dataset.stale) for dataset in figures},
        ),
        gauge(
            "data_oldest_quote_age_seconds",
            "Time since the oldest quote of an active asset was fetched",
            ["type"],
            {(type,): age for type, age in oldest_quotes.items()},
        ),
    ]


def budget_metrics(budgets: Iterable[BudgetFigures]) -> list[Metric]:
    """Build the families for each budget's usage and limit."""
    figures = list(budgets)
    labels = ["provider", "window"]
    used = {(budget.upstream, budget.window): float(budget.used) for budget in figures}
    limits = {(budget.upstream, budget.window): float(budget.limit) for budget in figures}
    return [
        gauge("provider_budget_used_units", "Units spent in the window by the whole fleet", labels, used),
        gauge("provider_budget_limit_units", "Units that the window allows", labels, limits),
    ]
