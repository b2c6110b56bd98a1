"""The settings that make FinanceHub use a simulator instead of the real upstreams."""

from financehub_simulator.upstreams.rss import FEEDS
from financehub_simulator.upstreams.table import UPSTREAM_ROWS


def settings_for(url: str) -> dict[str, str]:
    """Return the environment variables that point every provider at the simulator at `url`."""
    url = url.rstrip("/")
    urls = {f"FINANCEHUB_{row.name.upper()}_URL": f"{url}/{row.name}" for row in UPSTREAM_ROWS if row.has_url_setting}
    # The simulator accepts any key, but FinanceHub does not call a provider without the key that it requires.
    api_keys = {
        f"FINANCEHUB_{row.name.upper()}_API_KEY": "simulated-key" for row in UPSTREAM_ROWS if row.requires_api_key
    }
    return {
        **urls,
        **api_keys,
        "FINANCEHUB_SIMULATED": "true",
        "FINANCEHUB_RSS_FEEDS": ",".join(f"{url}/rss/{name}" for name in FEEDS),
    }
