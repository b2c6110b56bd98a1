"""Tests of the settings that point FinanceHub at a simulator."""

from financehub_shared.core.settings import load_settings
from financehub_simulator.client_settings import settings_for


def test_settings_for_a_url_point_every_provider_at_it():
    """The settings are valid and point every provider at the simulator."""
    settings = load_settings(settings_for("http://127.0.0.1:8099/"))
    assert settings.simulated
    base = "http://127.0.0.1:8099"
    for name in ("binance", "coingecko", "kraken", "finnhub", "yahoo", "gdelt"):
        assert getattr(settings, f"{name}_url") == f"{base}/{name}"
    assert settings.rss_feeds[0] == f"{base}/rss/yahoo"
    assert len(settings.rss_feeds) == 5
    assert settings.finnhub_api_key is not None
