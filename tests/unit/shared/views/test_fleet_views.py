"""Tests of the views of processes and providers, which only the API has."""

from financehub_shared.core.provider_specs import PROVIDERS
from financehub_shared.health.processes import ProcessInfo
from financehub_shared.metrics import BudgetFigures
from financehub_shared.monitor import RunRecord, RunState
from financehub_shared.views.processes import process_view
from financehub_shared.views.providers import provider_view

NOW = 1_800_000_000.0


def test_process_view_has_only_the_runs_that_this_process_has_in_progress() -> None:
    """A run is shown with the worker that has it, and since when."""
    process = ProcessInfo("w-1", "high", "host", 7, NOW - 60, NOW, ("high",), threads=4, busy=1, version="1.2.3")
    runs = [
        RunRecord(f"m-{worker}", "task", "high", RunState.RUNNING, started_at=NOW - 5, worker=worker)
        for worker in ("w-1", "w-2")
    ]
    view = process_view(process, runs)
    assert view["running"] == [{"message_id": "m-w-1", "task": "task", "started_at": "2027-01-15T07:59:55.000Z"}]
    assert (view["version"], view["busy"], view["queues"]) == ("1.2.3", 1, ["high"])


def test_provider_view_has_its_place_in_each_order_and_the_use_of_its_budgets() -> None:
    """A dataset for which the provider is not called is missing, and other upstreams' budgets are left out."""
    orders = {"quotes:crypto": ["coingecko", "binance"], "bars": ["kraken"], "news": ["rss"]}
    figures = [BudgetFigures(name, "60s", 12, 6_000) for name in ("binance", "binanceus", "rss:a", "rss:b")]
    views = {
        name: provider_view(PROVIDERS[name], [], {}, {}, NOW, orders=orders, budgets=figures)
        for name in ("binance", "rss")
    }
    assert views["binance"]["positions"] == {"quotes:crypto": 2}
    used = {"upstream": "binance", "window_seconds": 60.0, "units": 6_000, "used": 12}
    assert views["binance"]["budgets"] == [used]
    assert [budget["upstream"] for budget in views["rss"]["budgets"]] == ["rss:a", "rss:b"]
