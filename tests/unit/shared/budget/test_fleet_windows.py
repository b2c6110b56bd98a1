"""Tests of the list of all windows of the fleet's budgets."""

from financehub_shared.budget.usage import fleet_windows
from financehub_shared.core.provider_specs import PROVIDERS


def test_fleet_windows_has_each_limit_of_each_provider() -> None:
    """A provider without parts has one budget for each of its limits, whether it has been called or not."""
    windows = fleet_windows([])
    plain = [spec for spec in PROVIDERS.values() if not spec.has_parts]
    assert windows == [(spec.name, limit) for spec in plain for limit in spec.limits]
    assert len(windows) >= 6


def test_fleet_windows_has_the_parts_that_have_been_called() -> None:
    """Each feed has its own budget, which is known once the feed has been called. Other upstreams are left out."""
    windows = fleet_windows(["rss:b", "binance", "rss:a", "rssother", "unknown:a"])
    assert [upstream for upstream, _ in windows if upstream.startswith("rss")] == ["rss:a", "rss:b"]
    assert "unknown:a" not in dict(windows)
