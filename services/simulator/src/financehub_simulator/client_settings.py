"""The settings that make FinanceHub use a simulator in place of the real upstreams."""

from financehub_simulator.upstreams.rss import FEEDS

_UPSTREAMS_WITH_URL_SETTING = ("binance", "coingecko", "kraken", "finnhub", "yahoo", "gdelt")


def settings_for(url: str) -> dict[str, str]:
    """Return the environment variables that point every provider at the simulator at `url`."""
    url = url.rstrip("/")
    urls = {f"FINANCEHUB_{name.upper()}_URL": f"{url}/{name}" for name in _UPSTREAMS_WITH_URL_SETTING}
    return {
        **urls,
        "FINANCEHUB_SIMULATED": "true",
        "FINANCEHUB_RSS_FEEDS": ",".join(f"{url}/rss/{name}" for name in FEEDS),
        "FINANCEHUB_FINNHUB_API_KEY": "simulated-key",
    }
