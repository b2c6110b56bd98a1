"""Tests of the mapping from real host names to path prefixes."""

import pytest

from financehub_simulator.hosts import is_simulated, with_upstream_prefix


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
def test_scope_with_a_real_host_gets_the_upstream_prefix(host: str, path: str, expected: str):
    """The Host header of a real service adds its upstream's prefix. Any other request stays unchanged."""
    scope = {"type": "http", "path": path, "headers": [(b"host", host.encode())]}
    assert with_upstream_prefix(scope)["path"] == expected


@pytest.mark.parametrize(
    ("host", "simulated"),
    [("api.coingecko.com:443", True), ("guce.yahoo.com", True), ("example.com:443", False), ("evil-yahoo.com", False)],
)
def test_is_simulated_is_true_only_for_imitated_hosts(host: str, simulated: bool):
    """Only the hosts that the simulator imitates are simulated, with or without a port."""
    assert is_simulated(host) is simulated
