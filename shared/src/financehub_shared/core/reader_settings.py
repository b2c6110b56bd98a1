"""The few settings of a process that reads the state of the fleet, without the library that validates all settings.

Loading that library and building the model of all settings takes 130 ms of CPU, which is as much as the rest of a
command of the command line. An environment that sets nothing but the addresses of Redis needs neither.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from financehub_shared.core.errors import ConfigError
from financehub_shared.core.redis_url import RedisUrl
from financehub_shared.core.redis_url_parser import LARGEST_DATABASE, parse_redis_url, redis_address
from financehub_shared.core.setting_defaults import HEARTBEAT_TIMEOUT_SECONDS, MESSAGE_BYTES, RUN_DAYS

#: The variables of the addresses of Redis.
_ADDRESSES = ("REDIS_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_DB", "DRAMATIQ_BROKER_URL")
#: The beginnings of the names of all other settings.
_OTHERS = ("FINANCEHUB_", "DRAMATIQ_", "REDIS_PASSWORD")


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
class DefaultSettings:
    """The addresses of Redis, and the defaults of all other settings that readers need."""

    store_url: RedisUrl
    broker_url: RedisUrl
    heartbeat_timeout_seconds: float = HEARTBEAT_TIMEOUT_SECONDS
    idle_tiers: Sequence[str] = ()
    accepted_redis_problems: Sequence[str] = ()
    run_retention_days: int = RUN_DAYS
    max_message_bytes: int = MESSAGE_BYTES


def read_default_settings(environ: Mapping[str, str]) -> DefaultSettings | None:
    """Return the settings if the environment sets only addresses of Redis, in their usual form.

    Args:
        environ: The environment variables.

    Returns:
        The settings, or None if `settings.load_settings` must decide, for example because a value is not valid.
    """
    given = {name: environ[name] for name in _ADDRESSES if name in environ}
    if any(name.startswith(_OTHERS) and name not in given for name in environ):
        return None
    port, db = given.get("REDIS_PORT", "6379"), given.get("REDIS_DB", "0")
    if not (_is_number(port, 1, 65_535) and _is_number(db, 0, LARGEST_DATABASE)):
        return None
    try:
        store = redis_address(given.get("REDIS_HOST", "localhost"), int(port), int(db))
        store = parse_redis_url(given["REDIS_URL"]) if "REDIS_URL" in given else store
        broker = parse_redis_url(given["DRAMATIQ_BROKER_URL"]) if "DRAMATIQ_BROKER_URL" in given else store
    except ConfigError:
        return None
    return DefaultSettings(store, broker)


def _is_number(text: str, least: int, largest: int) -> bool:
    return re.fullmatch(r"0|[1-9][0-9]{0,9}", text) is not None and least <= int(text) <= largest
