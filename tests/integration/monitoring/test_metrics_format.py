"""Prometheus's own tools and parsers accept what real processes serve without a complaint."""

import re
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from financehub_shared.core.catalog import CATALOG
from financehub_shared.monitor import TaskMonitor
from financehub_simulator.testing import RunningSimulator
from support.fleet import Fleet, eventually
from support.promtool import promtool_path
from support.redis_server import RedisServer

PROCESSES = ("scheduler", "high", "medium", "low")
#: As Prometheus 2 and 3 ask.
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

Scrapes = dict[str, tuple[str, str]]


def scrape(port: int, accept: str = "") -> tuple[str, str]:
    """Content type and body of an answer."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept} if accept else {})
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 — our own http URL
        return answer.headers["Content-Type"], answer.read().decode()


@pytest.fixture
def fleet(tmp_path: Path, redis_server: Callable[..., RedisServer]) -> Iterator[Fleet]:
    """Four processes that have all done work, good and bad: every task has succeeded, and one has failed."""
    with RunningSimulator(limited=False) as simulator:
        running = Fleet(tmp_path, redis_server("--maxmemory", "200mb"), simulator, {"DRAMATIQ_MAX_RETRIES": "0"})
        try:
            for task in CATALOG:
                running.schedule(task.replace("_", "-"), task, "@every 2s")
            running.start_scheduler()
            for tier in PROCESSES[1:]:
                running.start_tier(tier)
            with running.redis() as client:
                monitor = TaskMonitor(client)
                for task in CATALOG:
                    eventually(f"{task} succeeds", lambda task=task: _count(monitor, task, "succeeded"))
                running.simulator.fault("server-error", "rss")
                running.simulator.fault("server-error", "gdelt")
                eventually("news fail", lambda: _count(monitor, "fetch_news_task", "dead_lettered"))
            yield running
        finally:
            running.stop()


def _count(monitor: TaskMonitor, task: str, outcome: str) -> int:
    stats = monitor.get_all_stats().get(task)
    return getattr(stats, outcome) if stats else 0


def check(text: str) -> "subprocess.CompletedProcess[str]":
    """What promtool says of a scrape."""
    return subprocess.run(
        [promtool_path(), "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
    )


def test_four_processes_at_work_serve_what_prometheus_takes_without_a_complaint(fleet: Fleet) -> None:
    """Promtool's linter has no complaint about any of them, a client that asks for OpenMetrics gets it and the strict
    parser accepts it, and both formats have the same families, types, and series.
    """
    promtool_path()
    scrapes: Scrapes = {name: _whole(fleet.ports[name]) for name in PROCESSES}
    asked: Scrapes = {name: _whole(fleet.ports[name], OPENMETRICS) for name in PROCESSES}
    complaints = {name: _complaints(text) for name, (_, text) in scrapes.items()}
    assert complaints == dict.fromkeys(PROCESSES, (0, ""))

    for name in PROCESSES:
        assert scrapes[name][0].startswith("text/plain; version=0.0.4")
        assert asked[name][0].startswith("application/openmetrics-text; version=1.0.0")
        # the older format gives a counter's family the name of its samples; its parser undoes that
        plain = {one.name: one for one in parse_text(scrapes[name][1])}
        open_metrics = {one.name: one for one in parse_openmetrics(asked[name][1])}
        assert len(plain) > 30, f"{name} serves next to nothing"
        assert {key: one.type for key, one in plain.items()} == {key: one.type for key, one in open_metrics.items()}
        for key, one in plain.items():
            assert {sample.name for sample in one.samples} == {each.name for each in open_metrics[key].samples}, key
        assert ("financehub_event_loop_lag_seconds" in plain) is (name == "scheduler")
        assert ("financehub_worker_draining" in plain) is (name != "scheduler")
        for family in (*plain.values(), *open_metrics.values()):
            for sample in family.samples:
                assert sample.labels["release"] == "local"
                assert sample.labels["component"] == name


def _whole(port: int, accept: str = "") -> tuple[str, str]:
    """A scrape in which nothing was left out because a loaded machine answered too late."""

    def look() -> tuple[str, str] | None:
        answer = scrape(port, accept)
        fleet_is_there = "financehub_queue_messages{" in answer[1] or 'component="scheduler"' not in answer[1]
        asks_providers = re.search('component="(high|medium)"', answer[1])
        budgets_are_there = "financehub_provider_budget" in answer[1] or not asks_providers
        return answer if fleet_is_there and budgets_are_there else None

    found = eventually(f"a whole scrape of {port}", look)
    assert found is not None
    return found


def _complaints(text: str) -> tuple[int, str]:
    done = check(text)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("# HELP financehub_events Events\n# TYPE financehub_events counter\nfinancehub_events 1\n", "_total"),
        ("# TYPE financehub_lag_seconds gauge\nfinancehub_lag_seconds 1\n", "no help text"),
        ("# HELP a_milliseconds x\n# TYPE a_milliseconds gauge\na_milliseconds 1\n", "base unit"),
        ("not a metric at all\n", "error"),
    ],
    ids=["name of a counter", "no help", "unit", "no metrics"],
)
def test_promtool_complains_of_a_bad_scrape(bad: str, says: str) -> None:
    """The linter that the test above relies on does complain about a bad scrape."""
    code, output = _complaints(bad)
    assert code != 0
    assert re.search(says, output), output
