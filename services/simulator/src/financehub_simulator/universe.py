"""The symbol universe: exchanges, coins, stocks, unknown symbols, and generated symbols for benchmarks.

Every symbol with a plausible shape has a price unless its base is in `UNKNOWN_BASES` or `DELISTED_BASES`.
"""

import re
from dataclasses import dataclass, replace

#: Symbols that no upstream knows, without suffix and quote currency. The last two occur in recorded responses.
UNKNOWN_BASES = frozenset({"NOPE", "NOPE2", "INVALID", "UNKNOWN", "XXXX", "SIX", "APS"})
#: Formerly listed symbols. Yahoo returns them without a price (`quoteType: NONE`); no other upstream knows them.
DELISTED_BASES = frozenset({"DELISTED", "SI"})

_STOCK = re.compile(r"^\^?[A-Z0-9][A-Z0-9&_-]{0,14}(\.[A-Z]{1,3})?$|^([A-Z]{3}){1,2}=X$|^[A-Z0-9]{1,4}=F$")
_MUTUAL_FUND = re.compile(r"^[A-Z]{4}X$|^0P")
_CRYPTO = re.compile(r"^([A-Z0-9]{2,12})-(USD|EUR|GBP)$")


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """An exchange. Its trading hours are minutes after local midnight.

    Args:
        code: Yahoo's `exchange`.
        name: Yahoo's `fullExchangeName`.
        zone: IANA name of the time zone.
        currency: Currency unit in Yahoo's spelling. `GBp` is pence and `ZAc` is South African cents.
        market: Yahoo's `market`.
        pre: Start of pre-market trading. It equals `open` if there are no extended hours.
        open: Start of regular trading.
        close: End of regular trading.
        post: End of post-market trading.
        delay_minutes: Minutes by which Yahoo's prices are delayed.
    """

    code: str
    name: str
    zone: str
    currency: str
    market: str
    pre: int
    open: int
    close: int
    post: int
    delay_minutes: int = 15

    @property
    def continuous(self) -> bool:
        """Whether the exchange is open around the clock on every day."""
        return self.close - self.open == 1_440


def _exchange(code: str, name: str, zone: str, currency: str, country: str, hours: tuple[int, int]) -> Exchange:
    return Exchange(code, name, zone, currency, f"{country}_market", hours[0], *hours, hours[1])


NASDAQ = Exchange(
    "NMS", "NasdaqGS", "America/New_York", "USD", "us_market", pre=240, open=570, close=960, post=1_200, delay_minutes=0
)
CRYPTO = Exchange("CCC", "CCC", "UTC", "USD", "ccc_market", pre=0, open=0, close=1_440, post=1_440, delay_minutes=0)
#: Currencies and futures are traded around the clock, except at the weekend. As at Yahoo, their trading day ends one
#: minute before midnight.
FOREX = Exchange(
    "CCY", "CCY", "Europe/London", "USD", "ccy_market", pre=0, open=0, close=1_439, post=1_439, delay_minutes=0
)
FUTURES = Exchange(
    "CME", "CME", "America/New_York", "USD", "us24_market", pre=0, open=0, close=1_439, post=1_439, delay_minutes=10
)
#: Suffix of Yahoo's stock symbols → exchange.
EXCHANGES = {
    "": NASDAQ,
    "L": _exchange("LSE", "LSE", "Europe/London", "GBp", "gb", (480, 990)),
    "DE": _exchange("GER", "XETRA", "Europe/Berlin", "EUR", "de", (540, 1_050)),
    "PA": _exchange("PAR", "Paris", "Europe/Paris", "EUR", "fr", (540, 1_050)),
    "AS": _exchange("AMS", "Amsterdam", "Europe/Amsterdam", "EUR", "nl", (540, 1_050)),
    "MI": _exchange("MIL", "Milan", "Europe/Rome", "EUR", "it", (540, 1_050)),
    "BR": _exchange("BRU", "Brussels", "Europe/Brussels", "EUR", "be", (540, 1_050)),
    "MC": _exchange("MCE", "MCE", "Europe/Madrid", "EUR", "es", (540, 1_050)),
    "HE": _exchange("HEL", "Helsinki", "Europe/Helsinki", "EUR", "fi", (600, 1_110)),
    "OL": _exchange("OSL", "Oslo", "Europe/Oslo", "NOK", "no", (540, 980)),
    "SW": _exchange("EBS", "Swiss", "Europe/Zurich", "CHF", "ch", (540, 1_050)),
    "ST": _exchange("STO", "Stockholm", "Europe/Stockholm", "SEK", "se", (540, 1_050)),
    "CO": _exchange("CPH", "Copenhagen", "Europe/Copenhagen", "DKK", "dk", (540, 1_020)),
    "TO": _exchange("TOR", "Toronto", "America/Toronto", "CAD", "ca", (570, 960)),
    "JO": _exchange("JNB", "Johannesburg", "Africa/Johannesburg", "ZAc", "za", (540, 1_020)),
    "TA": _exchange("TLV", "Tel Aviv", "Asia/Jerusalem", "ILA", "il", (595, 1_045)),
    "SA": _exchange("SAO", "São Paulo", "America/Sao_Paulo", "BRL", "br", (600, 1_020)),
    "T": _exchange("JPX", "Tokyo", "Asia/Tokyo", "JPY", "jp", (540, 930)),
    "HK": _exchange("HKG", "HKSE", "Asia/Hong_Kong", "HKD", "hk", (570, 960)),
    "AX": _exchange("ASX", "ASX", "Australia/Sydney", "AUD", "au", (600, 960)),
    "JK": _exchange("JKT", "Jakarta", "Asia/Jakarta", "IDR", "id", (540, 960)),
    "NS": _exchange("NSI", "NSE", "Asia/Kolkata", "INR", "in", (555, 930)),
    "BO": _exchange("BSE", "BSE", "Asia/Kolkata", "INR", "in", (555, 930)),
    "KS": _exchange("KSC", "KSE", "Asia/Seoul", "KRW", "kr", (540, 930)),
    "SS": _exchange("SHH", "Shanghai", "Asia/Shanghai", "CNY", "cn", (570, 900)),
    "SZ": _exchange("SHZ", "Shenzhen", "Asia/Shanghai", "CNY", "cn", (570, 900)),
    "TW": _exchange("TAI", "Taiwan", "Asia/Taipei", "TWD", "tw", (540, 810)),
}
#: Index outside the US → its exchange, with the currency instead of the currency unit of shares. All other indices are
#: in the US.
INDICES = {
    symbol: replace(EXCHANGES[suffix], currency=currency)
    for symbol, suffix, currency in (
        ("^FTSE", "L", "GBP"),
        ("^GDAXI", "DE", "EUR"),
        ("^FCHI", "PA", "EUR"),
        ("^STOXX50E", "DE", "EUR"),
        ("^SSMI", "SW", "CHF"),
        ("^N225", "T", "JPY"),
        ("^HSI", "HK", "HKD"),
        ("^NSEI", "NS", "INR"),
        ("^BSESN", "BO", "INR"),
        ("^KS11", "KS", "KRW"),
        ("^TWII", "TW", "TWD"),
        ("^AXJO", "AX", "AUD"),
        ("^GSPTSE", "TO", "CAD"),
        ("^BVSP", "SA", "BRL"),
    )
}

#: Coin → CoinGecko id, name, base price in USD. Base prices only set the scale and are not market data.
COINS: dict[str, tuple[str, str, float]] = {
    "BTC": ("bitcoin", "Bitcoin", 97_000),
    "ETH": ("ethereum", "Ethereum", 3_300),
    "USDT": ("tether", "Tether", 1.0004),
    "BNB": ("binancecoin", "BNB", 650),
    "SOL": ("solana", "Solana", 190),
    "USDC": ("usd-coin", "USDC", 0.9999),
    "XRP": ("ripple", "XRP", 2.4),
    "DOGE": ("dogecoin", "Dogecoin", 0.33),
    "ADA": ("cardano", "Cardano", 0.9),
    "TRX": ("tron", "TRON", 0.25),
    "AVAX": ("avalanche-2", "Avalanche", 37),
    "LINK": ("chainlink", "Chainlink", 21),
    "TON": ("the-open-network", "Toncoin", 5.2),
    "SHIB": ("shiba-inu", "Shiba Inu", 0.000021),
    "SUI": ("sui", "Sui", 4.1),
    "DOT": ("polkadot", "Polkadot", 7.1),
    "BCH": ("bitcoin-cash", "Bitcoin Cash", 440),
    "LTC": ("litecoin", "Litecoin", 105),
    "XLM": ("stellar", "Stellar", 0.4),
    "HBAR": ("hedera-hashgraph", "Hedera", 0.28),
    "UNI": ("uniswap", "Uniswap", 13),
    "NEAR": ("near", "NEAR Protocol", 5.1),
    "ATOM": ("cosmos", "Cosmos Hub", 6.8),
    "XMR": ("monero", "Monero", 195),
    "ETC": ("ethereum-classic", "Ethereum Classic", 26),
    "APT": ("aptos", "Aptos", 9.2),
    "ICP": ("internet-computer", "Internet Computer", 10.5),
    "FIL": ("filecoin", "Filecoin", 5.3),
    "ARB": ("arbitrum", "Arbitrum", 0.75),
    "OP": ("optimism", "Optimism", 1.8),
    "AAVE": ("aave", "Aave", 300),
    "ALGO": ("algorand", "Algorand", 0.36),
    "VET": ("vechain", "VeChain", 0.047),
    "MKR": ("maker", "Maker", 1_500),
    "ZEC": ("zcash", "Zcash", 52),
    "POL": ("polygon-ecosystem-token", "POL", 0.48),
}
#: The same for coins that Kraken or CoinGecko list under other names. There are no news items about them.
RENAMED_COINS: dict[str, tuple[str, str, float]] = {
    "LUNA": ("terra-luna-2", "Terra", 0.14),
    "LUNC": ("terra-luna", "Terra Luna Classic", 0.00006),
    "USTC": ("terrausd", "TerraClassicUSD", 0.012),
    "RENDER": ("render-token", "Render", 4.0),
}
LISTED_COINS = {**COINS, **RENAMED_COINS}
COIN_BY_ID = {coin[0]: base for base, coin in LISTED_COINS.items()}
STABLECOINS = frozenset({"USDT", "USDC"})

#: Stock → name, base price in the currency unit of its exchange.
STOCKS: dict[str, tuple[str, float]] = {
    "AAPL": ("Apple Inc.", 245),
    "MSFT": ("Microsoft Corporation", 420),
    "GOOGL": ("Alphabet Inc.", 190),
    "GOOG": ("Alphabet Inc.", 192),
    "AMZN": ("Amazon.com, Inc.", 225),
    "NVDA": ("NVIDIA Corporation", 140),
    "META": ("Meta Platforms, Inc.", 610),
    "TSLA": ("Tesla, Inc.", 390),
    "BRK-B": ("Berkshire Hathaway Inc.", 455),
    "JPM": ("JPMorgan Chase & Co.", 245),
    "V": ("Visa Inc.", 320),
    "NFLX": ("Netflix, Inc.", 910),
    "SPY": ("SPDR S&P 500 ETF", 590),
    "QQQ": ("Invesco QQQ Trust", 520),
    "VOD.L": ("Vodafone Group Public Limited Company", 69),
    "HSBA.L": ("HSBC Holdings plc", 790),
    "OCDO.L": ("Ocado Group plc", 309),
    "SAP.DE": ("SAP SE", 245),
    "7203.T": ("Toyota Motor Corporation", 2_750),
    "^GSPC": ("S&P 500", 5_950),
    "^IXIC": ("NASDAQ Composite", 19_400),
}
#: The same for instruments that news items do not mention.
OTHERS: dict[str, tuple[str, float]] = {
    "^FTSE": ("FTSE 100", 8_600),
    "^GDAXI": ("DAX P", 22_300),
    "^N225": ("Nikkei 225", 39_000),
    "M&M.NS": ("Mahindra & Mahindra Limited", 3_000),
    "VFIAX": ("Vanguard 500 Index Admiral", 550),
    "GC=F": ("Gold", 2_900),
    "CL=F": ("Crude Oil", 72),
    "ES=F": ("E-Mini S&P 500", 6_000),
}
ETFS = frozenset({"SPY", "QQQ", "IWM", "VTI"})


def bench_coins(count: int) -> list[str]:
    """Return the canonical symbols of `count` generated coins (`SIM0001-USD`…), which every crypto upstream lists."""
    return [f"SIM{number:04d}-USD" for number in range(1, count + 1)]


def bench_stocks(count: int) -> list[str]:
    """Return the canonical symbols of `count` generated stocks (`STK0001`…)."""
    return [f"STK{number:04d}" for number in range(1, count + 1)]


#: Number of generated coins in a list of all coins, such as Binance's response to a request without `symbols`.
LISTED_BENCH_COINS = 1_000


def _base(symbol: str) -> str:
    return symbol.lstrip("^").split(".")[0].split("-")[0]


def is_delisted(symbol: str) -> bool:
    """Whether a canonical symbol was formerly listed."""
    return _base(symbol) in DELISTED_BASES


def is_known(symbol: str) -> bool:
    """Whether a canonical symbol (`BTC-USD`, `AAPL`, `VOD.L`, `^GSPC`, `EURUSD=X`, `GC=F`) has a price."""
    if _base(symbol) in UNKNOWN_BASES or is_delisted(symbol):
        return False
    if _CRYPTO.match(symbol):
        return True
    return bool(_STOCK.match(symbol)) and ("." not in symbol or symbol.rsplit(".", 1)[1] in EXCHANGES)


def crypto_base(symbol: str) -> str | None:
    """Return a canonical symbol's coin (`BTC` for `BTC-USD`), or None if it is not the symbol of a coin."""
    match = _CRYPTO.match(symbol)
    return match[1] if match else None


def is_mutual_fund(symbol: str) -> bool:
    """Whether a canonical symbol is that of a mutual fund."""
    return bool(_MUTUAL_FUND.match(symbol))


def exchange_of(symbol: str) -> Exchange:
    """Return the exchange of a known canonical symbol."""
    if _CRYPTO.match(symbol):
        return CRYPTO
    if symbol.endswith("=X"):
        return FOREX
    if symbol.endswith("=F"):
        return FUTURES
    if symbol in INDICES:
        return INDICES[symbol]
    return EXCHANGES[symbol.rsplit(".", 1)[1] if "." in symbol else ""]
