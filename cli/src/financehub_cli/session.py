"""Holds the settings of one command, and its connections, which are created on first use."""

import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import redis

from financehub_cli.exit_codes import ExitCode, describe_error, print_message
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.errors import CorruptDataError
from financehub_shared.core.reader_settings import ReaderSettings, read_plain_settings
from financehub_shared.redis.client import connect
from financehub_shared.redis.server_clock import ServerClock

if TYPE_CHECKING:  # a command imports only what it uses
    from financehub_shared.core.models import Asset
    from financehub_shared.core.settings import Settings
    from financehub_shared.logging import Redactor
    from financehub_shared.market.redis_store import RedisStore
    from financehub_shared.market.unreadable import ReportUnreadable, Unreadable
    from financehub_shared.monitor import TaskMonitor

#: Seconds that a user waits for one Redis reply before the command reports an error.
TIMEOUT_SECONDS = 5.0


class Session:
    """The settings and connections of one command.

    Args:
        timeout: Timeout in seconds for one Redis reply.
        report: Receives an error for each stored record that cannot be read. By default, it is printed once to stderr.

    Raises:
        ConfigError: A setting is invalid.
    """

    def __init__(
        self,
        *,
        timeout: float = TIMEOUT_SECONDS,
        report: "ReportUnreadable | None" = None,
    ) -> None:
        #: The settings that reading needs. `settings` are all of them.
        self.reader_settings: ReaderSettings = read_plain_settings(os.environ) or self.settings
        self._timeout = timeout
        self.report: ReportUnreadable = report or self._print_unreadable
        self._printed: set[str] = set()

    @cached_property
    def settings(self) -> "Settings":
        """All settings, whose validation is expensive. Commands that only read use `reader_settings`."""
        from financehub_shared.core.settings import load_settings

        return load_settings()

    @cached_property
    def clock(self) -> ServerClock:
        """The time of Redis, because ages are shown of records that other machines have written."""
        clock = ServerClock(SystemClock())
        clock.measure_if_due(self.broker_client)
        return clock

    @cached_property
    def store_client(self) -> "redis.Redis":
        """The client of the data Redis."""
        return connect(self.reader_settings.store_url, retries=0, timeout=self._timeout)

    @cached_property
    def broker_client(self) -> "redis.Redis":
        """The client of the queue Redis."""
        return connect(self.reader_settings.broker_url, retries=0, timeout=self._timeout)

    @cached_property
    def store(self) -> "RedisStore":
        """The store of the market data."""
        from financehub_shared.market.redis_store import RedisStore

        return RedisStore(self.store_client, self.report)

    @cached_property
    def monitor(self) -> "TaskMonitor":
        """The run records and the task statistics."""
        from financehub_shared.monitor import TaskMonitor

        return TaskMonitor(
            self.broker_client,
            retention_seconds=self.reader_settings.run_retention_days * DAY_SECONDS,
            redact=self._redact,
        )

    def _redact(self, text: str) -> str:
        return self._redactor(text)

    @cached_property
    def _redactor(self) -> "Redactor":
        from financehub_shared.logging import Redactor, known_secrets

        return Redactor(known_secrets(self.settings))

    def find_assets(self, symbols: Sequence[str] | None) -> "list[Asset]":
        """Return the assets with the given symbols, in the same order. Assets that cannot be read are left out.

        Args:
            symbols: Symbols in upper or lower case. If there are none, all active assets are returned.

        Raises:
            UnknownNameError: A symbol is unknown.
        """
        from financehub_shared.core.asset_selection import named_assets

        unreadable: Unreadable = {}
        assets = {asset.symbol: asset for asset in self.store.assets(active_only=False, unreadable=unreadable)}
        return named_assets(symbols, assets, unreadable)

    def exit_code(self, symbols: Sequence[str] | None = None, shown: int = 0) -> ExitCode:
        """Return the exit code of a command that shows stored data.

        Args:
            symbols: The symbols that the user named. Without symbols, every record that cannot be read is a failure.
            shown: Number of symbols whose data is shown.
        """
        is_complete = shown >= len(symbols) if symbols else not self._printed
        return ExitCode.OK if is_complete else ExitCode.FAILED

    def _print_unreadable(self, error: CorruptDataError) -> None:
        if error.key not in self._printed:
            self._printed.add(error.key)
            print_message(describe_error(error)[1])
