"""Lists well-known coins, and other names of coins that users write."""

from collections.abc import Mapping

#: Other ticker or name of a coin → its ticker.
COIN_NAMES: Mapping[str, str] = {
    "XBT": "BTC",
    "XDG": "DOGE",
    "BITCOIN": "BTC",
    "BITCOINCASH": "BCH",
    "BINANCECOIN": "BNB",
    "ETHEREUM": "ETH",
    "ETHER": "ETH",
    "ETHEREUMCLASSIC": "ETC",
    "INTERNETCOMPUTER": "ICP",
    "TETHER": "USDT",
    "RIPPLE": "XRP",
    "SOLANA": "SOL",
    "CARDANO": "ADA",
    "DOGECOIN": "DOGE",
    "TRON": "TRX",
    "AVALANCHE": "AVAX",
    "CHAINLINK": "LINK",
    "SHIBAINU": "SHIB",
    "POLKADOT": "DOT",
    "LITECOIN": "LTC",
    "STELLAR": "XLM",
    "UNISWAP": "UNI",
    "COSMOS": "ATOM",
    "MONERO": "XMR",
    "ALGORAND": "ALGO",
}
_TICKERS = """
    1INCH AAVE APE APT AR ARB AXS BAT BNB BONK CAKE COMP CRO CRV DAI DASH EGLD ENA ENS EOS ETC FET FIL FLOW FTM GALA GRT
    HBAR HYPE ICP IMX INJ IOTA JTO JUP KAS KSM LDO LEO LUNA LUNC MANA MATIC MKR MNT NEAR NEO OKB ONDO OP PEPE POL QNT
    RENDER RUNE S SAND SEI SNX STX SUI TAO THETA TIA TON USDC VET WBTC WIF WLD XTZ ZEC ZIL
"""
#: Coins that are preferred if a pair without a separator can be split in two ways (`BNBUSD`, `DOTUSD`).
KNOWN_COINS = frozenset([*COIN_NAMES.values(), *_TICKERS.split()])
