"""Derives an instrument, with its name, kind, price scale and volatility, from the seed and a canonical symbol."""

from dataclasses import dataclass
from hashlib import blake2b

from financehub_simulator.universe import (
    ETFS,
    LISTED_COINS,
    OTHERS,
    STABLECOINS,
    STOCKS,
    Exchange,
    crypto_base,
    exchange_of,
    is_known,
    is_mutual_fund,
)

#: Value of each currency in USD. It is a constant scale and not an exchange rate.
USD_VALUES = {"USD": 1.0, "EUR": 1.08, "GBP": 1.27, "CHF": 1.12, "JPY": 0.0067, "AUD": 0.65, "CAD": 0.7}


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
        return _currency(symbol, uniform, key)
    generated = (f"{symbol.split('.', maxsplit=1)[0].title()} Corporation", 10 ** (1 + 1.6 * uniform))
    name, base_price = (STOCKS | OTHERS).get(symbol, generated)
    kind = _kind(symbol)
    volatility = 0.008 + 0.012 * uniform
    return Instrument(symbol, name, kind, exchange, exchange.currency, base_price, 2, volatility, 3e9 / base_price, key)


def _kind(symbol: str) -> str:
    """Return Yahoo's quoteType of a canonical symbol that is neither a coin nor a currency pair."""
    if symbol in ETFS:
        return "ETF"
    if symbol.startswith("^"):
        return "INDEX"
    if symbol.endswith("=F"):
        return "FUTURE"
    return "MUTUALFUND" if is_mutual_fund(symbol) else "EQUITY"


def _currency(symbol: str, uniform: float, key: bytes) -> Instrument:
    """Return a currency pair. A symbol with only one currency (`JPY=X`) is the price of a dollar in that currency."""
    pair = symbol.removesuffix("=X").rjust(6, " ").replace("   ", "USD")
    base, quote = pair[:3], pair[3:]
    scale = USD_VALUES.get(base, 1.0) / USD_VALUES.get(quote, 1.0)
    base_price = scale * (0.9 + 0.2 * uniform)
    return Instrument(symbol, f"{base}/{quote}", "CURRENCY", exchange_of(symbol), quote, base_price, 6, 0.004, 0, key)


def _coin(symbol: str, coin: str, uniform: float, key: bytes) -> Instrument:
    currency = symbol.rsplit("-", 1)[1]
    _, name, dollars = LISTED_COINS.get(coin, ("", coin.title(), 10 ** (2.5 * uniform - 1)))
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
