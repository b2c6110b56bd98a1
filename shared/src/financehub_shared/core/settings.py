"""The settings of every process, which each composition root reads once from the environment.

The names `REDIS_*` and `DRAMATIQ_*` are fixed by the requirements; every other variable is `FINANCEHUB_<FIELD>`. A
field's description gives the reason for its default.
"""

import difflib
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NoReturn

from pydantic import ConfigDict, Field, ValidationError

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.provider_settings import API_KEY_FIELDS, ProviderSettings
from financehub_shared.core.reader_settings import MESSAGE_BYTES_MIN
from financehub_shared.core.redis_url import RedisUrl
from financehub_shared.core.redis_url_parser import redis_address
from financehub_shared.core.setting_defaults import (
    BREAKER_FAILURE_RATIO,
    BREAKER_MINIMUM_CALLS,
    BREAKER_OPEN_MAX_SECONDS,
    BREAKER_OPEN_SECONDS,
    BREAKER_PROBE_SECONDS,
    BREAKER_SLOW_SECONDS,
    BREAKER_WINDOW_SECONDS,
    HEARTBEAT_TIMEOUT_SECONDS,
    HISTORY_DAYS,
    MESSAGE_BYTES,
    RUN_DAYS,
)
from financehub_shared.core.setting_types import (
    AcceptableRedisProblems,
    Counts,
    Names,
    Port,
    RedisDatabase,
    RedisHost,
    RedisPassword,
    RedisPort,
    RedisUrlSetting,
    Seconds,
    SecretUrls,
    Urls,
)
from financehub_shared.core.text import printable
from financehub_shared.core.url_secrets import MASK, mask_urls
from financehub_shared.core.web_settings import WebSettings

PREFIX = "FINANCEHUB_"
#: Calendar days of bars that are read for a new asset. They have about 500 trading days, enough for a year of a
#: 200-day average.
BAR_HISTORY_DAYS = 750
#: Smallest allowed value of `bar_retention_days`.
BAR_RETENTION_MIN = 30
#: The variables of fields that begin with one of these do not have the prefix `FINANCEHUB_`.
FIXED_NAMES = ("redis_", "dramatiq_")
#: Fields that a file in `secrets_dir` can set.
SECRET_FIELDS = (*API_KEY_FIELDS, "redis_password", "redis_sentinel_password", "secret_rss_feeds")


class Settings(ProviderSettings, WebSettings):
    """All settings of all processes. A process ignores the settings that it does not use."""

    # The base classes defer their validators, because they never need them.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=False)

    # --- names that the requirements fix -------------------------------------------------------------
    redis_host: RedisHost = "localhost"
    redis_port: RedisPort = 6379
    redis_db: RedisDatabase = 0
    redis_url: RedisUrlSetting | None = Field(
        None,
        description="Takes precedence over host, port and db. It can contain a user and a password, and `rediss://` "
        "selects TLS. docs/redis.md describes its forms.",
    )
    redis_password: RedisPassword | None = Field(
        None,
        description="Password of the data Redis, unless its URL has one. It keeps the password out of the URL, which "
        "anyone who can read the Deployment can read.",
    )
    redis_sentinel_password: RedisPassword | None = Field(
        None,
        description="Password of the Sentinels of the data Redis, unless its URL has one. The option sentinel_username "
        "of the URL is their user.",
    )
    dramatiq_broker_url: RedisUrlSetting | None = Field(
        None, description="The queue Redis, if it differs from the data Redis."
    )
    dramatiq_task_timeout: int = Field(
        300_000,
        gt=0,
        description="Time limit of a run in milliseconds, for tasks without their own limit in the catalog.",
    )
    dramatiq_max_retries: int = Field(5, ge=0, description="Retries before a message is dead-lettered.")
    dramatiq_retry_backoff: bool = Field(
        True, description="On: exponential, with jitter, up to the maximum. Off: always the minimum."
    )

    # --- process -------------------------------------------------------------------------------------
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, JSON otherwise."
    )
    http_host: str = Field(
        "::",
        description="Address of health, probes and metrics. `::` is all addresses, IPv4 and IPv6, because the kubelet "
        "probes the pod IP. A name is served on each of its addresses: `localhost` on both loopback addresses.",
    )
    http_port: Port = Field(8000, description="Port of health, probes and metrics. 0 takes any free port.")
    release: str = Field(
        "local",
        pattern=r"^[^\s\"\\]{1,63}$",
        description="Label of every metric, so that several releases can share one Prometheus. The chart sets it.",
    )
    max_workers: Counts = Field(
        {},
        description="Largest number of workers of each tier, by queue (`high=5,low=2`), for alerts. The chart sets it.",
    )
    idle_tiers: Names = Field(
        [],
        description="Tiers, by their queues, that are scaled to zero. They are healthy without a worker while their "
        "queue is empty.",
    )

    accepted_redis_problems: AcceptableRedisProblems = Field(
        [],
        description="Problems of Redis, by their codes in docs/redis.md, that do not make the fleet degraded, such as "
        "`aof-off` for a managed service with replicas. They stay in the log, the report and the metrics.",
    )

    # --- broker --------------------------------------------------------------------------------------
    heartbeat_timeout_seconds: Seconds = Field(
        HEARTBEAT_TIMEOUT_SECONDS,
        description="A worker without a heartbeat for this long is dead. This is dramatiq's default.",
    )
    janitor_interval_seconds: Seconds = Field(
        15,
        description="Interval between scans for dead workers. The messages of a dead worker are back in the queue "
        "after at most the heartbeat timeout plus this interval, 75 s by default. For 10 s after an outage of Redis, "
        "and after the start of the scheduler, no worker counts as dead.",
    )
    max_deliveries: int = Field(
        5,
        ge=1,
        description="Number of workers that died while they held a message (its losses) from which the message is "
        "considered to kill its workers and becomes a dead letter.",
    )
    max_message_bytes: int = Field(
        MESSAGE_BYTES,
        ge=MESSAGE_BYTES_MIN,
        description="Largest size of a message in bytes, without the history of its failures. The arguments of a "
        "built-in task for 1,000 symbols take about 15 kB.",
    )
    retry_min_seconds: Seconds = Field(
        5, description="Delay of the first retry. Most faults of an upstream have passed by then."
    )
    retry_max_seconds: Seconds = Field(
        300, description="Longest delay of a retry, so that a data gap ends soon after the outage."
    )

    max_dead_letters: int = Field(
        10_000,
        ge=1,
        description="Number of dead letters of a queue beyond which the janitor deletes the oldest. They have a few kB "
        "each, so a queue keeps about 30 MB. A task that fails every minute fills it in a week, which is the "
        "retention.",
    )
    max_backlog: int = Field(
        100,
        ge=1,
        le=5_000,
        description="Largest number of one schedule's unfinished runs under `concurrencyPolicy: Allow` and `Replace`, "
        "or 1,000 if the schedule sets such a maxQueueDepth. More due times are skipped and counted. A hundred "
        "unfinished runs of one schedule show that nobody serves the queue, that runs take longer than the interval or "
        "that they keep failing, and they take at most 6.4 MB with messages of 64 kB.",
    )

    # --- data ----------------------------------------------------------------------------------------
    assets_file: Path | None = Field(None, description="YAML file of declared assets, which the scheduler reconciles.")
    quote_retention_days: int = Field(7, ge=1, description="Older quotes belong to delisted symbols and are removed.")
    history_retention_days: int = Field(
        HISTORY_DAYS,
        ge=0,
        le=366,
        description="Days for which intraday prices are kept. A coin that is fetched every 2 minutes takes 12 kB a "
        "day, so 1,000 coins take 100 MB in a week. 0 stores none.",
    )
    bar_retention_days: int = Field(
        1_100,
        ge=BAR_RETENTION_MIN,
        description="Three years: enough for 200-day averages over the width of a chart. New bars are compared with "
        "the stored ones of the last two weeks, so less than a month is refused.",
    )
    news_retention_days: int = Field(30, ge=1)
    quarantine_retention_days: int = Field(
        30, ge=1, description="Days for which a quarantine record is kept after the last rejection that it counts."
    )
    dead_letter_retention_days: int = Field(7, ge=1, description="The same as dramatiq's dead_message_ttl.")
    run_retention_days: int = Field(
        RUN_DAYS, ge=1, description="Days for which the run records of finished runs are kept."
    )

    # --- providers -----------------------------------------------------------------------------------
    simulated: bool = Field(
        False,
        description="The base URLs point to the simulator, so records are stored with the provider simulated/<name>. "
        "Use a separate Redis, because simulated bars and real bars of one asset are not stored together.",
    )
    rss_feeds: Urls = Field(
        [
            "https://finance.yahoo.com/news/rssindex",
            "https://www.cnbc.com/id/100003114/device/rss/rss.html",
            "https://feeds.content.dowjones.io/public/rss/mw_topstories",
            "https://www.coindesk.com/arc/outboundfeeds/rss/",
        ],
        description="URLs of the RSS feeds.",
    )
    secret_rss_feeds: SecretUrls = Field(
        [],
        description="URLs of further RSS feeds that contain a secret, such as a subscriber's token. They come from a "
        "file in `secrets_dir`, so that they are not in the Deployment, and no part of them is shown.",
    )
    secrets_dir: Path | None = Field(
        None,
        description="A mounted Secret. Its file `finnhub_api_key` sets that field, unless the environment does.",
    )
    ca_file: Path | None = Field(
        None,
        description="A file with certificates in PEM format of further certificate authorities, such as that of a "
        "proxy which inspects TLS. They are trusted for the calls of providers, in addition to the built-in ones.",
    )
    connect_timeout_seconds: Seconds = Field(3, description="A TCP connection across an ocean takes 0.3 s.")
    read_timeout_seconds: Seconds = Field(10, description="The slowest documented batch answer takes about 2 s.")
    max_response_bytes: int = Field(8_000_000, gt=0, description="Binance's full ticker list is 1.6 MB.")

    # --- breaker -------------------------------------------------------------------------------------
    breaker_window_seconds: Seconds = Field(
        BREAKER_WINDOW_SECONDS,
        description="Two periods of stock prices. The number of polls in the window times the calls of one poll to "
        "one upstream (retries included) must reach breaker_minimum_calls. Otherwise the breaker never opens.",
    )
    breaker_minimum_calls: int = Field(
        BREAKER_MINIMUM_CALLS, ge=1, description="With fewer calls a failure rate is meaningless."
    )
    breaker_failure_ratio: float = Field(BREAKER_FAILURE_RATIO, gt=0, le=1)
    breaker_open_seconds: Seconds = Field(
        BREAKER_OPEN_SECONDS, description="First open time. It doubles each time up to the maximum."
    )
    breaker_open_max_seconds: Seconds = Field(BREAKER_OPEN_MAX_SECONDS)
    breaker_slow_seconds: Seconds = Field(
        BREAKER_SLOW_SECONDS, description="Twice the read timeout. An answer that takes longer is a failure."
    )
    breaker_probe_seconds: Seconds = Field(
        BREAKER_PROBE_SECONDS,
        description="Lease of a probe. It is longer than a slow call and ends soon if the probing process dies.",
    )

    # --- indicators ----------------------------------------------------------------------------------
    indicator_engine: Literal["talib", "ta"] = Field("talib", description="The library `ta` is 380 times slower.")
    indicator_series: int = Field(
        100, ge=1, le=1_000, description="Values stored per output, enough for the width of a chart."
    )

    @property
    def bar_history_days(self) -> int:
        """Calendar days of bars that are read for a new asset. The cleanup keeps at least as many."""
        return min(BAR_HISTORY_DAYS, self.bar_retention_days)

    @property
    def store_url(self) -> RedisUrl:
        """Address of the data Redis, with its passwords."""
        url = self.redis_url or redis_address(self.redis_host, self.redis_port, self.redis_db)
        if self.redis_password:
            url = url.with_password(self.redis_password.get_secret_value())
        if self.redis_sentinel_password:
            url = url.with_sentinel_password(self.redis_sentinel_password.get_secret_value())
        return url

    @property
    def broker_url(self) -> RedisUrl:
        """Address of the queue Redis."""
        return self.dramatiq_broker_url or self.store_url


def _variable(field: str) -> str:
    return field.upper() if field.startswith(FIXED_NAMES) else PREFIX + field.upper()


def variables() -> dict[str, str]:
    """Return environment variable → name of its field in `Settings`."""
    return {_variable(field): field for field in Settings.model_fields}


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read all settings from the environment, and secrets that are not set there from mounted files.

    Args:
        environ: The environment variables; by default those of the process.

    Raises:
        ConfigError: A value is invalid. The error gives the variable, its value unless it is secret, and the allowed
            values.
    """
    environ = os.environ if environ is None else environ
    known = variables()
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            hint = f"did you mean {near[0]}?" if near else f"known variables: {', '.join(sorted(known))}"
            raise ConfigError(f"{name}: unknown variable; {hint}")
    values = {field: environ[name] for name, field in known.items() if name in environ}
    if "secrets_dir" in values:
        values = _mounted_secrets(Path(values["secrets_dir"])) | values
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = str(first["loc"][0])
        # any URL may contain secrets, and a Redis URL is secret as a whole
        shown = "(not shown)" if _is_secret(field) else repr(_shown_value(values[field]))
        raise ConfigError(f"{_variable(field)}={shown}: {first['msg']}") from None
    if settings.retry_min_seconds > settings.retry_max_seconds:
        raise ConfigError(
            f"{_variable('retry_min_seconds')}={settings.retry_min_seconds:g}: "
            f"must be at most {_variable('retry_max_seconds')}, which is {settings.retry_max_seconds:g}"
        )
    if settings.redis_sentinel_password and not settings.store_url.is_sentinel:
        raise ConfigError(
            "REDIS_SENTINEL_PASSWORD=(not shown): REDIS_URL does not name Sentinels; unset the variable, or begin the "
            "URL with redis+sentinel:// or rediss+sentinel://"
        )
    return settings


def _mounted_secrets(directory: Path) -> dict[str, str]:
    variable = _variable("secrets_dir")
    if not directory.is_dir():
        raise ConfigError(f"{variable}={str(directory)!r}: no such directory; mount the Secret there or unset it")
    found = {}
    for field in SECRET_FIELDS:
        file = directory / field
        if file.is_file():
            try:
                found[field] = file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{variable}: {file} cannot be read: {type(error).__name__}") from error
    return found


def _shown_value(value: str) -> str:
    """Return a setting's value without the secrets of URLs. The query of a base URL, which is refused, may be a key."""
    if "://" not in value:
        return value
    value = re.sub(r"://\S*@", f"://{MASK}@", value)
    return mask_urls(re.sub(r"(?<=[^,\s])([?#])[^\s,]*", rf"\1{MASK}", value))


def _is_secret(field: str) -> bool:
    # a URL in REDIS_HOST may contain a password
    urls = {"redis_url", "redis_host", "dramatiq_broker_url", "secret_rss_feeds"}
    return field in urls or field.endswith(("key", "password"))


def exit_on_config_error(error: ConfigError) -> NoReturn:
    """Report an invalid setting in one line on stderr, and exit with code 2."""
    sys.stderr.write(f"financehub: {printable(str(error), keep_lines=True)}\n")
    raise SystemExit(2)
