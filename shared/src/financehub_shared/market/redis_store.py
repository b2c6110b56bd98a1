"""Stores market data in Redis, with one repository per kind of data."""

import redis

from financehub_shared.core.setting_defaults import HISTORY_DAYS
from financehub_shared.market.assets import AssetRepository
from financehub_shared.market.bars import BarRepository
from financehub_shared.market.disputes import DisputeRepository
from financehub_shared.market.freshness import FreshnessRepository
from financehub_shared.market.full_reads import FullReadRepository
from financehub_shared.market.history import HistoryRepository
from financehub_shared.market.indicators import IndicatorRepository
from financehub_shared.market.news import NewsRepository
from financehub_shared.market.quarantine import QuarantineRepository
from financehub_shared.market.quotes import QuoteRepository
from financehub_shared.market.retention import Retention
from financehub_shared.market.unreadable import ReportUnreadable


class RedisStore(
    AssetRepository,
    QuoteRepository,
    HistoryRepository,
    DisputeRepository,
    BarRepository,
    FullReadRepository,
    IndicatorRepository,
    NewsRepository,
    QuarantineRepository,
    FreshnessRepository,
    Retention,
):
    """Market data in Redis 6.2 or newer, or in Valkey.

    Args:
        client: Connection to the data Redis, with `decode_responses=False`.
        report: Receives each record that cannot be read. By default, it is logged.
        history_days: Days for which the accepted prices are kept. 0 stores none.
    """

    def __init__(
        self, client: redis.Redis, report: ReportUnreadable | None = None, *, history_days: int = HISTORY_DAYS
    ) -> None:
        super().__init__(client, report)
        self._history_days = history_days
