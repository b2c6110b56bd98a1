"""The few settings of a process that reads the state of the fleet, without the library that validates all settings.

Loading that library and building the model of all settings takes 130 ms of CPU, which is as much as the rest of a
command of the command line. Only the settings that readers need are read here. The library decides about a value in an
unusual form and about an unknown name, so that its error says what to write.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.redis_url import RedisUrl
from financehub_shared.core.redis_url_parser import LARGEST_DATABASE, parse_redis_url, redis_address
from financehub_shared.core.setting_defaults import HEARTBEAT_TIMEOUT_SECONDS, MESSAGE_BYTES, RUN_DAYS
from financehub_shared.core.setting_names import SETTING_NAMES

#: Problems of a Redis server, by their codes in docs/redis.md, that can be a decision of its operator. The others stop
#: the fleet or mean that data is being lost.
AcceptableRedisProblem = Literal[
    "aof-off", "clients-high", "eviction", "memory-high", "not-checked", "old-version", "slow-fork"
]
#: Smallest allowed value of `max_message_bytes`.
MESSAGE_BYTES_MIN = 4_096
#: Why a value is left to the library, whose error replaces this text.
_UNUSUAL = "not in the usual form"
#: A larger number is left to the library.
_LARGEST_NUMBER = 1_000_000_000


class ReaderSettings(Protocol):
    """The settings that readers of the fleet's state need. `settings.Settings` describes them."""

    @property
    def store_url(self) -> RedisUrl: ...
    @property
    def broker_url(self) -> RedisUrl: ...
    @property
    def heartbeat_timeout_seconds(self) -> float: ...
    @property
    def idle_tiers(self) -> Sequence[str]: ...
    @property
    def accepted_redis_problems(self) -> Sequence[str]: ...
    @property
    def run_retention_days(self) -> int: ...
    @property
    def max_message_bytes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class PlainSettings:
    """The settings that readers need, read from values in their usual form."""

    store_url: RedisUrl
    broker_url: RedisUrl
    heartbeat_timeout_seconds: float
    idle_tiers: Sequence[str]
    accepted_redis_problems: Sequence[str]
    run_retention_days: int
    max_message_bytes: int


def read_plain_settings(environ: Mapping[str, str]) -> PlainSettings | None:
    """Return the settings that readers need, if their values are in their usual form. Other values are not checked.

    Args:
        environ: The environment variables.

    Returns:
        The settings, or None if `settings.load_settings` must decide, for example because a value is not valid.
    """
    if any(name.startswith("FINANCEHUB_") and name not in SETTING_NAMES for name in environ):
        return None
    try:
        store = _store_url(environ)
        return PlainSettings(
            store,
            parse_redis_url(environ["DRAMATIQ_BROKER_URL"]) if "DRAMATIQ_BROKER_URL" in environ else store,
            _whole_number(environ, "FINANCEHUB_HEARTBEAT_TIMEOUT_SECONDS", HEARTBEAT_TIMEOUT_SECONDS, 1),
            split_names(environ.get("FINANCEHUB_IDLE_TIERS", "")),
            _accepted_problems(environ),
            _whole_number(environ, "FINANCEHUB_RUN_RETENTION_DAYS", RUN_DAYS, 1),
            _whole_number(environ, "FINANCEHUB_MAX_MESSAGE_BYTES", MESSAGE_BYTES, MESSAGE_BYTES_MIN),
        )
    except ConfigError:
        return None


def split_names(text: str) -> list[str]:
    """Return the names of a list that is written as `a, b`."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _store_url(environ: Mapping[str, str]) -> RedisUrl:
    """Return the address of the data Redis, with its passwords."""
    port = _whole_number(environ, "REDIS_PORT", 6_379, 1, 65_535)
    db = _whole_number(environ, "REDIS_DB", 0, 0, LARGEST_DATABASE)
    address = redis_address(environ.get("REDIS_HOST", "localhost"), port, db)
    url = parse_redis_url(environ["REDIS_URL"]) if "REDIS_URL" in environ else address
    password = _password(environ, "redis_password")
    sentinel_password = _password(environ, "redis_sentinel_password")
    if sentinel_password and not url.is_sentinel:
        raise ConfigError(_UNUSUAL)
    if password:
        url = url.with_password(password)
    return url.with_sentinel_password(sentinel_password) if sentinel_password else url


def _password(environ: Mapping[str, str], field: str) -> str:
    """Return the password of a field, or an empty text."""
    variable = field.upper()
    password = environ[variable] if variable in environ else _mounted_password(environ, field)
    if not password.isprintable():
        raise ConfigError(_UNUSUAL)
    return password


def _mounted_password(environ: Mapping[str, str], field: str) -> str:
    """Return the password in the file of the mounted Secret, or an empty text."""
    if "FINANCEHUB_SECRETS_DIR" not in environ:
        return ""
    directory = Path(environ["FINANCEHUB_SECRETS_DIR"])
    try:
        if not directory.is_dir():
            raise ConfigError(_UNUSUAL)
        file = directory / field
        return file.read_text(encoding="utf-8").strip() if file.is_file() else ""
    except (OSError, ValueError) as error:
        raise ConfigError(_UNUSUAL) from error


def _accepted_problems(environ: Mapping[str, str]) -> list[str]:
    problems = split_names(environ.get("FINANCEHUB_ACCEPTED_REDIS_PROBLEMS", ""))
    if not set(problems) <= set(get_args(AcceptableRedisProblem)):
        raise ConfigError(_UNUSUAL)
    return problems


def _whole_number(
    environ: Mapping[str, str], name: str, default: int, least: int, largest: int = _LARGEST_NUMBER
) -> int:
    text = environ.get(name, str(default))
    if re.fullmatch(r"0|[1-9][0-9]{0,9}", text) is None or not least <= int(text) <= largest:
        raise ConfigError(_UNUSUAL)
    return int(text)
