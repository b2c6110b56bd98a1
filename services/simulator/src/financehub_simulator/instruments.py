"""Derives an instrument, with its name, kind, price scale and volatility, from the seed and a canonical symbol."""

from dataclasses import dataclass
from hashlib import blake2b

from financehub_simulator.universe import COINS, ETFS, STABLECOINS, STOCKS, Exchange, crypto_base, exchange_of, is_known

#: Value of each currency in USD. It is a constant scale and not an exchange rate.
USD_VALUES = {"USD": 1.0, "EUR": 1.08, "GBP": 1.27}
#: Prefixes of Yahoo's symbols for indices and mutual funds.
_KIND_BY_PREFIX = {"^": "INDEX", "0P": "MUTUALFUND"}


@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """An instrument that has a price.

    Args:
        symbol: Canonical symbol.
        name: Full name.
        kind: Yahoo's quoteType.
        exchange: Exchange where it trades.
        currency: Currency unit of its prices.
        base_price: Scale of its prices, in the currency unit.
        digits: Decimals of its prices.
        volatility: Daily volatility of the log price.
        daily_volume: Typical daily volume in units of the instrument.
        random_key: Hash key from which its random numbers are derived.
    """

    symbol: str
    name: str
    kind: str
    exchange: Exchange
    currency: str
    base_price: float
    digits: int
    volatility: float
    daily_volume: float
    random_key: bytes


def make_instrument(seed: int, symbol: str) -> Instrument:
    """Return the instrument with a canonical symbol.

    Raises:
        KeyError: The symbol has no price.
    """
    if not is_known(symbol):
        raise KeyError(symbol)
    coin = crypto_base(symbol)
    # A coin has the same random walk in every currency.
    key = blake2b(f"{seed}:{coin or symbol}".encode(), digest_size=32).digest()
    uniform = int.from_bytes(key[:2]) / 65_535
    if coin:
        return _coin(symbol, coin, uniform, key)
    exchange = exchange_of(symbol)
    if symbol.endswith("=X"):
        name = f"{symbol[:3]}/{symbol[3:6]}"
        return Instrument(symbol, name, "CURRENCY", exchange, symbol[3:6], 0.6 + uniform, 6, 0.004, 0, key)
    generated = (f"{symbol.split('.', maxsplit=1)[0].title()} Corporation", 10 ** (1 + 1.6 * uniform))
    name, base_price = STOCKS.get(symbol, generated)
    kind = next((kind for prefix, kind in _KIND_BY_PREFIX.items() if symbol.startswith(prefix)), "EQUITY")
    kind = "ETF" if symbol in ETFS else kind
    volatility = 0.008 + 0.012 * uniform
    return Instrument(symbol, name, kind, exchange, exchange.currency, base_price, 2, volatility, 3e9 / base_price, key)


def _coin(symbol: str, coin: str, uniform: float, key: bytes) -> Instrument:
    currency = symbol.rsplit("-", 1)[1]
    _, name, dollars = COINS.get(coin, ("", coin.title(), 10 ** (2.5 * uniform - 1)))
    base_price = dollars / USD_VALUES[currency]
    volatility = 0.0002 if coin in STABLECOINS else 0.02 + 0.02 * uniform
    return Instrument(
        symbol,
        f"{name} {currency}",
        "CRYPTOCURRENCY",
        exchange_of(symbol),
        currency,
        base_price,
        coin_digits(base_price),
        volatility,
        5e9 / base_price,
        key,
    )


def coin_digits(base_price: float) -> int:
    """Return the number of decimals in a coin's prices, which have about seven digits in total."""
    return 2 if base_price >= 1_000 else 4 if base_price >= 1 else 6 if base_price >= 0.01 else 10
