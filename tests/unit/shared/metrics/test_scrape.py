"""Scrapes read their sources in order and in bounded time, and never expose an outdated value."""

import threading
from collections.abc import Callable, Iterable

import pytest
import redis
from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from structlog.testing import capture_logs

from financehub_shared.core.errors import CorruptDataError, StoreUnavailableError
from financehub_shared.metrics import Metrics, MetricSource
from financehub_shared.metrics.families import gauge

_LIMIT = "financehub_shared.metrics.scrape.MAX_WAIT_SECONDS"


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may need longer than a scrape waits for its sources."""
    monkeypatch.setattr(_LIMIT, 60)


def family(name: str, value: float = 1.0) -> Metric:
    """Build a family with one series."""
    return gauge(name, "A metric", [], {(): value})


class Probe:
    """A probe of a Redis that replies or does not."""

    def __init__(self, *, answers: bool) -> None:
        self.answers = answers

    def collect(self) -> tuple[list[Metric], bool]:
        return [family("redis_up", float(self.answers))], self.answers


def failing(error: Exception) -> Callable[[], Iterable[Metric]]:
    """Return a read function that always raises."""

    def read() -> Iterable[Metric]:
        raise error

    return read


def scraped(metrics: Metrics, *names: str) -> dict[str, float | None]:
    """Return name → value from one scrape."""
    text = generate_latest(metrics.registry).decode()
    values = {line.split("{")[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[0] != "#"}
    return {name: values.get(f"financehub_{name}") for name in names}


def test_source_is_read_at_each_scrape() -> None:
    """Each scrape exposes the current value of a source."""
    values = iter([3.0, 9.0])
    metrics = Metrics("scheduler")
    metrics.add_source(MetricSource("queues", lambda: [family("depth", next(values))]))
    assert scraped(metrics, "depth") == {"depth": 3.0}
    assert scraped(metrics, "depth") == {"depth": 9.0}


def test_sources_that_need_redis_are_skipped_if_probe_fails() -> None:
    """If the probe finds Redis unavailable, only sources that do not need Redis are read."""
    called: list[str] = []

    def read(name: str) -> list[Metric]:
        called.append(name)
        return [family(name)]

    metrics = Metrics("scheduler")
    metrics.set_redis_probe(Probe(answers=False))
    metrics.add_source(MetricSource("fleet", lambda: read("fleet")))
    metrics.add_source(MetricSource("own", lambda: read("own"), needs_redis=False))
    assert scraped(metrics, "redis_up", "fleet", "own") == {"redis_up": 0.0, "fleet": None, "own": 1.0}
    assert called == ["own"]


@pytest.mark.parametrize(
    "error", [redis.TimeoutError("hung"), redis.ConnectionError("gone"), StoreUnavailableError("away")], ids=repr
)
def test_sources_after_redis_failure_are_skipped(error: Exception) -> None:
    """After one source found Redis unavailable, the others are not read, because their timeouts would add up."""
    metrics = Metrics("scheduler")
    metrics.set_redis_probe(Probe(answers=True))
    metrics.add_source(MetricSource("first", failing(error)))
    metrics.add_source(MetricSource("second", lambda: [family("second")]))
    assert scraped(metrics, "redis_up", "second") == {"redis_up": 1.0, "second": None}


def test_failing_source_is_left_out_and_logged_once() -> None:
    """A source with an unexpected error is left out, and the error is logged once and not on every scrape."""
    metrics = Metrics("scheduler")
    metrics.add_source(MetricSource("broken", failing(ValueError("unexpected"))))
    metrics.add_source(MetricSource("working", lambda: [family("working")]))
    with capture_logs() as logs:
        assert scraped(metrics, "working") == {"working": 1.0}
        assert scraped(metrics, "working") == {"working": 1.0}
    assert [(entry["event"], entry["source"]) for entry in logs] == [("metrics_source_failed", "broken")]


@pytest.mark.parametrize(
    "error",
    [redis.ResponseError("WRONGTYPE"), redis.exceptions.NoPermissionError("NOPERM"), CorruptDataError("k", "x", "y")],
)
def test_refused_command_does_not_affect_other_sources(error: Exception) -> None:
    """A refused command or a damaged record affects only its source, because Redis is available for the others."""
    metrics = Metrics("scheduler")
    metrics.set_redis_probe(Probe(answers=True))
    wrapped = StoreUnavailableError("Redis command failed")
    wrapped.__cause__ = error
    metrics.add_source(MetricSource("first", failing(error)))
    metrics.add_source(MetricSource("second", failing(wrapped)))
    metrics.add_source(MetricSource("third", lambda: [family("third")]))
    assert scraped(metrics, "third") == {"third": 1.0}


def test_failing_probe_leaves_counted_metrics() -> None:
    """If the probe raises an error, the scrape still exposes the metrics that the process counts."""

    class Broken(Probe):
        def collect(self) -> tuple[list[Metric], bool]:
            raise ValueError("unexpected")

    metrics = Metrics("scheduler")
    metrics.set_redis_probe(Broken(answers=True))
    metrics.add_source(MetricSource("fleet", lambda: [family("fleet")]))
    assert scraped(metrics, "build_info", "fleet") == {"build_info": 1.0, "fleet": None}


def test_scrape_with_slow_source_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow read is left out of a scrape, which ends in time, and a later scrape reads the source again."""
    monkeypatch.setattr(_LIMIT, 0.05)
    release = threading.Event()

    def slow() -> list[Metric]:
        # A scrape that waits longer than allowed would get the value and fail the test.
        release.wait(60)
        return [family("slow")]

    metrics = Metrics("scheduler")
    metrics.set_redis_probe(Probe(answers=True))
    metrics.add_source(MetricSource("own", lambda: [family("own")], needs_redis=False))
    metrics.add_source(MetricSource("fleet", slow))
    assert scraped(metrics, "own", "slow") == {"own": 1.0, "slow": None}
    monkeypatch.setattr(_LIMIT, 60)
    release.set()
    assert scraped(metrics, "own", "slow") == {"own": 1.0, "slow": 1.0}
