"""Kraken's names of coins and pairs. Pure."""

import re

from financehub_shared.core.models import Asset

#: Coin → Kraken's name for it, if the two differ. Terra Classic and the first Augur kept their names at Kraken, but
#: everywhere else these names belong to other coins. Without this table, LUNA would get the price of Terra Classic.
#: Sources: `commonCurrencies` of ccxt's kraken module (ccxt #13581), Team-Kujira/oracle-price-feeder #19.
OWN_NAMES = {
    "BTC": "XBT",
    "DOGE": "XDG",
    "LUNA": "LUNA2",
    "LUNC": "LUNA",
    "REP": "REPV2",
    "REPV1": "REP",
    "USTC": "UST",
}
#: Coin or currency → its prefix in the keys of Kraken's oldest pairs (`XXBTZUSD`). Source: ccxt, as above.
_PREFIXES = {
    **dict.fromkeys(("ETC", "ETH", "LTC", "MLN", "REP", "XBT", "XLM", "XMR", "XRP", "ZEC"), "X"),
    **dict.fromkeys(("AUD", "CAD", "EUR", "GBP", "JPY", "USD"), "Z"),
}
_PAIR = re.compile(r"[A-Z0-9]{4,20}")


def pair_of(asset: Asset) -> str | None:
    """Return Kraken's pair (`BTC-USD` → `XBTUSD`), or None if Kraken cannot list the asset."""
    base, _, quote = asset.symbol.rpartition("-")
    explicit = asset.provider_symbols.get("kraken", "").upper()
    pair = explicit or OWN_NAMES.get(base, base) + OWN_NAMES.get(quote, quote)
    return pair if base and _PAIR.fullmatch(pair) else None


def keys_of(pair: str) -> list[str]:
    """Return the keys that an answer may use for a pair: `XBTUSD` → `XBTUSD`, `XXBTZUSD`.

    Only the old coins in `_PREFIXES` have prefixes. With a prefix, any other coin could get the name of a different
    coin: the key of DG would be `XDGUSD`, which is the pair of Dogecoin.
    """
    for quote, prefix in _PREFIXES.items():
        base = pair.removesuffix(quote)
        if base in _PREFIXES and base != pair:
            return [pair, f"{_PREFIXES[base]}{base}{prefix}{quote}"]
        if base == "USDT" and prefix == "Z":
            return [pair, f"{base}{prefix}{quote}"]
    return [pair]
