"""Settings, read once from the environment in each composition root.

The design fixes the names `REDIS_*` and `DRAMATIQ_*`; every other variable is `FINANCEHUB_<FIELD>`.
The reason for a default stands in the field's description.
"""

import difflib
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NoReturn
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from financehub_shared.core.errors import ConfigError

PREFIX = "FINANCEHUB_"
#: Fields whose variable has no prefix.
FIXED_NAMES = ("redis_", "dramatiq_")
#: Fields that a file in `secrets_dir` can set.
MOUNTED = ("coingecko_api_key", "finnhub_api_key", "redis_password")
_USERINFO = re.compile(r"//[^/@\s]+@")

Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _split(value: object) -> object:
    """`a, b` → `["a", "b"]`, so that lists read like lists in a Deployment."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _counts(value: object) -> object:
    """`high=5, low=2` → `{"high": "5", "low": "2"}`."""
    parts = _split(value)
    if not isinstance(parts, list):
        return value
    pairs = [part.partition("=") for part in parts]
    if bad := [name + sign for name, sign, count in pairs if not (name and sign and count)]:
        raise ValueError(f"{bad[0]!r} should be a name and a number, as in high=5,low=2")
    return {name.strip(): count for name, _, count in pairs}


Counts = Annotated[dict[str, Annotated[int, Field(ge=0)]], BeforeValidator(_counts)]
Names = Annotated[list[str], BeforeValidator(_split)]
CryptoProviders = Annotated[list[Literal["binance", "coingecko", "kraken"]], BeforeValidator(_split)]
StockProviders = Annotated[list[Literal["yahoo", "finnhub"]], BeforeValidator(_split)]
BarProviders = Annotated[list[Literal["binance", "kraken", "yahoo"]], BeforeValidator(_split)]
NewsProviders = Annotated[list[Literal["rss", "gdelt"]], BeforeValidator(_split)]
RedisUrl = Annotated[str, Field(pattern=r"^(redis|rediss|unix)://\S+$")]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$")]


class Settings(BaseModel):
    """Every setting of every process; a process ignores what it does not use."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # --- names that the design fixes -----------------------------------------------------------------
    redis_host: str = "localhost"
    redis_port: Port = 6379
    redis_db: int = Field(0, ge=0)
    redis_url: RedisUrl | None = Field(
        None, description="Wins over host, port and db; carries user, password and TLS (`rediss://`)."
    )
    redis_password: SecretStr | None = Field(
        None, description="For the Redis of the data, unless its URL has one: a URL can then be read by anybody."
    )
    dramatiq_broker_url: RedisUrl | None = Field(
        None, description="Redis of the queues, if it is not the Redis of the data."
    )
    dramatiq_task_timeout: int = Field(
        300_000, gt=0, description="Milliseconds a run may take where the catalogue sets no limit of its own."
    )
    dramatiq_max_retries: int = Field(5, ge=0, description="Retries before a message is dead-lettered.")
    dramatiq_retry_backoff: bool = Field(True, description="Exponential, jittered, capped; off: a constant minimum.")

    # --- process -------------------------------------------------------------------------------------
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal.")
    http_host: str = Field("0.0.0.0", description="All: the kubelet probes the pod IP.")  # noqa: S104 — see description
    http_port: Port = Field(8000, description="Health, probes and metrics; 0: any free port.")
    release: str = Field(
        "local",
        pattern=r"^[^\s\"\\]{1,63}$",
        description="Label of every metric, so that several releases can share a Prometheus; the chart sets it.",
    )
    max_workers: Counts = Field(
        {},
        description="Most workers that each tier may be scaled to, by queue (`high=5,low=2`), for alerts; the chart "
        "sets it.",
    )
    idle_tiers: Names = Field(
        [], description="Tiers, by their queues, that are scaled to zero: well without a worker while nothing waits."
    )

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
        description="Base URLs point to the simulator: every record is stored with provider simulated/<name>. Use "
        "another Redis than for the market: bars of one are not stored beside bars of the other.",
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

    @property
    def store_url(self) -> str:
        """Redis of the data."""
        url = self.redis_url or f"redis://{self.redis_host}:{self.redis_port}/{self.redis_db}"
        parts = urlsplit(url)
        if self.redis_password is None or parts.password is not None:
            return url
        user, _, place = parts.netloc.rpartition("@")
        secret = quote(self.redis_password.get_secret_value(), safe="")
        return parts._replace(netloc=f"{user}:{secret}@{place}").geturl()

    @property
    def broker_url(self) -> str:
        """Redis of the queues."""
        return self.dramatiq_broker_url or self.store_url


def _variable(field: str) -> str:
    return field.upper() if field.startswith(FIXED_NAMES) else PREFIX + field.upper()


def variables() -> dict[str, str]:
    """Environment variable → field of `Settings`."""
    return {_variable(field): field for field in Settings.model_fields}


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read all settings from the environment, and secrets that it leaves out from mounted files.

    Args:
        environ: the environment; by default the process's.

    Raises:
        ConfigError: one line with the variable, its value (never a secret's) and what is allowed.
    """
    environ = os.environ if environ is None else environ
    known = variables()
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(sorted(known))}"
            raise ConfigError(f"{name}: unknown variable; {hint}")
    values = {field: environ[name] for name, field in known.items() if name in environ}
    if "secrets_dir" in values:
        values = _mounted_secrets(Path(values["secrets_dir"])) | values
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = str(first["loc"][0])
        # userinfo may sit in any URL, and a Redis URL is a secret as a whole
        shown = "(not shown)" if _is_secret(field) else repr(_USERINFO.sub("//***@", values[field]))
        raise ConfigError(f"{_variable(field)}={shown}: {first['msg']}") from None
    if settings.retry_min_seconds > settings.retry_max_seconds:
        raise ConfigError(
            f"{_variable('retry_min_seconds')}={settings.retry_min_seconds:g}: "
            f"at most {_variable('retry_max_seconds')}, which is {settings.retry_max_seconds:g}"
        )
    return settings


def _mounted_secrets(directory: Path) -> dict[str, str]:
    variable = _variable("secrets_dir")
    if not directory.is_dir():
        raise ConfigError(f"{variable}={str(directory)!r}: no such directory; mount the Secret there or unset it")
    found = {}
    for field in MOUNTED:
        file = directory / field
        if file.is_file():
            try:
                found[field] = file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{variable}: {file} cannot be read: {type(error).__name__}") from error
    return found


def _is_secret(field: str) -> bool:
    return field in {"redis_url", "dramatiq_broker_url"} or field.endswith(("key", "password"))


def exit_on_config_error(error: ConfigError) -> NoReturn:
    """End the process the way every FinanceHub process ends on a wrong setting: one line, exit code 2."""
    sys.stderr.write(f"financehub: {error}\n")
    raise SystemExit(2)
