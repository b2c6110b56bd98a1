"""Tests that real processes expose every metric in docs/metrics.md."""

import threading
import time
import urllib.request
from functools import partial

import httpx
import pytest
import redis
from dramatiq import Message

from financehub_scheduler.catch_up import GRACE_SECONDS
from financehub_shared.core.catalog import WAIT_TARGETS
from financehub_shared.redis import keys
from integration.fleet.conftest import StartFleet
from support import metric_catalog
from support.fleet import Fleet
from support.metrics import families, labels_of, nonzero_metrics
from support.waiting import eventually

pytestmark = pytest.mark.faults

#: Metrics that stay 0 here. They need a Redis that evicts keys, has a problem or refuses a record, as in other tests.
UNCHANGED = ("redis_evicted_keys", "redis_persistence_failing", "redis_problem", "run_events_lost")
CRYPTO = ("binance", "coingecko", "kraken")


class Scrapes:
    """The metrics that were above 0 so far on any process of a fleet.

    Args:
        fleet: The fleet that is scraped.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.nonzero: set[str] = set()
        #: Family → (type, labels of its series), of all scrapes.
        self.shapes: dict[str, tuple[str, frozenset[str]]] = {}

    def until(self, *names: str) -> None:
        """Scrape all processes until each of these metrics was above 0."""
        for name in names:
            eventually(partial(self._is_nonzero, f"financehub_{name}"), f"{name} is above 0")

    def _is_nonzero(self, name: str) -> bool:
        return name in self._scrape()

    def _scrape(self) -> set[str]:
        for port in self._fleet.ports.values():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
                    scrape = answer.read().decode()
            except OSError:
                continue  # not started yet, or killed by the test
            self.nonzero |= nonzero_metrics(scrape)
            self.shapes |= {
                name: (family.type, labels_of(family)) for name, family in families(scrape).items() if family.samples
            }
        return self.nonzero


def test_fleet_with_faults_exposes_every_documented_metric(fleet: StartFleet) -> None:
    """After runs, failures, a killed worker, a drain and scheduler downtime, each documented metric was above 0 on some
    process, and no undocumented metric was exposed.
    """
    # the janitor reclaims from its second round on, so only the second scheduler reclaims the orphaned messages
    settings = {"DRAMATIQ_MAX_RETRIES": "1", "FINANCEHUB_JANITOR_INTERVAL_SECONDS": "600"}
    running = fleet("--maxmemory", "100mb", FINANCEHUB_MAX_WORKERS="high=3", **settings)
    running.simulator.set_fault("slow", "yahoo", seconds=4)
    running.schedule("crypto", "fetch_crypto_prices_task", "@every 1s", "  catchUp: None\n")
    running.schedule("stocks", "fetch_stock_prices_task", "@every 1s")
    running.schedule("cleanup", "cleanup_old_cache_task", "@every 1s")  # no worker consumes the queue `low`
    running.schedule("failing", "unknown_task", "@every 1s", "  queue: high\n  pauseAfterFailures: 1\n")
    running.start_scheduler()
    scrapes = Scrapes(running)
    scrapes.until("data_stale_assets", "data_assets", "data_freshness_limit_seconds")
    scrapes.until("schedules", "event_loop_lag_seconds", "redis_up", "redis_command_duration_seconds")
    running.start_tier("high")
    scrapes.until("build_info", "worker_slots", "schedule_lag_seconds", "schedule_next_run_timestamp_seconds")
    scrapes.until(
        *("messages_enqueued", "message_wait_seconds", "message_duration_seconds", "messages"),
        *("schedule_paused_after_failures", "queue_messages", "queue_oldest_message_age_seconds"),
    )
    scrapes.until("provider_requests", "provider_request_duration_seconds", "data_last_success_timestamp_seconds")
    scrapes.until(
        "data_records_stored", "data_oldest_quote_age_seconds", "messages_started", "message_time_limit_seconds"
    )
    scrapes.until("provider_budget_used_units", "provider_budget_limit_units", "redis_clock_skew_seconds")
    scrapes.until("queue_workers", "queue_workers_min", "queue_workers_max", "queue_wait_target_seconds")
    scrapes.until("worker_slots_busy", "longest_running_message_seconds", "schedule_skipped")  # Yahoo is slow

    _drop_known_news(running, scrapes)
    for upstream in CRYPTO:
        running.simulator.set_fault("zero", upstream)
    scrapes.until("quarantined")
    for upstream in CRYPTO:
        running.simulator.set_fault("server-error", upstream)
    scrapes.until("message_failures", "message_retries", "messages_dead_lettered")
    scrapes.until("circuit_breaker_state", "circuit_breaker_transitions", "schedule_consecutive_failures")
    with running.redis() as client:
        _enqueue_late(client)
        client.hset(keys.FRESHNESS, "quotes:crypto|simulated/binance", str(time.time() - 3_600))
    scrapes.until("messages_started_late", "data_stale")

    # a worker that is killed leaves its message orphaned
    running.simulator.set_fault("slow", "yahoo", seconds=8)
    requests = running.simulator.request_counts("yahoo")
    eventually(lambda: running.simulator.request_counts("yahoo") != requests, "a stock run waits for Yahoo")
    running.kill("high")
    scrapes.until("queue_orphaned_messages")
    _take_over(running, scrapes)
    killed = time.time()
    eventually(lambda: time.time() > killed + GRACE_SECONDS + 3, "some due times pass that are too late to be in time")
    running.start_scheduler("second", FINANCEHUB_JANITOR_INTERVAL_SECONDS="1")
    scrapes.until("queue_reclaimed", "schedule_missed")

    running.start_tier("high")
    with running.redis() as client:
        eventually(lambda: client.keys("dramatiq:__acks__.*.high"), "the stock run is redelivered")
    drain = threading.Thread(target=running.terminate, args=("high",))
    drain.start()
    scrapes.until("worker_draining")
    drain.join()
    _read_quotes(running, scrapes)
    assert scrapes.shapes == metric_catalog.families()
    assert set(metric_catalog.families()) - scrapes.nonzero == {f"financehub_{name}" for name in UNCHANGED}


def _take_over(running: Fleet, scrapes: Scrapes) -> None:
    """Kill a scheduler whose share another one takes over, and then that one."""
    # with so many, each scheduler owns some
    for number in range(20):
        running.schedule(f"cleanup-{number}", "cleanup_old_cache_task", "@every 1s")
    running.start_scheduler("other")
    with running.redis() as client:
        eventually(lambda: client.zcard(keys.SCHEDULERS) == 2, "both schedulers are members")
        eventually(lambda: client.zcard(keys.SCHEDULES) > 20, "all schedules are registered")
    running.kill("scheduler")
    scrapes.until("schedule_taken_over")
    running.kill("other")


def _drop_known_news(running: Fleet, scrapes: Scrapes) -> None:
    """Read the same feeds until the medium tier has dropped news items that are already known."""
    running.schedule("news", "fetch_news_task", "@every 5s")
    running.start_tier("medium")
    scrapes.until("data_records_dropped")
    running.terminate("medium")


def _read_quotes(running: Fleet, scrapes: Scrapes) -> None:
    """Read the prices from the API."""
    url = running.start_web()
    eventually(partial(_answers, f"{url}/api/v1/quotes"), "the API answers")
    scrapes.until("http_requests", "http_request_duration_seconds")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=30).status_code == 200
    except httpx.ConnectError:  # not started yet
        return False


def _enqueue_late(client: "redis.Redis") -> None:
    """Enqueue a message whose timestamp makes it older than its queue's wait target."""
    options = {"redis_message_id": "late", "ready_at": (time.time() - WAIT_TARGETS["high"] - 5) * 1_000}
    message = Message("high", "fetch_crypto_prices_task", (), {"symbols": ["BTC-USD"]}, options)
    client.hset("dramatiq:high.msgs", "late", message.encode())
    client.rpush("dramatiq:high", "late")
