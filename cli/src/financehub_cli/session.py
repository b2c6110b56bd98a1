"""What a command works with: settings and connections, made when first asked for."""

import difflib
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import redis

from financehub_shared.core.clock import Clock, SystemClock
from financehub_shared.core.errors import ConfigError, FinanceHubError
from financehub_shared.core.models import Asset
from financehub_shared.core.settings import Settings, load_settings
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis.client import connect

if TYPE_CHECKING:
    from financehub_shared.monitor import TaskMonitor

#: Seconds a person waits for one answer of Redis before being told.
TIMEOUT_SECONDS = 5.0
#: Seconds a completion may take; a slow one would block the shell.
COMPLETION_TIMEOUT_SECONDS = 0.5


class Session:
    """Settings and connections of one command.

    Args:
        settings: None: from the environment.
        timeout: seconds that Redis may take for an answer.

    Raises:
        ConfigError: a setting is wrong.
    """

    def __init__(self, settings: Settings | None = None, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self.settings = settings or load_settings()
        self.clock: Clock = SystemClock()
        self._timeout = timeout

    @cached_property
    def store_client(self) -> "redis.Redis":
        """Redis of the data."""
        return connect(self.settings.store_url, retries=0, timeout=self._timeout)

    @cached_property
    def broker_client(self) -> "redis.Redis":
        """Redis of the queues."""
        return connect(self.settings.broker_url, retries=0, timeout=self._timeout)

    @cached_property
    def store(self) -> RedisStore:
        """The data."""
        return RedisStore(self.store_client)

    @cached_property
    def monitor(self) -> "TaskMonitor":
        """The records of runs."""
        from financehub_shared.monitor import TaskMonitor

        return TaskMonitor(self.broker_client, retention_seconds=self.settings.run_retention_days * 86_400)

    def assets(self, symbols: Sequence[str] | None) -> list[Asset]:
        """The assets of these symbols, in any case; all active ones if none is given.

        Raises:
            ConfigError: a symbol is unknown.
        """
        known = {asset.symbol: asset for asset in self.store.assets(active_only=False)}
        if not symbols:
            return [asset for asset in known.values() if asset.active]
        return [known[one_of("symbol", symbol.upper(), known)] for symbol in symbols]


def one_of(kind: str, given: str, known: Iterable[str]) -> str:
    """`given`, if it is known.

    Raises:
        ConfigError: naming what is near or, if there are few, everything.
    """
    names = sorted(known)
    if given in names:
        return given
    near = difflib.get_close_matches(given, names, n=3)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif len(names) <= 12:
        hint = f"known are: {', '.join(names) or 'none'}"
    else:
        hint = f"{len(names)} are known, none of them similar"
    raise ConfigError(f"unknown {kind} {given!r}; {hint}")


def complete_symbols(incomplete: str) -> list[str]:
    """Symbols for the shell's completion; none when Redis is away."""
    try:
        assets = Session(timeout=COMPLETION_TIMEOUT_SECONDS).store.assets(active_only=False)
    except FinanceHubError:
        return []
    return [asset.symbol for asset in assets if asset.symbol.startswith(incomplete)]
