"""Tests that Prometheus's own tools and parsers accept the metrics of real processes."""

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
from support.fleet import Fleet
from support.promtool import promtool_path
from support.redis_server import RedisServer
from support.simulator import RunningSimulator
from support.waiting import eventually

PROCESSES = ("scheduler", "high", "medium", "low")
#: `Accept` header of Prometheus 2 and 3.
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

Scrapes = dict[str, tuple[str, str]]


def scrape(port: int, accept: str = "") -> tuple[str, str]:
    """Return the content type and the body of a scrape."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept} if accept else {})
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 — our own HTTP URL
        return answer.headers["Content-Type"], answer.read().decode()


@pytest.fixture
def fleet(tmp_path: Path, redis_server: Callable[..., RedisServer]) -> Iterator[Fleet]:
    """Start four processes and wait until every task has succeeded and one task has failed."""
    with RunningSimulator(enforce_rate_limits=False) as simulator:
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
                    eventually(lambda task=task: _count(monitor, task, "succeeded"), f"{task} succeeds", 120)
                running.simulator.set_fault("server-error", "rss")
                running.simulator.set_fault("server-error", "gdelt")
                eventually(lambda: _count(monitor, "fetch_news_task", "dead_lettered"), "news fail", 120)
            yield running
        finally:
            running.stop()


def _count(monitor: TaskMonitor, task: str, outcome: str) -> int:
    stats = monitor.get_all_stats().get(task)
    return getattr(stats, outcome) if stats else 0


def check_with_promtool(text: str) -> "subprocess.CompletedProcess[str]":
    """Run promtool on a scrape."""
    return subprocess.run(
        [promtool_path(), "check", "metrics"], input=text, capture_output=True, text=True, timeout=180, check=False
    )


def test_metrics_of_a_working_fleet_are_valid_in_both_formats(fleet: Fleet) -> None:
    """Promtool's linter accepts the metrics of all processes. A client that requests OpenMetrics gets it, and the
    strict parser accepts it. Both formats have the same families, types and series.
    """
    promtool_path()
    scrapes: Scrapes = {name: _complete_scrape(fleet.ports[name]) for name in PROCESSES}
    openmetrics_scrapes: Scrapes = {name: _complete_scrape(fleet.ports[name], OPENMETRICS) for name in PROCESSES}
    complaints = {name: _promtool_result(text) for name, (_, text) in scrapes.items()}
    assert complaints == dict.fromkeys(PROCESSES, (0, ""))

    for name in PROCESSES:
        assert scrapes[name][0].startswith("text/plain; version=0.0.4")
        assert openmetrics_scrapes[name][0].startswith("application/openmetrics-text; version=1.0.0")
        # In the older format, a counter's family has the name of its samples, which the parser corrects.
        plain = {family.name: family for family in parse_text(scrapes[name][1])}
        open_metrics = {family.name: family for family in parse_openmetrics(openmetrics_scrapes[name][1])}
        assert len(plain) > 30, f"{name} serves too few metrics"
        assert {key: family.type for key, family in plain.items()} == {
            key: family.type for key, family in open_metrics.items()
        }
        for key, family in plain.items():
            expected = {sample.name for sample in open_metrics[key].samples}
            assert {sample.name for sample in family.samples} == expected, key
        assert ("financehub_event_loop_lag_seconds" in plain) is (name == "scheduler")
        assert ("financehub_worker_draining" in plain) is (name != "scheduler")
        for family in (*plain.values(), *open_metrics.values()):
            for sample in family.samples:
                assert sample.labels["release"] == "local"
                assert sample.labels["component"] == name


def _complete_scrape(port: int, accept: str = "") -> tuple[str, str]:
    """Scrape until no metrics are missing because of a slow machine."""

    def try_scrape() -> tuple[str, str] | None:
        answer = scrape(port, accept)
        has_fleet = "financehub_queue_messages{" in answer[1] or 'component="scheduler"' not in answer[1]
        uses_providers = re.search('component="(high|medium)"', answer[1])
        has_budgets = "financehub_provider_budget" in answer[1] or not uses_providers
        return answer if has_fleet and has_budgets else None

    found = eventually(try_scrape, f"a complete scrape of {port}")
    assert found is not None
    return found


def _promtool_result(text: str) -> tuple[int, str]:
    done = check_with_promtool(text)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("scrape_text", "message"),
    [
        ("# HELP financehub_events Events\n# TYPE financehub_events counter\nfinancehub_events 1\n", "_total"),
        ("# TYPE financehub_lag_seconds gauge\nfinancehub_lag_seconds 1\n", "no help text"),
        ("# HELP a_milliseconds x\n# TYPE a_milliseconds gauge\na_milliseconds 1\n", "base unit"),
        ("not a metric at all\n", "error"),
    ],
    ids=["name of a counter", "no help", "unit", "no metrics"],
)
def test_promtool_with_invalid_metrics_fails(scrape_text: str, message: str) -> None:
    """The linter that the test above relies on refuses invalid metrics."""
    code, output = _promtool_result(scrape_text)
    assert code != 0
    assert re.search(message, output), output
