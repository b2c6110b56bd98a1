"""The fleet's metrics, which agree with the health report and omit data that could not be read."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from financehub_shared.broker.queues import QueueStats
from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Quote
from financehub_shared.health.checks import FleetSnapshot, evaluate
from financehub_shared.health.fleet_metrics import INDICATOR_TIMES_SECONDS, QUOTE_TIMES_SECONDS, FleetMetrics
from financehub_shared.health.processes import ProcessInfo
from financehub_shared.health.report import HealthStatus
from support.health import breaker, queue
from support.market_data import T0, indicators
from support.memory_store import MemoryStore

NOW = T0
DATASETS = ("bars", "indicators", "news", "quotes:crypto", "quotes:stock")
WORKERS = {"queue_workers", "queue_workers_min", "queue_workers_max", "queue_wait_target_seconds"}
QUEUES = {"queue_messages", "queue_oldest_message_age_seconds", "queue_orphaned_messages"}
FRESHNESS = {"data_stale", "data_freshness_limit_seconds", "data_last_success_timestamp_seconds"}
ASSETS = {"data_assets", "data_stale_assets", "data_oldest_quote_age_seconds"}
BREAKERS = {"circuit_breaker_state"}
#: Section of a snapshot that could not be read → families that would be wrong without it.
OMITTED: dict[str, set[str]] = {
    "queues": WORKERS | QUEUES,
    "processes": WORKERS,
    "breakers": BREAKERS,
    "store": FRESHNESS | ASSETS,
    "schedules": WORKERS | FRESHNESS | ASSETS,
    "tasks": set(),
}

Series = Mapping[tuple[str, ...], float]


def distinct_queue(name: str) -> QueueStats:
    """Build a queue's statistics with a different number for each state."""
    return queue(name, ready=1, in_flight=2, delayed=3, dead=4, orphaned=5, oldest_age_seconds=6.5)


def worker(tier: str, *, queues: tuple[str, ...] = (), draining: bool = False) -> ProcessInfo:
    """Build one live process."""
    consumed = () if tier == "scheduler" else queues or (tier,)
    return ProcessInfo(f"{tier}-{draining}", tier, "host", 1, NOW, NOW, consumed, 4, 1, draining)


SNAPSHOT = FleetSnapshot(
    NOW,
    queues=[distinct_queue("high"), distinct_queue("medium"), distinct_queue("low")],
    processes=[worker("high"), worker("medium"), worker("low"), worker("scheduler")],
    breakers=[breaker("binance", "open", "timeout"), breaker("yahoo", "closed")],
    symbols={AssetType.CRYPTO: ["BTC-USD", "ETH-USD"], AssetType.STOCK: ["AAPL"]},
    last_success={(dataset, "binance"): NOW - 60 for dataset in DATASETS},
    expected=DATASETS,
    limits=dict.fromkeys(DATASETS, 330.0),
)


class Fleet:
    """The metrics of a snapshot and a store that a test changes.

    Args:
        snapshot: The initial snapshot.
        max_workers: Queue → maximum number of workers.
    """

    def __init__(self, snapshot: FleetSnapshot, **max_workers: int) -> None:
        self.snapshot, self.store, self.clock = snapshot, MemoryStore(), ManualClock(NOW)
        self._metrics = FleetMetrics(lambda: self.snapshot, self.store, max_workers, self.clock)

    def store_quotes(self, ages: Mapping[str, float]) -> None:
        """Store a quote of each symbol with the given age in seconds."""
        self.store.put_quotes(
            Quote(symbol, Decimal(1), "USD", NOW - age, NOW - age, "binance") for symbol, age in ages.items()
        )

    def families(self) -> dict[str, Series]:
        """Return family without prefix → label values, sorted by label name → value."""
        return {
            family.name.removeprefix("financehub_"): {
                tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in family.samples
            }
            for family in self._metrics.read()
        }

    def families_with_series(self) -> set[str]:
        """Return the names of the families that have series."""
        return {name for name, series in self.families().items() if series}


def test_complete_snapshot_has_series_in_every_family() -> None:
    """All families have series if every section of the snapshot could be read."""
    fleet = Fleet(SNAPSHOT, high=3)
    fleet.store_quotes({"BTC-USD": 1})
    assert fleet.families_with_series() == WORKERS | QUEUES | FRESHNESS | ASSETS | BREAKERS


@pytest.mark.parametrize(("part", "omitted"), OMITTED.items(), ids=OMITTED)
def test_unreadable_part_has_no_series(part: str, omitted: set[str]) -> None:
    """The families that depend on the missing section are omitted, others remain, and the failure is logged once."""
    fleet = Fleet(SNAPSHOT, high=3)
    fleet.store_quotes({"BTC-USD": 1})
    complete = fleet.families_with_series()
    # In place of the section, the snapshot has default values, which must not be exposed.
    fleet.snapshot = replace(SNAPSHOT, failures={part: "timed out"})
    with capture_logs() as logs:
        assert complete - fleet.families_with_series() == omitted
        fleet.families_with_series()
    assert [(entry["source"], entry["error"]) for entry in logs] == [(part, "timed out")]
    fleet.snapshot = SNAPSHOT
    assert fleet.families_with_series() == complete


def test_read_without_redis_raises_store_unavailable() -> None:
    """Without Redis there is no snapshot, and after the error this scrape does not use Redis again."""
    with pytest.raises(StoreUnavailableError, match="Redis does not answer: timed out"):
        Fleet(replace(SNAPSHOT, redis_error="Redis does not answer: timed out")).families()


ages = st.floats(-1_000, 100_000)


@given(
    expected=st.sets(st.sampled_from(DATASETS)),
    delivered=st.dictionaries(st.tuples(st.sampled_from(DATASETS), st.sampled_from(["binance", "kraken"])), ages),
    limits=st.fixed_dictionaries({dataset: st.floats(1, 100_000) for dataset in DATASETS}),
    overdue=st.sets(st.sampled_from(DATASETS)),
)
def test_stale_metric_agrees_with_health_report(
    expected: set[str], delivered: dict[tuple[str, str], float], limits: dict[str, float], overdue: set[str]
) -> None:
    """`data_stale` is 1 if the dataset's check is not ok, unless the dataset was never fetched and is not overdue."""
    successes = {key: NOW - age for key, age in delivered.items()}
    snapshot = replace(SNAPSHOT, expected=expected, last_success=successes, limits=limits, overdue=overdue)
    checks = {
        check.name.removeprefix("data:"): check for check in evaluate(snapshot).checks if check.name[:5] == "data:"
    }
    families = Fleet(snapshot).families()
    not_due_yet = set(DATASETS) - overdue - {dataset for dataset, _ in delivered}
    assert families["data_stale"] == {
        (dataset,): float(check.status is not HealthStatus.OK and dataset not in not_due_yet)
        for dataset, check in checks.items()
    }
    assert families["data_freshness_limit_seconds"] == {(dataset,): limits[dataset] for dataset in expected}
    assert families["data_last_success_timestamp_seconds"] == successes


@given(ages=st.dictionaries(st.sampled_from(["BTC-USD", "ETH-USD", "AAPL", "GONE"]), ages))
def test_stale_assets_are_active_ones_without_fresh_value(ages: dict[str, float]) -> None:
    """Active assets without a quote, or with a quote past the limit, are stale. Other assets' quotes do not count."""
    fleet = Fleet(SNAPSHOT)
    fleet.store_quotes(ages)
    families = fleet.families()
    # with the precision of the store
    stored = {symbol: NOW - quote.fetched_at for symbol, quote in fleet.store.quotes().items()}
    for dataset, symbols in (("quotes:crypto", ["BTC-USD", "ETH-USD"]), ("quotes:stock", ["AAPL"])):
        fresh = sum(symbol in stored and stored[symbol] <= 330 for symbol in symbols)
        assert families["data_assets"][(dataset,)] == len(symbols)
        assert families["data_stale_assets"][(dataset,)] == len(symbols) - fresh
    known = {
        type: [stored[symbol] for symbol in symbols if symbol in stored] for type, symbols in SNAPSHOT.symbols.items()
    }
    assert families["data_oldest_quote_age_seconds"] == {
        (type.value,): max(0.0, *of_type) for type, of_type in known.items() if of_type
    }


def test_indicators_are_expected_for_every_active_asset() -> None:
    """Indicators cover assets of all types, and an asset whose indicators are within the limit is not stale."""
    fleet = Fleet(SNAPSHOT)
    fleet.store.put_indicators([indicators("AAPL"), indicators("GONE")])
    families = fleet.families()
    assert families["data_assets"][("indicators",)] == 3
    assert families["data_stale_assets"][("indicators",)] == 2


def test_unexpected_dataset_has_no_series() -> None:
    """A dataset that is not expected has neither a freshness metric nor a number of stale assets."""
    fleet = Fleet(replace(SNAPSHOT, expected=["quotes:crypto"]))
    families = fleet.families()
    assert set(families["data_stale"]) == set(families["data_stale_assets"]) == {("quotes:crypto",)}


def test_cached_times_are_read_again_after_expiry_or_new_assets() -> None:
    """Ages grow between two reads, and a new asset causes an immediate read."""
    fleet = Fleet(SNAPSHOT)
    fleet.store_quotes({"BTC-USD": 10, "ETH-USD": 0})
    fleet.store.put_indicators([indicators("AAPL")])
    stale = ("data_stale_assets", ("quotes:crypto",))

    def figures() -> tuple[float, float, float]:
        found = fleet.families()
        return (
            found["data_oldest_quote_age_seconds"][("crypto",)],
            found[stale[0]][stale[1]],
            found["data_stale_assets"][("indicators",)],
        )

    assert figures() == (10, 0, 2)
    fleet.store_quotes({"BTC-USD": 0})
    fleet.store.put_indicators([indicators("BTC-USD")])
    fleet.clock.advance(QUOTE_TIMES_SECONDS)
    fleet.snapshot = replace(SNAPSHOT, now=NOW + QUOTE_TIMES_SECONDS)
    assert figures() == (10 + QUOTE_TIMES_SECONDS, 0, 2)
    fleet.clock.advance(1)
    assert figures() == (QUOTE_TIMES_SECONDS, 0, 2)
    fleet.clock.advance(INDICATOR_TIMES_SECONDS)
    assert figures() == (QUOTE_TIMES_SECONDS, 0, 1)
    fleet.store_quotes({"SOL-USD": 0})
    fleet.store.put_indicators([indicators("SOL-USD")])
    fleet.snapshot = replace(
        fleet.snapshot, symbols={**SNAPSHOT.symbols, AssetType.CRYPTO: ["BTC-USD", "ETH-USD", "SOL-USD"]}
    )
    assert figures() == (QUOTE_TIMES_SECONDS, 0, 1)


def test_workers_are_counted_for_each_queue_they_consume() -> None:
    """A worker counts for each of its queues. Schedulers and draining workers do not count."""
    processes = [
        worker("high"),
        worker("high", draining=True),
        worker("research", queues=("medium", "reports")),
        worker("scheduler"),
    ]
    families = Fleet(replace(SNAPSHOT, processes=processes, tiers=["high", "medium", "low", "reports"])).families()
    assert families["queue_workers"] == {("high",): 1, ("low",): 0, ("medium",): 1, ("reports",): 1}


def test_minimum_of_workers_is_1_for_scheduled_tiers_that_are_not_idle() -> None:
    """The minimum is 0 for a tier that is idle or has no schedule, and otherwise 1. The maximum exists if it is set."""
    snapshot = replace(
        SNAPSHOT,
        queues=[*SNAPSHOT.queues, distinct_queue("by-hand")],
        tiers=["high", "low", "reports"],
        idle_tiers=["low"],
    )
    families = Fleet(snapshot, high=5, low=2, elsewhere=9).families()
    assert families["queue_workers_min"] == {
        ("by-hand",): 0,
        ("high",): 1,
        ("low",): 0,
        ("medium",): 0,
        ("reports",): 1,
    }
    assert families["queue_workers_max"] == {("high",): 5, ("low",): 2}
    assert families["queue_wait_target_seconds"].keys() == families["queue_workers_min"].keys()


def test_removed_parts_of_snapshot_lose_their_series() -> None:
    """A queue, breaker, provider or asset type that disappears leaves no series behind."""
    fleet = Fleet(replace(SNAPSHOT, queues=[*SNAPSHOT.queues, distinct_queue("gone")]))
    fleet.store_quotes({"BTC-USD": 1, "AAPL": 1})
    assert any(key[0] == "gone" for key in fleet.families()["queue_messages"])
    fleet.snapshot = replace(
        SNAPSHOT,
        breakers=SNAPSHOT.breakers[:1],
        symbols={AssetType.CRYPTO: ["BTC-USD"]},
        expected=["quotes:crypto"],
        last_success={("quotes:crypto", "kraken"): NOW},
    )
    families = fleet.families()
    labels = {value for series in families.values() for key in series for value in key}
    assert {"gone", "yahoo", "stock", "quotes:stock", "binance"} & labels == {"binance"}  # its breaker still exists
    assert {key[0] for key in families["circuit_breaker_state"]} == {"binance"}
    assert families["data_last_success_timestamp_seconds"] == {("quotes:crypto", "kraken"): NOW}


def test_queue_figures_are_exposed_by_state() -> None:
    """Each of a queue's statistics has its own state label or metric."""
    families = Fleet(replace(SNAPSHOT, queues=[distinct_queue("high")])).families()
    assert families["queue_messages"] == {
        ("high", "ready"): 1,
        ("high", "inflight"): 2,
        ("high", "delayed"): 3,
        ("high", "dead"): 4,
    }
    assert families["queue_orphaned_messages"] == {("high",): 5}
    assert families["queue_oldest_message_age_seconds"] == {("high",): 6.5}
    assert families["circuit_breaker_state"] == {
        (provider, state): float(state == current)
        for provider, current in (("binance", "open"), ("yahoo", "closed"))
        for state in ("closed", "half-open", "open")
    }
