"""The fleet's figures at a scrape: the health report's own verdict, and no series of what was not seen."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.models import AssetType, Quote
from financehub_shared.health.checks import BreakerView, Snapshot, evaluate
from financehub_shared.health.fleet_source import INDICATOR_TIMES_SECONDS, QUOTE_TIMES_SECONDS, FleetSource
from financehub_shared.health.report import Status
from financehub_shared.health.workers import ProcessInfo
from support.memory_store import MemoryStore
from support.store_contract import T0, indicators

NOW = T0
DATASETS = ("bars", "indicators", "news", "quotes:crypto", "quotes:stock")
#: Part of a snapshot that failed → families that are left out, because they would be wrong without it.
WORKERS = {"queue_workers", "queue_workers_min", "queue_workers_max", "queue_wait_target_seconds"}
QUEUES = {"queue_messages", "queue_oldest_message_age_seconds", "queue_orphaned_messages"}
FRESHNESS = {"data_stale", "data_freshness_limit_seconds", "data_last_success_timestamp_seconds"}
ASSETS = {"data_assets", "data_stale_assets", "data_oldest_quote_age_seconds"}
BREAKERS = {"circuit_breaker_state"}
LEFT_OUT: dict[str, set[str]] = {
    "queues": WORKERS | QUEUES,
    "processes": WORKERS,
    "breakers": BREAKERS,
    "store": FRESHNESS | ASSETS,
    "schedules": WORKERS | FRESHNESS | ASSETS,
    "tasks": set(),
}

Series = Mapping[tuple[str, ...], float]


class Queue:
    """Figures of one queue, in which each state has another number."""

    ready, in_flight, delayed, dead, orphaned, oldest_age_seconds = 1, 2, 3, 4, 5, 6.5

    def __init__(self, queue: str) -> None:
        self.queue = queue


def worker(tier: str, *, queues: tuple[str, ...] = (), draining: bool = False) -> ProcessInfo:
    """One live process."""
    taken = () if tier == "scheduler" else queues or (tier,)
    return ProcessInfo(f"{tier}-{draining}", tier, "host", 1, NOW, NOW, taken, 4, 1, draining)


SEEN = Snapshot(
    NOW,
    queues=[Queue("high"), Queue("medium"), Queue("low")],
    processes=[worker("high"), worker("medium"), worker("low"), worker("scheduler")],
    breakers=[BreakerView("binance", "open", "timeout"), BreakerView("yahoo", "closed", "")],
    symbols={AssetType.CRYPTO: ["BTC-USD", "ETH-USD"], AssetType.STOCK: ["AAPL"]},
    last_success={(dataset, "binance"): NOW - 60 for dataset in DATASETS},
    wanted=DATASETS,
    limits=dict.fromkeys(DATASETS, 330.0),
)


class Fleet:
    """A source over a snapshot and a store that a test changes.

    Args:
        seen: what is seen at first.
        most: queue → most workers.
    """

    def __init__(self, seen: Snapshot, **most: int) -> None:
        self.seen, self.store, self.clock = seen, MemoryStore(), ManualClock(NOW)
        self._source = FleetSource(lambda: self.seen, self.store, most, self.clock)

    def store_quotes(self, ages: Mapping[str, float]) -> None:
        """Store a quote of each symbol that was fetched so many seconds ago."""
        self.store.put_quotes(
            Quote(symbol, Decimal(1), "USD", NOW - age, NOW - age, "binance") for symbol, age in ages.items()
        )

    def families(self) -> dict[str, Series]:
        """Family, without its prefix → label values in the order of the labels' names → value."""
        return {
            family.name.removeprefix("financehub_"): {
                tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in family.samples
            }
            for family in self._source.read()
        }

    def shown(self) -> set[str]:
        """Families that have series."""
        return {name for name, series in self.families().items() if series}


def test_a_fleet_that_is_well_has_every_family() -> None:
    """All families of the fleet have series when every part of the snapshot could be read."""
    fleet = Fleet(SEEN, high=3)
    fleet.store_quotes({"BTC-USD": 1})
    assert fleet.shown() == WORKERS | QUEUES | FRESHNESS | ASSETS | BREAKERS


@pytest.mark.parametrize(("part", "left_out"), LEFT_OUT.items(), ids=LEFT_OUT)
def test_a_part_that_could_not_be_read_has_no_series(part: str, left_out: set[str]) -> None:
    """What depends on the part is left out, what does not stays, and the log says so when it begins."""
    fleet = Fleet(SEEN, high=3)
    fleet.store_quotes({"BTC-USD": 1})
    whole = fleet.shown()
    # the defaults that a failed part leaves in the snapshot are no figures
    fleet.seen = replace(SEEN, failures={part: "timed out"})
    with capture_logs() as logs:
        assert whole - fleet.shown() == left_out
        fleet.shown()
    assert [(entry["source"], entry["error"]) for entry in logs] == [(part, "timed out")]
    fleet.seen = SEEN
    assert fleet.shown() == whole


def test_redis_away_is_raised_so_that_nothing_else_waits_for_it() -> None:
    """Without Redis there is no snapshot, and the scrape is told to ask no further."""
    with pytest.raises(StoreUnavailableError, match="Redis does not answer: timed out"):
        Fleet(replace(SEEN, redis_error="Redis does not answer: timed out")).families()


ages = st.floats(-1_000, 100_000)


@given(
    wanted=st.sets(st.sampled_from(DATASETS)),
    delivered=st.dictionaries(st.tuples(st.sampled_from(DATASETS), st.sampled_from(["binance", "kraken"])), ages),
    limits=st.fixed_dictionaries({dataset: st.floats(1, 100_000) for dataset in DATASETS}),
    overdue=st.sets(st.sampled_from(DATASETS)),
)
def test_a_dataset_is_stale_exactly_when_the_health_report_says_so(
    wanted: set[str], delivered: dict[tuple[str, str], float], limits: dict[str, float], overdue: set[str]
) -> None:
    """For any ages and limits `data_stale` is 1 where the report's check of the dataset is not ok, else 0, except that
    a dataset which was never fetched and is not overdue is not stale.
    """
    successes = {key: NOW - age for key, age in delivered.items()}
    seen = replace(SEEN, wanted=wanted, last_success=successes, limits=limits, overdue=overdue)
    checks = {check.name.removeprefix("data:"): check for check in evaluate(seen).checks if check.name[:5] == "data:"}
    families = Fleet(seen).families()
    on_its_way = set(DATASETS) - overdue - {dataset for dataset, _ in delivered}
    assert families["data_stale"] == {
        (dataset,): float(check.status is not Status.OK and dataset not in on_its_way)
        for dataset, check in checks.items()
    }
    assert families["data_freshness_limit_seconds"] == {(dataset,): limits[dataset] for dataset in wanted}
    assert families["data_last_success_timestamp_seconds"] == successes


@given(ages=st.dictionaries(st.sampled_from(["BTC-USD", "ETH-USD", "AAPL", "GONE"]), ages))
def test_stale_assets_are_those_without_a_value_and_those_past_the_limit(ages: dict[str, float]) -> None:
    """Of the active assets those count that have no quote or one older than the limit; others' quotes do not."""
    fleet = Fleet(SEEN)
    fleet.store_quotes(ages)
    families = fleet.families()
    # as exact as the store keeps the time
    stored = {symbol: NOW - quote.fetched_at for symbol, quote in fleet.store.quotes().items()}
    for dataset, symbols in (("quotes:crypto", ["BTC-USD", "ETH-USD"]), ("quotes:stock", ["AAPL"])):
        fresh = sum(symbol in stored and stored[symbol] <= 330 for symbol in symbols)
        assert families["data_assets"][(dataset,)] == len(symbols)
        assert families["data_stale_assets"][(dataset,)] == len(symbols) - fresh
    known = {type: [stored[one] for one in symbols if one in stored] for type, symbols in SEEN.symbols.items()}
    assert families["data_oldest_quote_age_seconds"] == {
        (type.value,): max(0.0, *of_type) for type, of_type in known.items() if of_type
    }


def test_indicators_are_expected_of_every_active_asset() -> None:
    """Their assets are those of all types; one that was computed within the limit is not stale."""
    fleet = Fleet(SEEN)
    fleet.store.put_indicators([indicators("AAPL"), indicators("GONE")])
    families = fleet.families()
    assert families["data_assets"][("indicators",)] == 3
    assert families["data_stale_assets"][("indicators",)] == 2


def test_a_dataset_that_nobody_misses_has_no_stale_assets() -> None:
    """Without a schedule for stock quotes there is no verdict on them, and no count either."""
    fleet = Fleet(replace(SEEN, wanted=["quotes:crypto"]))
    families = fleet.families()
    assert set(families["data_stale"]) == set(families["data_stale_assets"]) == {("quotes:crypto",)}


def test_times_are_read_again_after_a_while_and_when_the_assets_change() -> None:
    """Between two readings the ages go on; a new asset does not wait for the next reading."""
    fleet = Fleet(SEEN)
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
    fleet.seen = replace(SEEN, now=NOW + QUOTE_TIMES_SECONDS)
    assert figures() == (10 + QUOTE_TIMES_SECONDS, 0, 2)
    fleet.clock.advance(1)
    assert figures() == (QUOTE_TIMES_SECONDS, 0, 2)
    fleet.clock.advance(INDICATOR_TIMES_SECONDS)
    assert figures() == (QUOTE_TIMES_SECONDS, 0, 1)
    fleet.store_quotes({"SOL-USD": 0})
    fleet.store.put_indicators([indicators("SOL-USD")])
    fleet.seen = replace(fleet.seen, symbols={**SEEN.symbols, AssetType.CRYPTO: ["BTC-USD", "ETH-USD", "SOL-USD"]})
    assert figures() == (QUOTE_TIMES_SECONDS, 0, 1)


def test_workers_of_a_queue_are_those_that_take_its_messages() -> None:
    """A scheduler, a worker that drains, and one of other queues do not count; one of two queues counts for both."""
    processes = [
        worker("high"),
        worker("high", draining=True),
        worker("research", queues=("medium", "reports")),
        worker("scheduler"),
    ]
    families = Fleet(replace(SEEN, processes=processes, tiers=["high", "medium", "low", "reports"])).families()
    assert families["queue_workers"] == {("high",): 1, ("low",): 0, ("medium",): 1, ("reports",): 1}


def test_a_worker_is_required_where_something_is_scheduled_and_the_tier_may_not_be_idle() -> None:
    """The least is 0 for an idle tier and where nothing is scheduled, else 1; the most is there where it is set."""
    seen = replace(SEEN, queues=[*SEEN.queues, Queue("by-hand")], tiers=["high", "low", "reports"], idle_tiers=["low"])
    families = Fleet(seen, high=5, low=2, elsewhere=9).families()
    assert families["queue_workers_min"] == {
        ("by-hand",): 0,
        ("high",): 1,
        ("low",): 0,
        ("medium",): 0,
        ("reports",): 1,
    }
    assert families["queue_workers_max"] == {("high",): 5, ("low",): 2}
    assert families["queue_wait_target_seconds"].keys() == families["queue_workers_min"].keys()


def test_what_is_gone_from_the_snapshot_has_no_series() -> None:
    """A queue, a breaker, a provider and a type of asset that are gone leave nothing behind."""
    fleet = Fleet(replace(SEEN, queues=[*SEEN.queues, Queue("gone")]))
    fleet.store_quotes({"BTC-USD": 1, "AAPL": 1})
    assert any(key[0] == "gone" for key in fleet.families()["queue_messages"])
    fleet.seen = replace(
        SEEN,
        breakers=SEEN.breakers[:1],
        symbols={AssetType.CRYPTO: ["BTC-USD"]},
        wanted=["quotes:crypto"],
        last_success={("quotes:crypto", "kraken"): NOW},
    )
    families = fleet.families()
    labels = {value for series in families.values() for key in series for value in key}
    assert {"gone", "yahoo", "stock", "quotes:stock", "binance"} & labels == {"binance"}  # whose breaker is still there
    assert {key[0] for key in families["circuit_breaker_state"]} == {"binance"}
    assert families["data_last_success_timestamp_seconds"] == {("quotes:crypto", "kraken"): NOW}


def test_the_figures_of_a_queue_are_by_state() -> None:
    """Each figure of the queue is shown under its own state or name."""
    families = Fleet(replace(SEEN, queues=[Queue("high")])).families()
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
