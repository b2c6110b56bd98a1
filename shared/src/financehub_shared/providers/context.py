"""Defines what a provider's `build` function can use."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from financehub_shared.core.clock import Clock
from financehub_shared.core.settings import Settings
from financehub_shared.providers.guard import UpstreamGuard
from financehub_shared.providers.transport.conditional import CacheValidatorStore
from financehub_shared.providers.transport.http import HttpClient


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """The objects and settings from which one provider is built.

    Args:
        name: Name of the provider in records: `kraken`, or `simulated/kraken` if its upstream is simulated.
        base_url: Base URL of the upstream. Empty if its setting does not have a default and is unset.
        api_key: API key of the upstream. Empty if there is none. A provider that requires a key is only built with one.
        settings: All settings.
        clock: The process's clock.
        http: The process's HTTP client.
        cache_validators: Store of the ETags and dates of the last responses.
        guard_for: Part of the upstream → its guard. Each part, such as a feed, has its own budget and breaker. The
            empty string stands for an upstream without parts.
        provider: Name → another provider of this process.
    """

    name: str
    base_url: str
    api_key: SecretStr
    settings: Settings
    clock: Clock
    http: HttpClient
    cache_validators: CacheValidatorStore
    guard_for: Callable[[str], UpstreamGuard]
    provider: Callable[[str], Any]

    @property
    def guard(self) -> UpstreamGuard:
        """The guard of an upstream without parts."""
        return self.guard_for("")
