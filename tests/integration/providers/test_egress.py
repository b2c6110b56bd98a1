"""Tests of proxies and private certificate authorities, for the client of every provider, with real TLS."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from financehub_shared.core.clock import ManualClock, SystemClock
from financehub_shared.core.errors import CertificateError, ProviderError, ProxyFailedError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset
from financehub_shared.core.provider_specs import PROVIDERS
from financehub_shared.core.settings import load_settings
from financehub_shared.providers.build import build_providers
from financehub_shared.providers.transport.authorities import REPLACING_VARIABLES
from financehub_shared.providers.transport.egress import Egress
from financehub_shared.providers.transport.http import HttpClient
from financehub_shared.providers.transport.peer_certificate import REMEMBERED_SECONDS, CertificateInspector
from financehub_shared.providers.yahoo.session import YahooSession
from financehub_simulator.hosts import real_hosts
from support.egress_lab import ProxyServer, Site, authority, server_identity, trusted_pem
from support.redis_server import free_port
from support.simulator import RunningSimulator

CLOCK = SystemClock()
COIN, STOCK = Asset("BTC-USD", AssetType.CRYPTO), Asset("AAPL", AssetType.STOCK)
FEED = "https://feeds.content.dowjones.io/public/rss/mw_topstories"
#: Provider → the first host that it calls.
HOSTS = {
    "binance": "data-api.binance.vision",
    "coingecko": "api.coingecko.com",
    "kraken": "api.kraken.com",
    "yahoo": "fc.yahoo.com",
    "finnhub": "finnhub.io",
    "rss": "feeds.content.dowjones.io",
    "gdelt": "api.gdeltproject.org",
}
#: One provider for each client: httpx and curl.
CLIENTS = ("coingecko", "yahoo")
ISSUER = "Example Corp TLS Inspection"
_VARIABLES = (*REPLACING_VARIABLES, "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


async def call(provider: str, environment: Mapping[str, str] = {}) -> ProviderError | None:
    """Call a provider once with these settings, and return its error."""
    settings = load_settings({"FINANCEHUB_FINNHUB_API_KEY": "k", "FINANCEHUB_RSS_FEEDS": FEED} | dict(environment))
    providers = build_providers(settings, CLOCK, lambda *_: None, redis_url=None)
    deadline = CLOCK.monotonic() + 60
    one = providers._provider(provider)
    try:
        if hasattr(one, "fetch_news"):
            batch = await one.fetch_news(None, deadline)
            return next(iter(batch.failed.values()), None)
        asset = STOCK if provider in ("yahoo", "finnhub") else COIN
        quotes = await one.fetch_quotes([asset], deadline)
        return next(iter(quotes.missing.values()), None)
    except ProviderError as error:
        return error
    finally:
        await providers.aclose()


@dataclass
class Lab:
    """Servers with certificates of a private authority.

    Args:
        directory: Directory for files.
        stack: Stops the servers.
        environment: The monkeypatch of the test.
    """

    directory: Path
    stack: ExitStack
    environment: pytest.MonkeyPatch
    issuer: object = field(default_factory=lambda: authority(ISSUER))

    @property
    def ca_file(self) -> str:
        """File with the private authority."""
        path = self.directory / "ca.crt"
        path.write_bytes(self.issuer.pem)
        return str(path)

    def site(self, kind: str = "private") -> Site:
        """Start a server with a certificate of this kind."""
        hosts = [*real_hosts(), *HOSTS.values()]
        identity = {
            "private": lambda: server_identity(hosts, self.issuer),
            "unknown": lambda: server_identity(hosts, authority("Somebody Else CA")),
            "expired": lambda: server_identity(hosts, self.issuer, ends_in=timedelta(hours=-1)),
            "self-signed": lambda: server_identity(hosts, None, name="proxy.example.com"),
            "wrong-host": lambda: server_identity(["intranet.example.com"], self.issuer),
        }[kind]()
        return self.stack.enter_context(Site(identity.write(self.directory, kind)))

    def proxy(self, site: Site, **options: object) -> ProxyServer:
        """Start a proxy in front of a server."""
        return self.stack.enter_context(ProxyServer(site.port, **options))

    def set(self, **variables: str) -> None:
        """Set environment variables of this process."""
        for name, value in variables.items():
            self.environment.setenv(name, value)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab, without variables of the machine that runs the test."""
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with ExitStack() as stack:
        yield Lab(tmp_path, stack, monkeypatch)


@pytest.fixture(scope="module")
def real_hosts_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningSimulator, Path]]:
    """A simulator of the real hosts, with a CONNECT proxy and its own authority."""
    directory = tmp_path_factory.mktemp("ca")
    with RunningSimulator(enforce_rate_limits=False, ca_directory=directory) as simulator:
        yield simulator, directory / "ca.pem"


def test_table_has_every_provider():
    """A new provider needs its first host here, so that all tests of this module cover its client."""
    assert HOSTS.keys() == PROVIDERS.keys()


@pytest.mark.parametrize("provider", HOSTS)
async def test_provider_with_a_proxy_and_a_private_authority_is_reached(
    provider: str, lab: Lab, real_hosts_simulator: tuple[RunningSimulator, Path]
):
    """With HTTPS_PROXY and FINANCEHUB_CA_FILE, every provider is called through the proxy, and its data is read."""
    simulator, ca_file = real_hosts_simulator
    lab.set(HTTPS_PROXY=simulator.proxy_url)
    assert await call(provider, {"FINANCEHUB_CA_FILE": str(ca_file)}) is None


@pytest.mark.parametrize("variable", REPLACING_VARIABLES[:3])
@pytest.mark.parametrize("provider", CLIENTS)
async def test_variable_that_replaces_the_authorities_counts_for_both_clients(
    provider: str, variable: str, lab: Lab, real_hosts_simulator: tuple[RunningSimulator, Path]
):
    """A variable that only one of the clients would read is valid for the other one too."""
    simulator, ca_file = real_hosts_simulator
    lab.set(HTTPS_PROXY=simulator.proxy_url, **{variable: str(ca_file)})
    assert await call(provider) is None


@pytest.mark.parametrize("provider", HOSTS)
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("unknown", "comes from an unknown authority (issued by 'Somebody Else CA'); if the proxy or a firewall"),
        ("self-signed", "is self-signed (issued by 'proxy.example.com'); if it is right, set FINANCEHUB_CA_FILE"),
        ("expired", f"UTC (issued by '{ISSUER}'); renew it there"),
        ("wrong-host", f"is for another host (issued by '{ISSUER}'); correct the URL"),
    ],
)
async def test_certificate_that_is_not_trusted_is_named(provider: str, kind: str, expected: str, lab: Lab):
    """The error of every provider names the host, the issuer, what is wrong, and what to set."""
    site = lab.site(kind)
    lab.set(HTTPS_PROXY=lab.proxy(site).url)
    error = await call(provider, {"FINANCEHUB_CA_FILE": lab.ca_file})
    assert isinstance(error, CertificateError)
    assert f"the certificate of {HOSTS[provider]} " in error.detail
    assert expected in error.detail
    assert site.requests == []  # the handshakes that read the certificate send no request


@pytest.mark.parametrize("provider", HOSTS)
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (407, "requires a password (HTTP 407); write http://user:password@host:port into HTTPS_PROXY"),
        (403, "refuses to connect to {host} (HTTP 403); allow this host"),
        (502, "cannot reach {host} (HTTP 502); check the DNS and the network of the proxy"),
        (400, "does not connect to {host} (HTTP 400); check whether HTTPS_PROXY names a proxy"),
    ],
)
async def test_proxy_that_refuses_is_named(provider: str, status: int, expected: str, lab: Lab):
    """The error of every provider names the proxy, its answer and what to do."""
    proxy = lab.proxy(lab.site(), status=status)
    lab.set(HTTPS_PROXY=proxy.url)
    error = await call(provider)
    assert isinstance(error, ProxyFailedError)
    assert error.detail == f"the proxy {proxy.url} " + error.detail.removeprefix(f"the proxy {proxy.url} ")
    assert expected.format(host=HOSTS[provider]) in error.detail


@pytest.mark.parametrize("provider", HOSTS)
async def test_proxy_that_is_down_is_named(provider: str, lab: Lab):
    """A proxy that accepts no connection is named instead of the host behind it."""
    url = f"http://127.0.0.1:{free_port()}"
    lab.set(HTTPS_PROXY=url)
    error = await call(provider)
    assert isinstance(error, ProxyFailedError)
    assert f"cannot connect to the proxy {url}: it accepts no connection; start the proxy" in error.detail


@pytest.mark.parametrize("provider", HOSTS)
async def test_proxy_whose_name_does_not_resolve_is_named(provider: str, lab: Lab):
    """A proxy whose name has no address is named instead of the host behind it."""
    lab.set(HTTPS_PROXY="http://proxy.invalid:3128")
    error = await call(provider)
    assert isinstance(error, ProxyFailedError)
    assert "the name proxy.invalid does not resolve; correct HTTPS_PROXY" in error.detail


@pytest.mark.parametrize("provider", CLIENTS)
async def test_proxy_that_does_not_answer_is_named(provider: str, lab: Lab):
    """A proxy that accepts a connection and then stays silent is named, within the time limit."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        lab.set(HTTPS_PROXY=url)
        limits = {"FINANCEHUB_CONNECT_TIMEOUT_SECONDS": "0.5", "FINANCEHUB_READ_TIMEOUT_SECONDS": "0.5"}
        error = await call(provider, limits)
    assert error is not None
    assert error.kind == "timeout"


@pytest.mark.parametrize("provider", CLIENTS)
async def test_proxy_with_a_password_is_used_and_never_shown(provider: str, lab: Lab):
    """The right password is sent, and a wrong one is refused by an error that contains neither user nor password."""
    site = lab.site()
    proxy = lab.proxy(site, user="alice:pa/ss@word")
    lab.set(HTTPS_PROXY=proxy.url_of("alice:pa%2Fss%40word"))
    await call(provider, {"FINANCEHUB_CA_FILE": lab.ca_file})
    assert site.requests
    lab.set(HTTPS_PROXY=proxy.url_of("alice:hunter2-wrong"))
    error = await call(provider, {"FINANCEHUB_CA_FILE": lab.ca_file})
    assert isinstance(error, ProxyFailedError)
    assert f"the proxy {proxy.url} refuses the user or the password (HTTP 407)" in error.detail
    assert "hunter2" not in str(error)
    assert "alice" not in str(error)


@pytest.mark.parametrize("provider", HOSTS)
async def test_host_in_no_proxy_is_called_directly(provider: str, lab: Lab):
    """The proxy gets no request for a host that NO_PROXY names. These hosts do not resolve in the test."""
    proxy = lab.proxy(lab.site())
    lab.set(
        HTTPS_PROXY=proxy.url, NO_PROXY=",".join({host.split(".", 1)[-1] for host in HOSTS.values()} | {"finnhub.io"})
    )
    environment = {
        f"FINANCEHUB_{provider}_URL".upper(): f"https://{HOSTS[provider]}:1"
        for provider in HOSTS
        if PROVIDERS[provider].url is not None
    }
    error = await call(provider, environment | {"FINANCEHUB_RSS_FEEDS": f"https://{HOSTS['rss']}:1/feed"})
    assert error is not None
    assert not isinstance(error, ProxyFailedError)
    assert proxy.requests == []


@pytest.mark.parametrize("provider", CLIENTS)
async def test_plain_http_goes_through_http_proxy_in_both_clients(provider: str, lab: Lab):
    """HTTP_PROXY counts for both clients, although curl alone would read it only in lower case."""
    proxy = lab.proxy(lab.stack.enter_context(Site(None)), status=407)
    lab.set(HTTP_PROXY=proxy.url)
    error = await call(provider, {f"FINANCEHUB_{provider.upper()}_URL": "http://plain.example.com"})
    assert proxy.requests
    assert isinstance(error, ProxyFailedError)
    assert f"the proxy {proxy.url} requires a password" in error.detail


@pytest.mark.parametrize("provider", HOSTS)
async def test_simulator_is_never_called_through_a_proxy(provider: str, lab: Lab, simulator: RunningSimulator):
    """With the simulator, no request reaches a proxy, whatever the environment says."""
    dead = f"http://127.0.0.1:{free_port()}"
    lab.set(HTTPS_PROXY=dead, HTTP_PROXY=dead, ALL_PROXY=dead, http_proxy=dead)
    assert (
        await call(
            provider,
            {name: url for name, url in simulator.environment.items() if "RSS" not in name}
            | {"FINANCEHUB_RSS_FEEDS": simulator.environment["FINANCEHUB_RSS_FEEDS"].split(",")[0]},
        )
        is None
    )


async def test_refused_certificate_is_inspected_once_a_minute(lab: Lab):
    """Many requests, also parallel ones, cost two more connections in a minute, and all of them name the issuer."""
    proxy = lab.proxy(lab.site("unknown"))
    egress = Egress.from_environment(load_settings({}), {"HTTPS_PROXY": proxy.url})
    clock = ManualClock()
    inspector = CertificateInspector(egress, clock)
    problems = await asyncio.gather(*(asyncio.to_thread(inspector.find_problem, f"{FEED}/{n}", 10) for n in range(4)))
    assert {problem and problem.issuer for problem in problems} == {"Somebody Else CA"}
    assert len(proxy.requests) == 2
    clock.advance(REMEMBERED_SECONDS - 1)
    assert inspector.find_problem(FEED, 10) == problems[0]
    assert len(proxy.requests) == 2
    clock.advance(1)
    assert inspector.find_problem(FEED, 10) == problems[0]
    assert len(proxy.requests) == 4


@pytest.mark.parametrize("client", CLIENTS)
async def test_client_remembers_why_a_certificate_is_refused(client: str, lab: Lab):
    """The second request of each client costs one connection, and its error names the issuer too."""
    proxy = lab.proxy(lab.site("unknown"))
    egress = Egress.from_environment(load_settings({}), {"HTTPS_PROXY": proxy.url})
    http = HttpClient(load_settings({}), CLOCK, egress=egress)
    session = YahooSession("yahoo", None, (5, 10), 1_000, CLOCK, egress)

    async def send() -> None:
        deadline = session.call.deadline = CLOCK.monotonic() + 60
        if client == "yahoo":
            session.request("GET", "https://query1.finance.yahoo.com/v8/finance/chart/AAPL")
        else:
            await http.get(client, f"https://{HOSTS[client]}/", deadline=deadline)

    for count in (3, 4):
        with pytest.raises(CertificateError, match="issued by 'Somebody Else CA'"):
            await send()
        assert len(proxy.requests) == count
    session.close()
    await http.aclose()


def test_inspection_of_a_certificate_ends_in_time_whatever_blocks(lab: Lab):
    """A request waits for the reason only until its deadline, also if resolving a name takes longer."""
    resolved = threading.Event()
    lab.environment.setattr(socket, "getaddrinfo", lambda *_, **__: resolved.wait(60) and [])
    inspector = CertificateInspector(Egress.from_environment(load_settings({}), {}), CLOCK)
    start = CLOCK.monotonic()
    assert inspector.find_problem("https://slow.example.com", 0.1) is None
    assert CLOCK.monotonic() - start < 30
    resolved.set()


@pytest.mark.parametrize("is_rejected", [False, True])
@pytest.mark.parametrize("provider", CLIENTS)
async def test_purposes_of_a_trusted_certificate_count_for_both_clients(provider: str, is_rejected: bool, lab: Lab):
    """An authority in the format of OpenSSL is trusted for TLS servers only if its purposes allow it."""
    site = lab.site()
    path = lab.directory / "trusted.crt"
    path.write_bytes(trusted_pem(lab.issuer, is_rejected=is_rejected))
    lab.set(HTTPS_PROXY=lab.proxy(site).url, SSL_CERT_FILE=str(path))
    error = await call(provider)
    assert isinstance(error, CertificateError) == is_rejected
    assert bool(site.requests) != is_rejected


def test_authorities_are_added_to_the_built_in_ones(lab: Lab):
    """FINANCEHUB_CA_FILE adds a certificate: all built-in ones are still trusted by both clients."""
    built_in = Egress.from_environment(load_settings({}), {}).authorities
    added = Egress.from_environment(load_settings({"FINANCEHUB_CA_FILE": lab.ca_file}), {}).authorities
    count = len(built_in.context.get_ca_certs())
    assert count > 100
    assert len(added.context.get_ca_certs()) == count + 1
    text, original = (Path(each.file).read_text(encoding="latin-1") for each in (added, built_in))
    assert text.count("BEGIN CERTIFICATE") == original.count("BEGIN CERTIFICATE") + 1
