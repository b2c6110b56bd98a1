"""Metric families from figures that are read at a scrape rather than counted; pure functions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

#: Label values of one series.
Key = TypeVar("Key", bound=tuple[str, ...])

BREAKER_STATES: Final = ("closed", "half-open", "open")


class QueueFigures(Protocol):
    """The statistics of one queue that the metrics need."""

    @property
    def queue(self) -> str: ...
    @property
    def ready(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def delayed(self) -> int: ...
    @property
    def dead(self) -> int: ...
    @property
    def orphaned(self) -> int: ...
    @property
    def oldest_age_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class WorkerFigures:
    """Workers of one queue.

    Args:
        queue: its name.
        workers: live processes that take its messages.
        least: how many it should always have.
        most: how many its tier may be scaled to; None: not configured.
        wait_target_seconds: within which a message should start.
    """

    queue: str
    workers: int
    least: int
    most: int | None
    wait_target_seconds: float


@dataclass(frozen=True, slots=True)
class AssetFigures:
    """How many assets of one dataset are out of date.

    Args:
        dataset: its name.
        assets: active assets that it should cover.
        stale: how many of them have no value or one that is too old.
    """

    dataset: str
    assets: int
    stale: int


@dataclass(frozen=True, slots=True)
class BudgetFigures:
    """One rate budget of one upstream.

    Args:
        upstream: its name.
        window: its length, as `60s`.
        used, limit: units.
    """

    upstream: str
    window: str
    used: int
    limit: int


def gauge(name: str, text: str, labels: Iterable[str], values: Mapping[Key, float]) -> Metric:
    """A gauge family from label values → value.

    Args:
        name: without the prefix `financehub_`.
        text: what it says.
        labels: label names, in the order of the tuples in `values`.
        values: one entry per series.
    """
    family = GaugeMetricFamily(f"financehub_{name}", text, labels=list(labels))
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def queue_metrics(queues: Iterable[QueueFigures]) -> list[Metric]:
    """Depth, age, and orphans of each queue."""
    found = list(queues)
    states = {
        (one.queue, state): float(count)
        for one in found
        for state, count in (
            ("ready", one.ready),
            ("inflight", one.in_flight),
            ("delayed", one.delayed),
            ("dead", one.dead),
        )
    }
    # an entry at the head of a queue that is not a message has no age
    ages = {(one.queue,): one.oldest_age_seconds for one in found}
    orphans = {(one.queue,): float(one.orphaned) for one in found}
    age_text = "How long the oldest ready message has waited"
    return [
        gauge("queue_messages", "Messages by state", ["queue", "state"], states),
        gauge("queue_oldest_message_age_seconds", age_text, ["queue"], ages),
        gauge("queue_orphaned_messages", "Messages held by workers that are gone", ["queue"], orphans),
    ]


def worker_metrics(queues: Iterable[WorkerFigures]) -> list[Metric]:
    """Workers and wait target of each queue."""
    found = list(queues)
    return [
        gauge(
            "queue_workers",
            "Live worker processes that consume the queue",
            ["queue"],
            {(one.queue,): float(one.workers) for one in found},
        ),
        gauge(
            "queue_workers_min",
            "Worker processes that the queue should always have",
            ["queue"],
            {(one.queue,): float(one.least) for one in found},
        ),
        gauge(
            "queue_workers_max",
            "Most worker processes that the tier may be scaled to",
            ["queue"],
            {(one.queue,): float(one.most) for one in found if one.most is not None},
        ),
        gauge(
            "queue_wait_target_seconds",
            "The wait within which a message should start",
            ["queue"],
            {(one.queue,): one.wait_target_seconds for one in found},
        ),
    ]


def breaker_metrics(breakers: Mapping[str, str]) -> list[Metric]:
    """The state of every circuit breaker, one-hot, from upstream → state."""
    values = {(upstream, each): float(each == state) for upstream, state in breakers.items() for each in BREAKER_STATES}
    text = "1 for the state the breaker is in, 0 for the others"
    return [gauge("circuit_breaker_state", text, ["provider", "state"], values)]


def freshness_metrics(
    successes: Mapping[tuple[str, str], float], stale: Mapping[str, bool], limits: Mapping[str, float]
) -> list[Metric]:
    """When datasets were delivered, and whether that is too long ago.

    Args:
        successes: (dataset, provider) → Unix seconds.
        stale: dataset → the verdict of the health report.
        limits: dataset → age in seconds at which it is stale.
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
            "1 when the dataset is past its freshness limit or was never fetched",
            ["dataset"],
            {(dataset,): float(verdict) for dataset, verdict in stale.items()},
        ),
        gauge(
            "data_freshness_limit_seconds",
            "Age at which the dataset is stale",
            ["dataset"],
            {(dataset,): limits[dataset] for dataset in stale},
        ),
    ]


def asset_metrics(assets: Iterable[AssetFigures], oldest_quotes: Mapping[str, float]) -> list[Metric]:
    """Assets that are out of date, and the age of the oldest quote.

    Args:
        assets: by dataset.
        oldest_quotes: asset type → seconds since its oldest quote was fetched.
    """
    found = list(assets)
    return [
        gauge(
            "data_assets",
            "Active assets that the dataset should cover",
            ["dataset"],
            {(one.dataset,): float(one.assets) for one in found},
        ),
        gauge(
            "data_stale_assets",
            "Active assets without a value, or with one past the limit of the dataset",
            ["dataset"],
            {(one.dataset,): float(one.stale) for one in found},
        ),
        gauge(
            "data_oldest_quote_age_seconds",
            "Time since the oldest quote of an active asset was fetched",
            ["type"],
            {(type,): age for type, age in oldest_quotes.items()},
        ),
    ]


def budget_metrics(budgets: Iterable[BudgetFigures]) -> list[Metric]:
    """Use and limit of each rate budget."""
    found = list(budgets)
    labels = ["provider", "window"]
    used = {(one.upstream, one.window): float(one.used) for one in found}
    limits = {(one.upstream, one.window): float(one.limit) for one in found}
    return [
        gauge("provider_budget_used_units", "Units spent in the window by the whole fleet", labels, used),
        gauge("provider_budget_limit_units", "Units that the window allows", labels, limits),
    ]
