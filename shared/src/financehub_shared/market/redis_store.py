"""Stores market data in Redis, with one repository per kind of data."""

from financehub_shared.market.assets import AssetRepository
from financehub_shared.market.bars import BarRepository
from financehub_shared.market.disputes import DisputeRepository
from financehub_shared.market.freshness import FreshnessRepository
from financehub_shared.market.full_reads import FullReadRepository
from financehub_shared.market.indicators import IndicatorRepository
from financehub_shared.market.news import NewsRepository
from financehub_shared.market.quarantine import QuarantineRepository
from financehub_shared.market.quotes import QuoteRepository
from financehub_shared.market.retention import Retention


class RedisStore(
    AssetRepository,
    QuoteRepository,
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
    """
