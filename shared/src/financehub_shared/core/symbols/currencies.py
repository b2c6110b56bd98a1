"""Lists the currencies in which prices can be stated, the precious metals, and the coins that stand for a currency."""

from collections.abc import Mapping

#: The active ISO 4217 codes except funds and precious metals, and CNH, the market's code for the offshore renminbi.
_CODES = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNH
    CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR
    ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT
    MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
    SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND
    VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_CODES.split())
#: The currencies in which coins are priced. Some other codes are also the tickers of coins: MNT is Mantle.
_COIN_CODES = """
    AED ARS AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF IDR ILS INR JPY KRW MXN NOK NZD PHP PLN RUB SEK SGD THB TRY TWD
    UAH USD VND ZAR
"""
COIN_CURRENCIES = frozenset(_COIN_CODES.split())
#: Precious metal on the spot market → the future that Yahoo has instead.
METALS: Mapping[str, str] = {"XAU": "GC=F", "XAG": "SI=F", "XPT": "PL=F", "XPD": "PA=F"}
#: Coins in which other coins are priced (`ETH-BTC`).
QUOTE_COINS = frozenset({"BTC", "ETH", "BNB"})
#: Stablecoin → the currency for which it stands in the name of a pair (`BTCUSDT`).
STABLECOINS: Mapping[str, str] = {
    **dict.fromkeys(("USDT", "USDC", "FDUSD", "USDD", "USDP", "PYUSD", "BUSD", "TUSD", "GUSD", "RLUSD"), "USD"),
    **dict.fromkeys(("EURT", "EURC", "EURI", "EURS"), "EUR"),
    "GBPT": "GBP",
    "XSGD": "SGD",
}
