"""What a scrape reads: sources in order, bounded when Redis is away, never an old number."""

import threading
from collections.abc import Callable, Iterable

import pytest
import redis
from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from structlog.testing import capture_logs

from financehub_shared.core.errors import CorruptDataError, StoreUnavailableError
from financehub_shared.metrics import Metrics, Source
from financehub_shared.metrics.families import gauge


def figure(name: str, value: float = 1.0) -> Metric:
    """A family with one series."""
    return gauge(name, "A figure", [], {(): value})


class Probe:
    """A Redis that answers or does not."""

    def __init__(self, *, answers: bool) -> None:
        self.answers = answers

    def look(self) -> tuple[list[Metric], bool]:
        return [figure("redis_up", float(self.answers))], self.answers


def failing(error: Exception) -> Callable[[], Iterable[Metric]]:
    """A source that always fails."""

    def read() -> Iterable[Metric]:
        raise error

    return read


def scraped(metrics: Metrics, *names: str) -> dict[str, float | None]:
    """Values by name, from one scrape."""
    text = generate_latest(metrics.registry).decode()
    values = {line.split("{")[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[0] != "#"}
    return {name: values.get(f"financehub_{name}") for name in names}


def test_a_figure_is_read_at_each_scrape() -> None:
    """A source shows what it says now, not what it said when it was added."""
    values = iter([3.0, 9.0])
    metrics = Metrics("scheduler")
    metrics.add_source(Source("queues", lambda: [figure("depth", next(values))]))
    assert scraped(metrics, "depth") == {"depth": 3.0}
    assert scraped(metrics, "depth") == {"depth": 9.0}


def test_with_redis_away_only_sources_that_ask_redis_are_left_out() -> None:
    """The probe's verdict spares the rest of the scrape every further question to Redis."""
    asked: list[str] = []

    def read(name: str) -> list[Metric]:
        asked.append(name)
        return [figure(name)]

    metrics = Metrics("scheduler")
    metrics.probe_redis(Probe(answers=False))
    metrics.add_source(Source("fleet", lambda: read("fleet")))
    metrics.add_source(Source("own", lambda: read("own"), asks_redis=False))
    assert scraped(metrics, "redis_up", "fleet", "own") == {"redis_up": 0.0, "fleet": None, "own": 1.0}
    assert asked == ["own"]


@pytest.mark.parametrize(
    "error", [redis.TimeoutError("hung"), redis.ConnectionError("gone"), StoreUnavailableError("away")], ids=repr
)
def test_redis_lost_in_the_middle_of_a_scrape_is_waited_for_once(error: Exception) -> None:
    """After one source has met the timeout, those behind it are not asked: their timeouts would add up."""
    metrics = Metrics("scheduler")
    metrics.probe_redis(Probe(answers=True))
    metrics.add_source(Source("first", failing(error)))
    metrics.add_source(Source("second", lambda: [figure("second")]))
    assert scraped(metrics, "redis_up", "second") == {"redis_up": 1.0, "second": None}


def test_a_source_with_a_bug_costs_the_others_nothing_and_is_logged_once() -> None:
    """An unforeseen error leaves its own figures out, and says so when it begins, not at every scrape."""
    metrics = Metrics("scheduler")
    metrics.add_source(Source("broken", failing(ValueError("unforeseen"))))
    metrics.add_source(Source("sound", lambda: [figure("sound")]))
    with capture_logs() as logs:
        assert scraped(metrics, "sound") == {"sound": 1.0}
        assert scraped(metrics, "sound") == {"sound": 1.0}
    assert [(entry["event"], entry["source"]) for entry in logs] == [("metrics_source_failed", "broken")]


@pytest.mark.parametrize(
    "error",
    [redis.ResponseError("WRONGTYPE"), redis.exceptions.NoPermissionError("NOPERM"), CorruptDataError("k", "x")],
)
def test_one_command_that_redis_refuses_costs_no_other_source(error: Exception) -> None:
    """A refused command or a damaged record is the source's own trouble: Redis is there for the others."""
    metrics = Metrics("scheduler")
    metrics.probe_redis(Probe(answers=True))
    wrapped = StoreUnavailableError("Redis did not carry it out")
    wrapped.__cause__ = error
    metrics.add_source(Source("first", failing(error)))
    metrics.add_source(Source("second", failing(wrapped)))
    metrics.add_source(Source("third", lambda: [figure("third")]))
    assert scraped(metrics, "third") == {"third": 1.0}


def test_a_probe_with_a_bug_costs_the_process_only_what_redis_knows() -> None:
    """Whatever the probe raises, the scrape answers with what the process itself counts."""

    class Broken(Probe):
        def look(self) -> tuple[list[Metric], bool]:
            raise ValueError("unforeseen")

    metrics = Metrics("scheduler")
    metrics.probe_redis(Broken(answers=True))
    metrics.add_source(Source("fleet", lambda: [figure("fleet")]))
    assert scraped(metrics, "build_info", "fleet") == {"build_info": 1.0, "fleet": None}


def test_a_scrape_goes_on_without_a_source_that_waits_for_a_slow_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a read takes, the scrape ends in time with everything else, and a later one reads again."""
    monkeypatch.setattr("financehub_shared.metrics.scrape.PATIENCE_SECONDS", 0.05)
    go_on = threading.Event()

    def slow() -> list[Metric]:
        # a scrape that waits longer than its patience gets the figure and fails the test
        go_on.wait(2)
        return [figure("slow")]

    metrics = Metrics("scheduler")
    metrics.probe_redis(Probe(answers=True))
    metrics.add_source(Source("own", lambda: [figure("own")], asks_redis=False))
    metrics.add_source(Source("fleet", slow))
    assert scraped(metrics, "own", "slow") == {"own": 1.0, "slow": None}
    monkeypatch.undo()
    go_on.set()
    assert scraped(metrics, "own", "slow") == {"own": 1.0, "slow": 1.0}
