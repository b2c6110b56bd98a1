"""From settings to providers: the chains of one process, each built when it is first asked for.

A tier builds only what it uses, so an image without feedparser or yfinance never misses them.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import redis.asyncio

from financehub_shared.breaker import BreakerRegistry, Listener, Policy, count_transitions, log_transition
from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import ConfigError
from financehub_shared.core.models import AssetType
from financehub_shared.core.settings import Settings, exit_on_config_error
from financehub_shared.metrics import Metrics, Source
from financehub_shared.metrics.families import budget_metrics
from financehub_shared.providers.bar_fetcher import BarFetcher
from financehub_shared.providers.budget import LIMITS, Budget
from financehub_shared.providers.budget.figures import read_budgets
from financehub_shared.providers.guard import Guard, Observe
from financehub_shared.providers.ports import BarProvider, NewsProvider, QuoteProvider
from financehub_shared.providers.transport.conditional import MemoryValidators, RedisValidators, ValidatorStore
from financehub_shared.providers.transport.http import HttpClient
from financehub_shared.providers.transport.loop_local import PerLoop
from financehub_shared.providers.usd import UsdtRates
from financehub_shared.redis.client import SCRAPE_TIMEOUT_SECONDS, connect, connect_async
from financehub_shared.redis.scripts import RedisScripts


def build_providers(
    settings: Settings,
    clock: Clock,
    observe: Observe,
    *,
    redis_url: str | None,
    breaker_listeners: Sequence[Listener] = (log_transition,),
) -> "Providers":
    """The providers of this process.

    Args:
        settings: orders, base URLs, keys, timeouts.
        clock: the time.
        observe: told of every upstream call.
        redis_url: where budgets, breakers and ETags are shared; None: this process is alone.
        breaker_listeners: told of each change of a breaker.

    Raises:
        ConfigError: a key that no HTTP header can carry.
    """
    for field in ("coingecko_api_key", "finnhub_api_key"):
        key = getattr(settings, field)
        if key is not None and not (key.get_secret_value().isascii() and key.get_secret_value().isprintable()):
            raise ConfigError(f"FINANCEHUB_{field.upper()}: holds characters that no HTTP header can carry")
    return Providers(settings, clock, observe, redis_url, breaker_listeners)


def tier_providers(settings: Settings, clock: Clock, metrics: Metrics) -> "Providers":
    """The providers of a tier: budgets and breakers are the fleet's, calls and changes of breakers go to its metrics.

    A wrong setting ends the process with one line and exit code 2.
    """
    listeners = (log_transition, count_transitions(metrics))
    try:
        providers = build_providers(
            settings,
            clock,
            metrics.observe_provider,
            redis_url=settings.store_url,
            breaker_listeners=listeners,
        )
    except ConfigError as error:
        exit_on_config_error(error)
    client = connect(settings.store_url, retries=0, timeout=SCRAPE_TIMEOUT_SECONDS)
    metrics.add_source(Source("budgets", lambda: budget_metrics(read_budgets(client, providers.budgets))))
    return providers


class Providers:
    """The chains of a process; made by `build_providers`. Nothing connects before the first call."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        observe: Observe,
        redis_url: str | None,
        breaker_listeners: Sequence[Listener],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._observe = observe
        self._scripts = RedisScripts.of_url(redis_url, clock) if redis_url else None
        self._redis: PerLoop[redis.asyncio.Redis] | None = None
        if redis_url:
            self._redis = PerLoop(lambda: connect_async(redis_url))
        self.breakers = BreakerRegistry(Policy.from_settings(settings), self._scripts, clock, breaker_listeners)
        self._budgets: dict[str, Budget] = {}
        self._made: dict[str, Any] = {}

    @cached_property
    def http(self) -> HttpClient:
        """The one HTTP client of the process."""
        return HttpClient(self._settings, self._clock)

    @cached_property
    def quotes(self) -> Mapping[AssetType, Sequence[QuoteProvider]]:
        """Providers of quotes per asset type, in order."""
        orders: Mapping[AssetType, Sequence[str]] = {
            AssetType.CRYPTO: self._settings.crypto_providers,
            AssetType.STOCK: self._settings.stock_providers,
        }
        return {type: self._chain(order) for type, order in orders.items()}

    @cached_property
    def bars(self) -> BarFetcher:
        """Daily bars over the chain of their providers."""
        chain: list[BarProvider] = self._chain(self._settings.bar_providers)
        return BarFetcher(chain, self._clock)

    @cached_property
    def news(self) -> Sequence[NewsProvider]:
        """Providers of news; all are asked."""
        return self._chain(self._settings.news_providers)

    def guard(self, upstream: str, part: str = "") -> Guard:
        """Budget and breaker of an upstream, shared by whoever calls it.

        Args:
            upstream: its name in `LIMITS` and in the metrics.
            part: which of several of that kind (a feed); each has a budget and a breaker of its own.
        """
        name = f"{upstream}:{part}" if part else upstream
        if name not in self._budgets:
            self._budgets[name] = Budget(name, LIMITS[upstream], self._scripts, self._clock)
        return Guard(upstream, self._budgets[name], self.breakers.get(name), self._clock, self._observe)

    @property
    def budgets(self) -> Sequence[Budget]:
        """Every budget that this process has asked for so far."""
        return list(self._budgets.values())

    async def aclose(self) -> None:
        """Close connections."""
        for provider in self._made.values():
            close = getattr(provider, "aclose", None)
            if close is not None:
                await close()
        if "http" in self.__dict__:
            await self.http.aclose()
        client = self._redis.take() if self._redis else None
        if client is not None:
            await client.aclose()
        if self._scripts is not None:
            await self._scripts.aclose()
            self._scripts.close()

    # building ------------------------------------------------------------------------------------------
    def _chain(self, names: Sequence[str]) -> list[Any]:
        made = (self._provider(name) for name in names)
        return [provider for provider in made if provider is not None]

    def _provider(self, name: str) -> Any:
        """The provider of this name, one per process; None when it lacks its key."""
        if name not in self._made:
            builders: Mapping[str, Callable[[str], Any]] = {
                "binance": self._binance,
                "coingecko": self._coingecko,
                "kraken": self._kraken,
                "yahoo": self._yahoo,
                "finnhub": self._finnhub,
                "rss": self._rss,
                "gdelt": self._gdelt,
            }
            made = builders[name](f"simulated/{name}" if self._settings.simulated else name)
            if made is None:
                return None
            self._made[name] = made
        return self._made[name]

    def _binance(self, name: str) -> Any:
        from financehub_shared.providers.binance.provider import Binance

        kraken, coingecko = self._provider("kraken"), self._provider("coingecko")
        rates = UsdtRates([kraken, coingecko], kraken, self._clock)
        return Binance(self.http, self.guard("binance"), self._settings.binance_url, rates, self._clock, name)

    def _coingecko(self, name: str) -> Any:
        from financehub_shared.providers.coingecko.provider import CoinGecko

        base, key = self._settings.coingecko_url, self._settings.coingecko_api_key
        return CoinGecko(self.http, self.guard("coingecko"), base, key, self._clock, name)

    def _kraken(self, name: str) -> Any:
        from financehub_shared.providers.kraken import Kraken

        return Kraken(self.http, self.guard("kraken"), self._settings.kraken_url, self._clock, name)

    def _yahoo(self, name: str) -> Any:
        from financehub_shared.providers.yahoo.provider import Yahoo, YahooLimits

        settings = self._settings
        limits = YahooLimits(
            settings.connect_timeout_seconds, settings.read_timeout_seconds, settings.max_response_bytes
        )
        return Yahoo(self.guard("yahoo"), settings.yahoo_url, limits, self._clock, name)

    def _finnhub(self, name: str) -> Any:
        from financehub_shared.providers.finnhub import Finnhub

        base, key = self._settings.finnhub_url, self._settings.finnhub_api_key
        return Finnhub(self.http, self.guard("finnhub"), base, key, self._clock, name) if key else None

    def _rss(self, name: str) -> Any:
        from financehub_shared.providers.rss.provider import Rss

        validators: ValidatorStore = RedisValidators(self._redis) if self._redis else MemoryValidators()
        return Rss(
            self.http, lambda label: self.guard("rss", label), self._settings.rss_feeds, validators, self._clock, name
        )

    def _gdelt(self, name: str) -> Any:
        from financehub_shared.providers.gdelt import Gdelt

        return Gdelt(self.http, self.guard("gdelt"), self._settings.gdelt_url, self._clock, name)
