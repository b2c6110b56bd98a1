"""What each upstream allows, as data. Sources are named beside each; upstreams that say nothing get a polite figure."""

from collections.abc import Mapping

from financehub_shared.providers.budget.core import Limit

MINUTE, HOUR, MONTH = 60.0, 3_600.0, 30 * 86_400.0

LIMITS: Mapping[str, tuple[Limit, ...]] = {
    # Binance, "Limits" of the Spot REST API: REQUEST_WEIGHT 6,000 a minute and IP; every call has a weight.
    "binance": (Limit(MINUTE, 6_000),),
    # CoinGecko, Demo plan: 30 calls a minute at the least, 10,000 a month.
    "coingecko": (Limit(MINUTE, 30), Limit(MONTH, 10_000)),
    # Kraken, "API rate limits": public calls are limited per IP, about one a second.
    "kraken": (Limit(MINUTE, 60),),
    # Yahoo documents nothing and answers 429 to the greedy: a figure of politeness. The limit per minute lets the first
    # daily bars of 1,000 assets through in one go.
    "yahoo": (Limit(MINUTE, 1_200), Limit(HOUR, 2_000)),
    # Finnhub, "Rate limits": 60 a minute on the free plan, and 30 a second on every plan.
    "finnhub": (Limit(1.0, 30), Limit(MINUTE, 60)),
    # GDELT answers 429 "please limit requests to one every 5 seconds".
    "gdelt": (Limit(5.0, 1),),
    # Feeds publish no limit. This is for each feed: a run, its retries and a few runs by hand in a minute.
    "rss": (Limit(MINUTE, 12),),
}
