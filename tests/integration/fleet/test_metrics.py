"""Every metric of the catalogue on the /metrics of real processes."""

import threading
import time
import urllib.request
from functools import partial

from integration.fleet.conftest import StartFleet
from support.fleet import Fleet, eventually
from support.metrics import CATALOGUE, moved

CRYPTO = ("binance", "coingecko", "kraken")


class Scrapes:
    """What has moved so far on any process of a fleet.

    Args:
        fleet: whose processes are scraped.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.seen: set[str] = set()

    def until(self, *names: str) -> None:
        """Scrape all processes until each of these metrics has moved at least once."""
        for name in names:
            eventually(f"{name} moves", partial(self._moves, f"financehub_{name}"))

    def _moves(self, name: str) -> bool:
        return name in self._look()

    def _look(self) -> set[str]:
        for port in self._fleet.ports.values():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                    self.seen |= moved(answer.read().decode())
            except OSError:
                pass  # not up yet, or killed by the test
        return self.seen


def test_every_metric_moves_when_a_fleet_lives_through_good_and_bad_times(fleet: StartFleet) -> None:
    """Runs, failures, a killed worker, a drain, a scheduler's downtime: each metric of the catalogue has then moved on
    some process, and nothing outside the catalogue is scraped.
    """
    # The janitor's first round is at the start of a scheduler: the second one finds what the first does not look for.
    running = fleet(DRAMATIQ_MAX_RETRIES="1", FINANCEHUB_JANITOR_INTERVAL_SECONDS="600")
    running.simulator.fault("slow", "yahoo", seconds=4)
    running.schedule("crypto", "fetch_crypto_prices_task", "@every 1s", "  catchUp: None\n")
    running.schedule("stocks", "fetch_stock_prices_task", "@every 1s")
    running.schedule("cleanup", "cleanup_old_cache_task", "@every 1s")  # nobody serves low
    running.start_scheduler()
    running.start_tier("high")
    scrapes = Scrapes(running)
    scrapes.until("build_info", "worker_slots", "schedule_lag_seconds", "schedule_next_run_timestamp_seconds")
    scrapes.until("messages_enqueued", "message_wait_seconds", "message_duration_seconds", "messages")
    scrapes.until("provider_requests", "provider_request_duration_seconds", "data_last_success_timestamp_seconds")
    scrapes.until("queue_messages", "queue_oldest_message_age_seconds")
    scrapes.until("worker_slots_busy", "longest_running_message_seconds", "schedule_skipped")  # Yahoo is slow

    for upstream in CRYPTO:
        running.simulator.fault("server-error", upstream)
    scrapes.until("message_failures", "message_retries", "messages_dead_lettered")
    scrapes.until("circuit_breaker_state", "circuit_breaker_transitions")

    # what holds a message when it is killed leaves it without an owner
    running.simulator.fault("slow", "yahoo", seconds=8)
    asked = running.simulator.requests("yahoo")
    eventually("a stock run waits for Yahoo", lambda: running.simulator.requests("yahoo") != asked)
    running.kill("high")
    scrapes.until("queue_orphaned_messages")
    running.kill("scheduler")
    killed = time.time()
    eventually("some due times pass", lambda: time.time() > killed + 3)
    running.start_scheduler("second")
    scrapes.until("queue_reclaimed", "schedule_missed")

    running.start_tier("high")
    with running.redis() as client:
        eventually("the stock run is redelivered", lambda: client.keys("dramatiq:__acks__.*.high"))
    drain = threading.Thread(target=running.terminate, args=("high",))
    drain.start()
    scrapes.until("worker_draining")
    drain.join()
    assert {name for name in scrapes.seen if name.startswith("financehub_")} == set(CATALOGUE)
