"""Which proxy a request to a provider takes, according to the variables that curl and Python read too. Pure.

libcurl and httpx read these variables differently: libcurl ignores `HTTP_PROXY`, and httpx ignores networks in
`NO_PROXY`. Both clients therefore ask these rules instead of reading the variables themselves.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from financehub_shared.core.errors import ConfigError

#: Ports of a proxy whose URL contains none. curl alone would use 1080.
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that connects to providers with CONNECT (RFC 9110, 9.3.6).

    Args:
        scheme: `http`, or `https` if the connection to the proxy itself uses TLS.
        host: Host name or address, without brackets.
        port: Port.
        variable: Name of the variable that contains the URL of the proxy, for messages.
        user: Name of the user. Empty if the proxy is used without one.
        password: Password of the user.
    """

    scheme: str
    host: str
    port: int
    variable: str
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """The URL without the user and the password, which logs and messages may show."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def auth(self) -> tuple[str, str] | None:
        """The user and the password. None if the proxy is used without a user."""
        return (self.user, self.password) if self.user or self.password else None


class ProxyRules:
    """The proxy for each scheme, and the hosts that are called without a proxy.

    Args:
        proxies: Scheme of a request (`http`, `https`) → proxy.
        exceptions: Entries of `NO_PROXY`: `*`, a host name, which includes its subdomains, an address, or a network
            such as `10.0.0.0/8`; each with or without a port.
    """

    def __init__(self, proxies: Mapping[str, Proxy] | None = None, exceptions: Sequence[str] = ()) -> None:
        self._proxies = dict(proxies or {})
        self._exceptions = [each.lower() for each in exceptions]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ProxyRules":
        """Read `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`. A name in lower case takes precedence.

        Raises:
            ConfigError: The URL of a proxy is invalid.
        """
        proxies: dict[str, Proxy] = {}
        for scheme in _PORTS:
            for variable in (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"):
                text = environment.get(variable)
                if text is not None:
                    if text.strip():  # an empty variable means: no proxy
                        proxies[scheme] = read_proxy(variable, text.strip())
                    break
        text = environment.get("no_proxy", environment.get("NO_PROXY", ""))
        return cls(proxies, [entry for entry in re.split(r"[,\s]+", text) if entry])

    def proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy of a request, or None if it connects directly.

        This machine itself is always called directly, because a proxy would look for the server on its own machine.
        """
        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme.lower())
        if proxy is None or not parts.hostname:
            return None
        host = parts.hostname.rstrip(".")
        port = parts.port or _PORTS[parts.scheme.lower()]
        return None if _is_loopback(host) or any(_matches(each, host, port) for each in self._exceptions) else proxy


def read_proxy(variable: str, text: str) -> Proxy:
    """Read the URL of a proxy.

    Args:
        variable: Name of the variable, for the error.
        text: `http://host:3128` with or without the scheme, and with or without `user:password@`.

    Raises:
        ConfigError: It is not such a URL. The message does not quote it, because it may contain a password.
    """
    form = "write http://host:port or http://user:password@host:port"
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(
            f"{variable}: the URL of the proxy cannot be read; {form}, with special characters of the password encoded "
            "(/ as %2F, # as %23, @ as %40)"
        ) from None
    if parts.scheme not in _PORTS:
        raise ConfigError(f"{variable}: a proxy with the scheme {parts.scheme}:// is not supported; {form}")
    if not host:
        raise ConfigError(f"{variable}: the URL of the proxy contains no host; {form}")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Proxy(parts.scheme, host, port or _PORTS[parts.scheme], variable, user, password)


def _matches(entry: str, host: str, port: int) -> bool:
    """Whether an entry of `NO_PROXY` covers a host."""
    if entry == "*":
        return True
    network = _network(entry)
    if network is None:
        name, separator, number = entry.rpartition(":")
        if separator and number.isdecimal():
            if int(number) != port:
                return False
            entry = name
            network = _network(entry)
    if network is not None:
        address = _address(host)
        return address is not None and address in network
    name = entry.removeprefix("*").strip(".")
    return host == name or (bool(name) and host.endswith(f".{name}"))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)
