"""Settings, read once from the environment in each composition root.

The design fixes the names `REDIS_*` and `DRAMATIQ_*`; every other variable is `FINANCEHUB_<field>`.
The reason for a default stands in the field's description.
"""

import difflib
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn
from urllib.parse import quote

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from financehub_shared.errors import ConfigError

PREFIX = "FINANCEHUB_"
_USERINFO = re.compile(r"//[^/@\s]+@")

Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _split(value: object) -> object:
    """`a, b` → `["a", "b"]`, so that lists read like lists in a Deployment."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Names = Annotated[list[str], NoDecode, BeforeValidator(_split)]
CryptoProviders = Annotated[list[Literal["binance", "coingecko", "kraken"]], NoDecode, BeforeValidator(_split)]
StockProviders = Annotated[list[Literal["yahoo", "finnhub"]], NoDecode, BeforeValidator(_split)]
BarProviders = Annotated[list[Literal["binance", "kraken", "yahoo"]], NoDecode, BeforeValidator(_split)]
NewsProviders = Annotated[list[Literal["rss", "gdelt"]], NoDecode, BeforeValidator(_split)]
RedisUrl = Annotated[str, Field(pattern=r"^(redis|rediss|unix)://\S+$")]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$")]


class Settings(BaseSettings):
    """Every setting of every process; a process ignores what it does not use."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, populate_by_name=True)

    # --- names that the design fixes -----------------------------------------------------------------
    redis_host: str = Field("localhost", validation_alias=AliasChoices("REDIS_HOST", "redis_host"))
    redis_port: Port = Field(6379, validation_alias=AliasChoices("REDIS_PORT", "redis_port"))
    redis_db: int = Field(0, ge=0, validation_alias=AliasChoices("REDIS_DB", "redis_db"))
    redis_url: RedisUrl | None = Field(
        None,
        validation_alias=AliasChoices("REDIS_URL", "redis_url"),
        description="Wins over host, port and db; carries user, password and TLS (`rediss://`).",
    )
    redis_password: SecretStr | None = Field(None, validation_alias=AliasChoices("REDIS_PASSWORD", "redis_password"))
    dramatiq_broker_url: RedisUrl | None = Field(
        None,
        validation_alias=AliasChoices("DRAMATIQ_BROKER_URL", "dramatiq_broker_url"),
        description="Redis of the queues, if it is not the Redis of the data.",
    )
    dramatiq_task_timeout: int = Field(
        300_000,
        gt=0,
        validation_alias=AliasChoices("DRAMATIQ_TASK_TIMEOUT", "dramatiq_task_timeout"),
        description="Milliseconds a run may take where the catalogue sets no limit of its own.",
    )
    dramatiq_max_retries: int = Field(
        5,
        ge=0,
        validation_alias=AliasChoices("DRAMATIQ_MAX_RETRIES", "dramatiq_max_retries"),
        description="Retries before a message is dead-lettered.",
    )
    dramatiq_retry_backoff: bool = Field(
        True,
        validation_alias=AliasChoices("DRAMATIQ_RETRY_BACKOFF", "dramatiq_retry_backoff"),
        description="Exponential, jittered, capped; off: a constant minimum.",
    )

    # --- process -------------------------------------------------------------------------------------
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal.")
    http_host: str = Field("0.0.0.0", description="All: the kubelet probes the pod IP.")  # noqa: S104 — see description
    http_port: Port = Field(8000, description="Health, probes and metrics; 0: any free port.")

    # --- broker --------------------------------------------------------------------------------------
    heartbeat_timeout_seconds: Seconds = Field(
        60,
        description="A worker silent for this long is dead and its messages go back; dramatiq's default.",
    )
    janitor_interval_seconds: Seconds = Field(15, description="How often dead workers are looked for (recovery bound).")
    max_deliveries: int = Field(
        5,
        ge=1,
        description="Deliveries without an outcome before a message counts as one that kills its worker.",
    )
    retry_min_seconds: Seconds = Field(5, description="First retry; most upstream hiccups are over by then.")
    retry_max_seconds: Seconds = Field(300, description="Cap: a data gap must not outlast the outage by much.")

    # --- data ----------------------------------------------------------------------------------------
    assets_file: Path | None = Field(None, description="Declared assets (YAML), reconciled by the scheduler.")
    quote_retention_days: int = Field(7, ge=1, description="A quote older than this is of a dead or renamed symbol.")
    bar_retention_days: int = Field(1_100, ge=1, description="Three years: 200-day averages with room for charts.")
    news_retention_days: int = Field(30, ge=1)
    dead_letter_retention_days: int = Field(7, ge=1, description="dramatiq's own dead_message_ttl.")
    run_retention_days: int = Field(7, ge=1, description="How long a finished run can be looked up.")

    # --- providers -----------------------------------------------------------------------------------
    simulated: bool = Field(
        False,
        description="Base URLs point to the simulator: every record is stored with provider simulated/<name>.",
    )
    crypto_providers: CryptoProviders = Field(
        ["binance", "coingecko", "kraken"],
        description="CoinGecko's free tier is below a poll every two minutes.",
    )
    stock_providers: StockProviders = Field(["yahoo", "finnhub"], description="Finnhub takes part only with a key.")
    bar_providers: BarProviders = Field(["binance", "yahoo"], description="The first that serves the asset's type.")
    news_providers: NewsProviders = Field(["rss", "gdelt"])
    binance_url: HttpUrl = Field("https://data-api.binance.vision", description="The host for market data only.")
    coingecko_url: HttpUrl = "https://api.coingecko.com"
    kraken_url: HttpUrl = "https://api.kraken.com"
    finnhub_url: HttpUrl = "https://finnhub.io"
    yahoo_url: HttpUrl | None = Field(None, description="Set: the yfinance session rewrites scheme and host to it.")
    gdelt_url: HttpUrl = "https://api.gdeltproject.org"
    rss_feeds: Names = Field(
        [
            "https://finance.yahoo.com/news/rssindex",
            "https://www.cnbc.com/id/100003114/device/rss/rss.html",
            "https://feeds.content.dowjones.io/public/rss/mw_topstories",
            "https://www.coindesk.com/arc/outboundfeeds/rss/",
        ],
        description="Feeds of research/providers.md, by URL.",
    )
    coingecko_api_key: SecretStr | None = None
    finnhub_api_key: SecretStr | None = None
    secrets_dir: Path | None = Field(
        None,
        description="A mounted Secret: file `finnhub_api_key` sets that field; the environment wins.",
    )
    connect_timeout_seconds: Seconds = Field(3, description="A TCP connection over an ocean takes 0.3 s.")
    read_timeout_seconds: Seconds = Field(10, description="The slowest documented batch answer is about 2 s.")
    max_response_bytes: int = Field(8_000_000, gt=0, description="Binance's full ticker list is 1.6 MB.")

    # --- breaker -------------------------------------------------------------------------------------
    breaker_window_seconds: Seconds = Field(600, description="Two stock polls of all pods, so that it can fill.")
    breaker_minimum_calls: int = Field(5, ge=1, description="Below this many calls a failure rate says nothing.")
    breaker_failure_ratio: float = Field(0.5, gt=0, le=1)
    breaker_open_seconds: Seconds = Field(30, description="First open time; doubles to the cap.")
    breaker_open_max_seconds: Seconds = Field(600)
    breaker_slow_seconds: Seconds = Field(20, description="Twice the read timeout: an answer that drips is a failure.")
    breaker_probe_seconds: Seconds = Field(
        30, description="Lease of a probe; longer than a slow call, short against a dead probe."
    )

    # --- indicators ----------------------------------------------------------------------------------
    indicator_engine: Literal["talib", "ta"] = Field("talib", description="`ta` is 380 times slower.")
    indicator_series: int = Field(100, ge=1, le=1_000, description="Values kept per output: a chart's width.")

    @model_validator(mode="before")
    @classmethod
    def _read_mounted_secrets(cls, values: dict[str, Any]) -> dict[str, Any]:
        directory = values.get("secrets_dir")
        for name in ("coingecko_api_key", "finnhub_api_key", "redis_password"):
            file = Path(directory) / name if directory else None
            if file and file.is_file() and not values.get(name):
                values[name] = file.read_text(encoding="utf-8").strip()
        return values

    @property
    def store_url(self) -> str:
        """Redis of the data."""
        if self.redis_url:
            return self.redis_url
        secret = f":{quote(self.redis_password.get_secret_value(), safe='')}@" if self.redis_password else ""
        return f"redis://{secret}{self.redis_host}:{self.redis_port}/{self.redis_db}"

    @property
    def broker_url(self) -> str:
        """Redis of the queues."""
        return self.dramatiq_broker_url or self.store_url


def _variable(field: str) -> str:
    alias = Settings.model_fields[field].validation_alias if field in Settings.model_fields else None
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else PREFIX + field.upper()


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read all settings from the environment.

    Raises:
        ConfigError: one line with the variable, its value (never a secret's) and what is allowed.
    """
    environ = os.environ if environ is None else environ
    known = {_variable(field) for field in Settings.model_fields}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(sorted(known))}"
            raise ConfigError(f"{name}: unknown variable; {hint}")
    values = {field: environ[_variable(field)] for field in Settings.model_fields if _variable(field) in environ}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = str(first["loc"][0])
        # userinfo may sit in any URL, and a Redis URL is a secret as a whole
        shown = "(not shown)" if _is_secret(field) else repr(_USERINFO.sub("//***@", values[field]))
        raise ConfigError(f"{_variable(field)}={shown}: {first['msg']}") from None


def _is_secret(field: str) -> bool:
    return field in {"redis_url", "dramatiq_broker_url"} or field.endswith(("key", "password"))


def exit_on_config_error(error: ConfigError) -> NoReturn:
    """End the process the way every FinanceHub process ends on a wrong setting: one line, exit code 2."""
    sys.stderr.write(f"financehub: {error}\n")
    raise SystemExit(2)
