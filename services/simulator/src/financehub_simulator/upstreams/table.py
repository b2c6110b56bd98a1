"""The table of simulated upstreams, with all facts about an upstream that code outside its own module needs.

To add an upstream, write a module with its name in this package that defines `UPSTREAM`, and add a row here. Its
routes, its faults and the FinanceHub settings that point at it are derived from the row. Faults that only this upstream
has are listed in `faults.py`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRow:
    """One upstream.

    Args:
        name: Name of its module, its path prefix in the simulator, and its name in faults and request counts.
        serves_quotes: Whether it serves prices, and can therefore serve wrong ones.
        has_url_setting: Whether FinanceHub has a setting `<name>_url`. The feeds of `rss` have a setting with all URLs.
        requires_api_key: Whether FinanceHub does not call it without the setting `<name>_api_key`.
    """

    name: str
    serves_quotes: bool
    has_url_setting: bool = True
    requires_api_key: bool = False


UPSTREAM_ROWS = (
    UpstreamRow(name="binance", serves_quotes=True),
    UpstreamRow(name="coingecko", serves_quotes=True),
    UpstreamRow(name="kraken", serves_quotes=True),
    UpstreamRow(name="yahoo", serves_quotes=True),
    UpstreamRow(name="finnhub", serves_quotes=True, requires_api_key=True),
    UpstreamRow(name="rss", serves_quotes=False, has_url_setting=False),
    UpstreamRow(name="gdelt", serves_quotes=False),
)
