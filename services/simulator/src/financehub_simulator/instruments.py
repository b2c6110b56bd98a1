"""What a canonical symbol stands for: name, kind, price scale and volatility, all derived from seed and symbol."""

from dataclasses import dataclass
from hashlib import blake2b

from financehub_simulator.universe import COINS, ETFS, STABLE, STOCKS, Exchange, crypto_base, exchange_of, is_known

#: Value of a currency in USD: a constant scale, not a rate.
RATES = {"USD": 1.0, "EUR": 1.08, "GBP": 1.27}
#: How Yahoo's symbols of indices and funds begin.
_KIND_BY_PREFIX = {"^": "INDEX", "0P": "MUTUALFUND"}


@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """Something that has a price.

    Args:
        kind: Yahoo's quoteType.
        base: price scale, in the exchange's currency unit.
        digits: decimals of its prices.
        sigma: daily volatility of the log price.
        turnover: typical daily volume in units of the instrument.
        key: what its randomness is derived from.
    """

    symbol: str
    name: str
    kind: str
    exchange: Exchange
    currency: str
    base: float
    digits: int
    sigma: float
    turnover: float
    key: bytes


def instrument(seed: int, symbol: str) -> Instrument:
    """The instrument of a canonical symbol.

    Raises:
        KeyError: nothing of that name has a price.
    """
    if not is_known(symbol):
        raise KeyError(symbol)
    coin = crypto_base(symbol)
    # One coin is one random walk, whatever money it is priced in.
    key = blake2b(f"{seed}:{coin or symbol}".encode(), digest_size=32).digest()
    spread = int.from_bytes(key[:2]) / 65_535
    if coin:
        return _coin(symbol, coin, spread, key)
    exchange = exchange_of(symbol)
    if symbol.endswith("=X"):
        name = f"{symbol[:3]}/{symbol[3:6]}"
        return Instrument(symbol, name, "CURRENCY", exchange, symbol[3:6], 0.6 + spread, 6, 0.004, 0, key)
    made_up = (f"{symbol.split('.', maxsplit=1)[0].title()} Corporation", 10 ** (1 + 1.6 * spread))
    name, base = STOCKS.get(symbol, made_up)
    kind = next((kind for prefix, kind in _KIND_BY_PREFIX.items() if symbol.startswith(prefix)), "EQUITY")
    kind = "ETF" if symbol in ETFS else kind
    sigma = 0.008 + 0.012 * spread
    return Instrument(symbol, name, kind, exchange, exchange.currency, base, 2, sigma, 3e9 / base, key)


def _coin(symbol: str, coin: str, spread: float, key: bytes) -> Instrument:
    currency = symbol.rsplit("-", 1)[1]
    _, name, dollars = COINS.get(coin, ("", coin.title(), 10 ** (2.5 * spread - 1)))
    base = dollars / RATES[currency]
    sigma = 0.0002 if coin in STABLE else 0.02 + 0.02 * spread
    return Instrument(
        symbol,
        f"{name} {currency}",
        "CRYPTOCURRENCY",
        exchange_of(symbol),
        currency,
        base,
        coin_digits(base),
        sigma,
        5e9 / base,
        key,
    )


def coin_digits(base: float) -> int:
    """Decimals of a coin's price: about seven digits in all."""
    return 2 if base >= 1_000 else 4 if base >= 1 else 6 if base >= 0.01 else 10
