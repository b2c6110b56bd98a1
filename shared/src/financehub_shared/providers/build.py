"""Builds the providers of a process from settings, each one on first use.

A process imports only the providers that it uses, so its image does not need the libraries of the others.
"""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pkgutil import resolve_name
from typing import Any

import redis.asyncio
from pydantic import SecretStr

from financehub_shared.breaker import (
    BreakerListener,
    BreakerPolicy,
    BreakerRegistry,
    BreakerTransition,
    count_transitions,
    log_transition,
)
from financehub_shared.budget import Budget, Limit
from financehub_shared.budget.usage import read_budgets
from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.loop_local import LoopLocal
from financehub_shared.core.provider_specs import PROVIDERS, Dataset
from financehub_shared.core.redis_url import RedisUrl
from financehub_shared.core.settings import Settings, exit_on_config_error
from financehub_shared.metrics import Metrics, MetricSource
from financehub_shared.metrics.families import budget_metrics
from financehub_shared.providers.bar_fetcher import BarFetcher
from financehub_shared.providers.context import ProviderContext
from financehub_shared.providers.guard import CallObserver, UpstreamGuard
from financehub_shared.providers.protocols import BarProvider, NewsProvider, QuoteProvider
from financehub_shared.providers.reach import UpstreamReach
from financehub_shared.providers.transport.conditional import (
    CacheValidatorStore,
    MemoryCacheValidators,
    RedisCacheValidators,
)
from financehub_shared.providers.transport.egress import Egress
from financehub_shared.providers.transport.http import HttpClient
from financehub_shared.redis.client import SCRAPE_TIMEOUT_SECONDS, connect, connect_async
from financehub_shared.redis.scripts import TIMEOUT_SECONDS, RedisScripts


def build_providers(
    settings: Settings,
    clock: Clock,
    on_call: CallObserver,
    *,
    redis_url: RedisUrl | str | None,
    breaker_listeners: Sequence[BreakerListener] = (log_transition,),
    redis_timeout_seconds: float = TIMEOUT_SECONDS,
) -> "Providers":
    """Build the providers of this process.

    Args:
        settings: Orders, base URLs, keys and timeouts.
        clock: The process's clock.
        on_call: Receives the outcome of every upstream call.
        redis_url: URL of the Redis that holds the fleet's budgets, breakers and ETags. None if this process is alone.
        breaker_listeners: Receive every breaker transition.
        redis_timeout_seconds: Time after which budgets and breakers count Redis as unavailable and this process
            continues alone.

    Raises:
        ConfigError: A key contains characters that an HTTP header cannot contain, or the URL of a proxy or a file with
            certificates is invalid.
    """
    egress = Egress.from_environment(settings, os.environ)
    for spec in PROVIDERS.values():
        key = settings.provider_api_key(spec.name)
        if key is not None and not (key.get_secret_value().isascii() and key.get_secret_value().isprintable()):
            variable = f"FINANCEHUB_{spec.name}_api_key".upper()
            raise ConfigError(f"{variable}: contains characters that an HTTP header cannot carry; correct the key")
    scripts = RedisScripts.of_url(redis_url, clock, timeout_seconds=redis_timeout_seconds) if redis_url else None
    return Providers(settings, clock, on_call, redis_url, scripts, breaker_listeners, egress)


def tier_providers(settings: Settings, clock: Clock, metrics: Metrics) -> "Providers":
    """Build a tier's providers, which share budgets and breakers with the fleet and count calls in the tier's metrics.

    An invalid setting makes the process exit with code 2 and a one-line message.
    """
    try:
        providers = build_providers(
            settings,
            clock,
            metrics.observe_provider,
            redis_url=settings.store_url,
            breaker_listeners=[count_transitions(metrics)],
        )
    except ConfigError as error:
        exit_on_config_error(error)
    client = connect(settings.store_url, retries=0, timeout=SCRAPE_TIMEOUT_SECONDS)
    metrics.add_source(MetricSource("budgets", lambda: budget_metrics(read_budgets(client, providers.budget_windows))))
    return providers


class Providers:
    """The providers of a process; use `build_providers` to create them. Nothing connects before the first call."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        on_call: CallObserver,
        redis_url: RedisUrl | str | None,
        scripts: RedisScripts | None,
        breaker_listeners: Sequence[BreakerListener],
        egress: Egress,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._on_call = on_call
        self._scripts = scripts
        self.reach = UpstreamReach(clock.monotonic)
        self._redis: LoopLocal[redis.asyncio.Redis] | None = None
        if redis_url:
            self._redis = LoopLocal(lambda: connect_async(redis_url))
        listeners = [self._log_transition, *breaker_listeners]
        self.breakers = BreakerRegistry(BreakerPolicy.from_settings(settings), self._scripts, clock, listeners)
        self._http = HttpClient(settings, clock, egress=egress)
        self._cache_validators: CacheValidatorStore = (
            RedisCacheValidators(self._redis) if self._redis else MemoryCacheValidators()
        )
        self._budgets: dict[str, Budget] = {}
        self._built: dict[str, Any] = {}

    @cached_property
    def quotes(self) -> Mapping[AssetType, Sequence[QuoteProvider]]:
        """The quote providers for each asset type, first choice first."""
        return {
            AssetType.CRYPTO: self._of(Dataset.CRYPTO_QUOTES),
            AssetType.STOCK: self._of(Dataset.STOCK_QUOTES),
        }

    @cached_property
    def bars(self) -> BarFetcher:
        """The daily bar fetcher."""
        providers: list[BarProvider] = self._of(Dataset.BARS)
        return BarFetcher(providers, self._clock)

    @cached_property
    def news(self) -> Sequence[NewsProvider]:
        """The news providers. All of them are called."""
        return self._of(Dataset.NEWS)

    @property
    def budget_windows(self) -> Sequence[tuple[str, Limit]]:
        """The upstream and the limit of each window of the budgets that this process has used so far."""
        return [window for budget in list(self._budgets.values()) for window in budget.windows]

    async def aclose(self) -> None:
        """Close all connections."""
        for provider in self._built.values():
            close = getattr(provider, "aclose", None)
            if close is not None:
                await close()
        await self._http.aclose()
        client = self._redis.pop() if self._redis else None
        if client is not None:
            await client.aclose()
        if self._scripts is not None:
            await self._scripts.aclose()
            self._scripts.close()

    def _log_transition(self, transition: BreakerTransition) -> None:
        if not self.reach.is_lost:  # the breakers of all upstreams open then, and one line says why
            log_transition(transition)

    def _of(self, dataset: Dataset) -> list[Any]:
        """Return the providers of a dataset in order, without those whose API key is missing."""
        order = self._settings.provider_order(dataset)
        return [self._provider(name) for name in order if PROVIDERS[name].api_key != "required" or self._key(name)]

    def _provider(self, name: str) -> Any:
        """Return the provider with this name. There is one per process."""
        if name not in self._built:
            self._built[name] = resolve_name(PROVIDERS[name].build)(self._context(name))
        return self._built[name]

    def _context(self, name: str) -> ProviderContext:
        return ProviderContext(
            name=f"simulated/{name}" if self._settings.simulated else name,
            base_url=self._settings.provider_url(name) or "",
            api_key=self._key(name),
            settings=self._settings,
            clock=self._clock,
            http=self._http,
            cache_validators=self._cache_validators,
            guard_for=lambda part: self._guard(name, part),
            provider=self._provider,
        )

    def _key(self, name: str) -> SecretStr:
        return self._settings.provider_api_key(name) or SecretStr("")

    def _guard(self, upstream: str, part: str) -> UpstreamGuard:
        """Return the guard of an upstream or of one of its parts, which is shared by all providers that call it."""
        name = f"{upstream}:{part}" if part else upstream
        if name not in self._budgets:
            self._budgets[name] = Budget(name, PROVIDERS[upstream].limits, self._scripts, self._clock)
        on_end = partial(self.reach.record, name)
        return UpstreamGuard(upstream, self._budgets[name], self.breakers.get(name), self._clock, self._on_call, on_end)
