"""Tests that the documents list every host that providers and default feeds call."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import yfinance.data

from financehub_shared.core.provider_specs import PROVIDERS
from financehub_shared.core.settings import Settings
from financehub_shared.providers.transport.authorities import ADDING_VARIABLE, REPLACING_VARIABLES
from financehub_shared.providers.yahoo.provider import CHART_URL, QUOTE_URL

_ROOT = Path(__file__).parents[3]
_PAGE = (_ROOT / "docs" / "egress.md").read_text(encoding="utf-8")
_CHART = (_ROOT / "deploy" / "helm" / "financehub" / "README.md").read_text(encoding="utf-8")


def called_hosts() -> dict[str, set[str]]:
    """Return the hosts of each provider, from its base URL, its row and the default feeds."""
    hosts = {name: {*spec.hosts} for name, spec in PROVIDERS.items()}
    for name, spec in PROVIDERS.items():
        if spec.url is not None and spec.url.default:
            address = urlsplit(spec.url.default)
            assert (address.scheme, address.port) == ("https", None)
            hosts[name].add(address.hostname or "")
    for feed in Settings().rss_feeds:
        assert urlsplit(feed).scheme == "https"
        hosts["rss"].add(urlsplit(feed).hostname or "")
    return hosts


def test_page_lists_exactly_the_hosts_of_each_provider():
    """Each row has the hosts of its provider, and no provider is missing."""
    rows = re.findall(r"^\| `(\w+)` \| (`.*?`) \|", _PAGE, re.MULTILINE)
    assert {name: {*re.findall(r"`([^`]+)`", hosts)} for name, hosts in rows} == called_hosts()


def test_readme_of_the_chart_lists_the_same_hosts():
    """A list of hosts that users copy into a firewall contains every host."""
    section = _CHART.partition("## Which hosts to allow\n")[2].partition("\n## ")[0]
    missing = {host for hosts in called_hosts().values() for host in hosts if host not in section}
    assert missing == set()


def test_yahoo_calls_no_host_that_is_not_listed():
    """Every host in yfinance's session code, and in our own requests, is in the row of the provider or of a feed."""
    source = Path(yfinance.data.__file__).read_text(encoding="utf-8")
    code = source.partition("_SUBSCRIPTIONS_URL")[0]  # what follows is for users who log in
    found = {*re.findall(r"https://([a-z0-9.-]+\.yahoo\.com)", code)}
    found |= {urlsplit(url).hostname or "" for url in (QUOTE_URL, CHART_URL)}
    hosts = called_hosts()
    assert found <= hosts["yahoo"] | hosts["rss"]
    assert hosts["yahoo"] <= found


def test_page_names_every_variable():
    """The page explains each variable that the clients read."""
    for name in (*REPLACING_VARIABLES, ADDING_VARIABLE, "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        assert f"`{name}`" in _PAGE
