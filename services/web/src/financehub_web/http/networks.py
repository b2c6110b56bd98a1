"""Networks of proxies, and whether an address is in one of them or on this machine."""

import ipaddress
from collections.abc import Sequence

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.settings import Settings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def read_networks(settings: Settings) -> list[Network]:
    """Return the networks of the trusted proxies.

    Raises:
        ConfigError: One of them is neither an address nor a network.
    """
    networks: list[Network] = []
    for text in settings.web_trusted_proxies:
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise ConfigError(
                f"FINANCEHUB_WEB_TRUSTED_PROXIES: {text!r} is not an address or network such as 10.0.0.0/8 ({error})"
            ) from None
    return networks


def is_in(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address is in one of the networks. An IPv4 address may be written as IPv6 (`::ffff:10.0.0.1`)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return any((mapped or parsed) in network for network in networks)


def is_loopback(host: str) -> bool:
    """Whether a server that listens on this host is reachable only from this machine."""
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return host.lower().removesuffix(".") == "localhost"
