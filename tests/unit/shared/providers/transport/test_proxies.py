"""Tests of the rules that choose the proxy of a request."""

import pytest

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import load_settings
from financehub_shared.providers.transport.egress import Egress
from financehub_shared.providers.transport.proxies import Proxy, ProxyRules

PROXY = "http://proxy.corp:3128"


def chosen(url: str, **environment: str) -> str:
    """Return the URL of the proxy that these variables choose, or an empty string."""
    proxy = ProxyRules.from_environment(environment).proxy_for(url)
    return proxy.url if proxy else ""


@pytest.mark.parametrize(
    ("url", "environment", "expected"),
    [
        ("https://a.test/x", {}, ""),
        ("https://a.test/x", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https://a.test/x", {"https_proxy": PROXY}, PROXY),
        ("https://a.test/x", {"HTTP_PROXY": PROXY}, ""),
        ("http://a.test/x", {"HTTP_PROXY": PROXY}, PROXY),
        ("http://a.test/x", {"HTTPS_PROXY": PROXY}, ""),
        ("https://a.test/x", {"ALL_PROXY": PROXY}, PROXY),
        ("https://a.test/x", {"ALL_PROXY": "http://other:1", "HTTPS_PROXY": PROXY}, PROXY),
        ("https://a.test/x", {"HTTPS_PROXY": "http://other:1", "https_proxy": PROXY}, PROXY),
        ("https://a.test/x", {"HTTPS_PROXY": PROXY, "https_proxy": ""}, ""),
        ("https://a.test/x", {"HTTPS_PROXY": "proxy.corp:3128"}, PROXY),
        ("https://a.test/x", {"HTTPS_PROXY": " http://proxy.corp:3128/ "}, PROXY),
        ("https://a.test/x", {"HTTPS_PROXY": "http://proxy.corp"}, "http://proxy.corp:80"),
        ("https://a.test/x", {"HTTPS_PROXY": "https://proxy.corp"}, "https://proxy.corp:443"),
        ("https://a.test/x", {"HTTPS_PROXY": "http://u:p@[fd00::1]:3128"}, "http://[fd00::1]:3128"),
        ("HTTPS://a.test/x", {"HTTPS_PROXY": PROXY}, PROXY),
    ],
)
def test_proxy_with_these_variables_is_chosen(url: str, environment: dict[str, str], expected: str):
    """The scheme of the request selects the variable, and a name in lower case takes precedence, as with curl."""
    assert chosen(url, **environment) == expected


@pytest.mark.parametrize(
    ("no_proxy", "host", "is_direct"),
    [
        ("*", "a.test", True),
        ("a.test", "a.test", True),
        ("A.TEST", "a.test", True),
        ("a.test", "b.a.test", True),
        (".a.test", "b.a.test", True),
        (".a.test", "a.test", True),
        ("*.a.test", "b.a.test", True),
        ("a.test", "ba.test", False),
        ("a.test", "a.test.", True),
        ("a.test:443", "a.test", True),
        ("a.test:8443", "a.test", False),
        ("b.test, a.test", "a.test", True),
        ("b.test a.test", "a.test", True),
        ("10.0.0.0/8", "10.9.8.7", True),
        ("10.0.0.0/8", "11.9.8.7", False),
        ("10.9.8.7", "10.9.8.7", True),
        ("10.9.8.7:443", "10.9.8.7", True),
        ("10.9.8.7:80", "10.9.8.7", False),
        ("fd00::/8", "[fd00::1]", True),
        ("[fd00::1]:443", "[fd00::1]", True),
        ("fd00::1", "[fd00::2]", False),
        ("10.0.0.0/8", "a.test", False),
        ("", "a.test", False),
        (",, ,", "a.test", False),
        (".", "a.test", False),
        ("not/a/network", "a.test", False),
    ],
)
def test_no_proxy_in_every_form_covers_the_hosts_that_it_means(no_proxy: str, host: str, is_direct: bool):
    """Names cover their subdomains, networks cover addresses, and a port limits an entry."""
    assert (chosen(f"https://{host}/x", HTTPS_PROXY=PROXY, NO_PROXY=no_proxy) == "") is is_direct


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "redis.localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_this_machine_is_called_directly_without_no_proxy(host: str):
    """A proxy is never asked for a server on this machine, because it would look on its own machine."""
    assert chosen(f"http://{host}:8099/x", HTTP_PROXY=PROXY) == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("socks5://secret-user:secret-password@proxy:1080", "a proxy with the scheme socks5:// is not supported"),
        ("http://secret-user:secret#password@proxy:3128", "the URL of the proxy cannot be read"),
        ("http://proxy:port", "the URL of the proxy cannot be read"),
        ("http://proxy:99999", "the URL of the proxy cannot be read"),
        ("http://[::1", "the URL of the proxy cannot be read"),
        ("http://", "contains no host"),
        ("http://secret-user:secret-password@", "contains no host"),
    ],
)
def test_invalid_proxy_is_refused_without_its_password(text: str, problem: str):
    """The message names the variable, the problem and the form, and quotes nothing that may be secret."""
    with pytest.raises(ConfigError) as caught:
        ProxyRules.from_environment({"HTTPS_PROXY": text})
    message = str(caught.value)
    assert message.startswith(f"HTTPS_PROXY: {problem}" if problem[0] == "a" else "HTTPS_PROXY: the URL of the proxy")
    assert problem in message
    assert "write http://host:port" in message
    assert "secret" not in message


def test_proxy_with_a_password_shows_it_nowhere():
    """The password is decoded for the proxy, and neither the URL nor the repr contains it."""
    proxy = ProxyRules.from_environment({"HTTPS_PROXY": "http://al%40ice:p%2Fss@proxy:3128"}).proxy_for(
        "https://a.test"
    )
    assert isinstance(proxy, Proxy)
    assert proxy.auth == ("al@ice", "p/ss")
    assert proxy.url == "http://proxy:3128"
    assert "p/ss" not in repr(proxy)


@pytest.mark.parametrize("simulated", [True, False])
def test_simulator_of_a_cluster_is_called_directly(simulated: bool):
    """The simulator has the name of a Service, which NO_PROXY may not contain, and still no request uses the proxy."""
    settings = load_settings({"FINANCEHUB_SIMULATED": str(simulated).lower()})
    egress = Egress.from_environment(settings, {"HTTP_PROXY": PROXY})
    assert (egress.proxy_for("http://financehub-simulator:8099/binance") is None) is simulated
