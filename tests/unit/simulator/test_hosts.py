"""From real host names to the simulator's prefixes."""

import pytest

from financehub_simulator.hosts import is_simulated, prefixed


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("query2.finance.yahoo.com", "/v8/finance/chart/AAPL", "/yahoo/v8/finance/chart/AAPL"),
        ("fc.yahoo.com", "/", "/yahoo/"),
        ("data-api.binance.vision:443", "/api/v3/klines", "/binance/api/v3/klines"),
        ("API.Kraken.com", "/0/public/Ticker", "/kraken/0/public/Ticker"),
        ("finance.yahoo.com", "/news/rssindex", "/rss/yahoo"),
        ("finance.yahoo.com", "/quote/AAPL", "/yahoo/quote/AAPL"),
        ("www.coindesk.com", "/arc/outboundfeeds/rss/", "/rss/coindesk"),
        ("127.0.0.1:8099", "/binance/api/v3/klines", "/binance/api/v3/klines"),
        ("yahoo.com.example.org", "/", "/"),
    ],
)
def test_real_hosts_lead_to_their_upstream(host: str, path: str, expected: str):
    """A request with a real Host header is served as if it had the upstream's prefix; any other is left alone."""
    scope = {"type": "http", "path": path, "headers": [(b"host", host.encode())]}
    assert prefixed(scope)["path"] == expected


@pytest.mark.parametrize(
    ("host", "simulated"),
    [("api.coingecko.com:443", True), ("guce.yahoo.com", True), ("example.com:443", False), ("evil-yahoo.com", False)],
)
def test_only_stood_in_hosts_are_simulated(host: str, simulated: bool):
    """The proxy's question: is this a host that the simulator stands in for?"""
    assert is_simulated(host) is simulated
