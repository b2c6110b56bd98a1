"""The closes of many assets, which are read faster than their histories and must not differ from them."""

from random import Random

import pytest
import redis

from financehub_shared.core.durations import DAY_SECONDS, HOUR_SECONDS
from financehub_shared.core.kinds import AssetType
from financehub_shared.core.models import Asset, Quality
from financehub_shared.market.closes import MOST_POINTS, plain_closes
from financehub_shared.market.encoding.history import encode_point
from financehub_shared.market.history_candles import INTERVALS, fold
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.market.unreadable import Unreadable
from financehub_shared.redis import keys
from support.market_data import T0, bars, quote

MIDNIGHT = int(T0 // DAY_SECONDS) * DAY_SECONDS
NOW = MIDNIGHT + 13 * HOUR_SECONDS + 1_234.5
_DAYS = (MIDNIGHT // DAY_SECONDS - 1, MIDNIGHT // DAY_SECONDS)
START, END = MIDNIGHT - 11 * HOUR_SECONDS, NOW + 60


def _put_day(client: redis.Redis, symbol: str, random: Random, seconds: int, oddities: list[str]) -> None:
    """Append prices of two days, some of which a rule of the history changes."""
    price, at = 100.0, MIDNIGHT - DAY_SECONDS + 1.25
    while at < NOW:
        price *= 1 + random.gauss(0, 0.0005)
        more: dict[str, object] = {}
        shown, moment = price, at
        if oddities and random.random() < 0.01:
            oddity = random.choice(oddities)
            if oddity == "jump":
                price *= random.choice((0.5, 100, 0.01, 1.06))
            elif oddity == "unconfirmed":
                more["quality"], shown = Quality.UNCONFIRMED, price * random.choice((1.0, 3.0))
            elif oddity == "simulated":
                more["provider"] = "simulated/yahoo"
            elif oddity == "older":
                moment = at - 900
            elif oddity == "damaged":
                client.append(keys.history(symbol, int(at // DAY_SECONDS)), random.randbytes(12))
        day, record = encode_point(quote(symbol, repr(shown), moment, **more))
        client.append(keys.history(symbol, day), record)
        at += seconds * random.choice((1, 1, 1, 1, 30))


@pytest.mark.parametrize("seed", range(6))
def test_closes_equal_the_candles_of_the_history(redis_client: redis.Redis, seed: int):
    """Whatever is stored, each point is the close of a candle of the same interval, and no candle is missing."""
    random = Random(seed)
    store = RedisStore(redis_client)
    oddities = ["jump", "unconfirmed", "simulated", "older", "damaged"]
    symbols: dict[str, AssetType] = {}
    for number in range(12):
        type = random.choice(list(AssetType))
        symbol = f"A{number}-USD" if type is AssetType.CRYPTO else f"A{number}"
        symbols[symbol] = type
        store.put_assets([Asset(symbol, type)])
        # The newest quote tells until which day a history goes.
        redis_client.hset(keys.QUOTES, symbol, f"{round(NOW * 1e6):017d}".encode())
        chosen = random.sample(oddities, number % (len(oddities) + 1))
        _put_day(redis_client, symbol, random, random.choice((20, 60, 120, 3_600)), chosen)
        if number % 2:
            days = range(_DAYS[1] - 5, _DAYS[1])
            store.put_bars([bars(symbol, days, level=random.choice((50.0, 100.0)))])
    damaged: Unreadable = {}
    found = store.closes(symbols, START, END, unreadable=damaged)
    assert len(found) > 8
    for symbol in symbols:
        points = store.history(symbol, START, END).points
        assert (symbol in found) == bool(points), symbol
        if not points:
            continue
        closes = found[symbol]
        candles = fold(points, INTERVALS[closes.interval])
        assert list(closes.points) == [(candle.at, candle.close) for candle in candles], symbol
        assert len(closes.points) <= MOST_POINTS


def test_closes_of_a_usual_day_need_no_rule(redis_client: redis.Redis):
    """The fast way is taken for the prices of a coin and of a stock without a jump."""
    store = RedisStore(redis_client)
    for type, symbol in ((AssetType.CRYPTO, "BTC-USD"), (AssetType.STOCK, "AAPL")):
        _put_day(redis_client, symbol, Random(1), 120, [])
        days = [(day, redis_client.get(keys.history(symbol, day))) for day in _DAYS]
        plain = plain_closes(days, START, END, has_scale=type is AssetType.STOCK)  # type: ignore[arg-type]
        assert plain is not None
        assert store.closes({symbol: type}, START, END) == {symbol: plain}


def test_closes_of_a_foreign_key_are_missing_and_reported(redis_client: redis.Redis):
    """A key of another type costs only its own asset."""
    store = RedisStore(redis_client)
    _put_day(redis_client, "BTC-USD", Random(1), 120, [])
    redis_client.rpush(keys.history("ETH-USD", _DAYS[1]), "x")
    damaged: Unreadable = {}
    symbols = dict.fromkeys(("BTC-USD", "ETH-USD", "NONE-USD"), AssetType.CRYPTO)
    assert store.closes(symbols, START, END, unreadable=damaged).keys() == {"BTC-USD"}
    assert list(damaged) == [keys.history("ETH-USD", _DAYS[1])]


def _append(client: redis.Redis, symbol: str, seconds: float, price: str, **more: object) -> None:
    day, record = encode_point(quote(symbol, price, MIDNIGHT + seconds, **more))
    client.append(keys.history(symbol, day), record)


@pytest.mark.parametrize(
    ("type", "expected"), [(AssetType.STOCK, [50, 51]), (AssetType.CRYPTO, [100, 51])], ids=["stock", "coin"]
)
def test_closes_over_a_split_are_on_the_new_scale(redis_client: redis.Redis, type: AssetType, expected: list[float]):
    """The bars show that a stock was split. A coin has no splits, so its price has really fallen."""
    store = RedisStore(redis_client)
    store.put_bars([bars("X", range(_DAYS[1] - 3, _DAYS[1]), 50 - _DAYS[0] / 1_000 - 0.25)])
    _append(redis_client, "X", -3_600, "100")
    _append(redis_client, "X", 0, "51")
    closes = store.closes({"X": type}, START, END)["X"]
    assert [price for _, price in closes.points] == expected


def test_closes_never_mix_simulated_and_real_prices(redis_client: redis.Redis):
    """Only prices like the newest one are returned, also if each day has prices of one kind."""
    _append(redis_client, "X", -3_600, "100", provider="simulated/binance")
    _append(redis_client, "X", 0, "7")
    closes = RedisStore(redis_client).closes({"X": AssetType.CRYPTO}, START, END)["X"]
    assert list(closes.points) == [(MIDNIGHT, 7.0)]
