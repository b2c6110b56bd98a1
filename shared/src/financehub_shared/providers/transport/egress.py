"""How this process reaches providers: which proxy a request takes, and which certificate authorities are trusted."""

from collections.abc import Mapping
from dataclasses import dataclass

from financehub_shared.core.settings import Settings
from financehub_shared.providers.transport.authorities import Authorities
from financehub_shared.providers.transport.proxies import Proxy, ProxyRules


@dataclass(frozen=True, slots=True)
class Egress:
    """The way to the providers, which all clients of a process share.

    Args:
        rules: Choose the proxy of a request.
        authorities: Certificate authorities that are trusted.
    """

    rules: ProxyRules
    authorities: Authorities

    @classmethod
    def from_environment(cls, settings: Settings, environment: Mapping[str, str]) -> "Egress":
        """Read the settings of proxies and certificates.

        The simulator is always called directly: a proxy could not resolve its name.

        Args:
            settings: All settings of the process.
            environment: Environment variables. The names of proxies and certificate files in it are those that other
                programs use too, so they are not fields of the settings.

        Raises:
            ConfigError: The URL of a proxy is invalid, or a file with certificates is.
        """
        rules = ProxyRules() if settings.simulated else ProxyRules.from_environment(environment)
        return cls(rules, Authorities.from_environment(environment, settings.ca_file))

    def proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy of a request, or None if it connects directly."""
        return self.rules.proxy_for(url)
