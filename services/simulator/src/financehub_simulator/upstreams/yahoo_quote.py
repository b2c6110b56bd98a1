"""Yahoo's `/v7/finance/quote`, with the fields of recorded responses for each kind of instrument.

The 52-week range and the averages are computed from daily closes and the current day.
"""

from typing import Any

from starlette.responses import Response

from financehub_simulator.call import Call
from financehub_simulator.instruments import Instrument
from financehub_simulator.market import Bar
from financehub_simulator.responses import CompactJsonResponse
from financehub_simulator.sessions import market_state, session_of
from financehub_simulator.universe import is_delisted

_TYPE_NAMES = {
    "EQUITY": "Equity",
    "ETF": "ETF",
    "INDEX": "Index",
    "MUTUALFUND": "Fund",
    "FUTURE": "Futures",
    "CURRENCY": "Currency",
    "CRYPTOCURRENCY": "Cryptocurrency",
}
#: Currency unit of prices in hundredths → major currency unit, in which companies report.
_MAJOR_UNITS = {"GBp": "GBP", "ZAc": "ZAR", "ILA": "ILS"}
_FUND_FIELDS = {
    "ytdReturn": 2.2,
    "trailingThreeMonthReturns": 8.1,
    "trailingThreeMonthNavReturns": 8.1,
    "netAssets": 3.2e11,
    "netExpenseRatio": 0.2,
}
#: 2010-01-04, when the simulated stock history starts.
FIRST_TRADE = 1_262_563_200


def quote_response(call: Call, symbols: list[str]) -> Response:
    """Return the quotes of the known symbols. Unknown symbols are left out."""
    result = []
    for symbol in symbols:
        canonical = call.symbols[symbol]
        if canonical is not None and is_delisted(canonical):
            result.append(_delisted(symbol))
            continue
        bar = call.current_day(symbol)
        if bar is not None and canonical is not None:
            result.append(_priced(call, canonical, bar))
    return CompactJsonResponse({"quoteResponse": {"result": result, "error": None}})


def _common(symbol: str, kind: str, confidence: str) -> dict[str, Any]:
    return {
        "language": "en-US",
        "region": "US",
        "quoteType": kind,
        "triggerable": confidence == "HIGH",
        "customPriceAlertConfidence": confidence,
        "corporateActions": [],
        "messageBoardId": f"finmb_{symbol}",
        "esgPopulated": False,
        "tradeable": False,
        "cryptoTradeable": False,
        "hasPrePostMarketData": False,
        "symbol": symbol,
    }


def _delisted(symbol: str) -> dict[str, Any]:
    return _common(symbol, "NONE", "NONE")


def wrong_unit(currency: str) -> str:
    """Return the currency with pence and pounds swapped."""
    swap = {**_MAJOR_UNITS, **{major: minor for minor, major in _MAJOR_UNITS.items()}}
    return swap.get(currency, "GBp")


def _priced(call: Call, symbol: str, bar: Bar) -> dict[str, Any]:
    instrument = call.simulator.market.instrument(symbol)
    exchange = instrument.exchange
    fault_names = {fault.spec.name for fault in call.data_faults(symbol)}
    state = "REGULAR" if call.simulator.always_open else market_state(exchange, call.now)
    price = None if call.price_is_null(symbol) else bar.close
    hours = session_of(exchange, bar.day)
    change = bar.close - bar.previous_close
    has_extended_hours = exchange.pre != exchange.open
    confidence = "HIGH" if exchange.delay_minutes == 0 else "LOW"
    return {
        **_common(symbol, instrument.kind, confidence),
        "typeDisp": _TYPE_NAMES[instrument.kind],
        "quoteSourceName": "Nasdaq Real Time Price" if has_extended_hours else "Delayed Quote",
        "currency": wrong_unit(instrument.currency) if "wrong-unit" in fault_names else instrument.currency,
        "shortName": instrument.name[:30],
        "longName": instrument.name,
        "marketState": state,
        "regularMarketPrice": price,
        "regularMarketChange": change,
        "regularMarketChangePercent": _ratio(change, bar.previous_close) * 100,
        "regularMarketTime": int(call.price_time(symbol, bar)),
        "regularMarketPreviousClose": bar.previous_close,
        "exchange": exchange.code,
        "fullExchangeName": exchange.name,
        "exchangeTimezoneName": exchange.zone,
        "exchangeTimezoneShortName": hours.abbreviation,
        "gmtOffSetMilliseconds": hours.offset * 1_000,
        "market": exchange.market,
        "hasPrePostMarketData": has_extended_hours,
        "firstTradeDateMilliseconds": FIRST_TRADE * 1_000,
        "priceHint": 2 if bar.close >= 1 else 4,
        "sourceInterval": 15,
        "exchangeDataDelayedBy": exchange.delay_minutes,
        **_trading(instrument, bar),
        **_ranges(call, instrument, bar),
        **(_post_market(bar, hours.close) if has_extended_hours and state in {"POST", "CLOSED"} else {}),
        **_by_kind(instrument, bar),
    }


def _trading(instrument: Instrument, bar: Bar) -> dict[str, Any]:
    """Return the day's trading fields. Yahoo reports none of them for mutual funds, and no bid and ask for coins."""
    if instrument.kind == "MUTUALFUND":
        return {}
    day = {
        "regularMarketDayHigh": bar.high,
        "regularMarketDayLow": bar.low,
        "regularMarketDayRange": f"{bar.low} - {bar.high}",
        "regularMarketVolume": int(bar.volume),
        "regularMarketOpen": bar.open,
    }
    if instrument.kind == "CRYPTOCURRENCY":
        return day
    bid, ask = (round(offer, instrument.digits) for offer in (bar.bid, bar.ask))
    return {**day, "bid": bid, "ask": ask, "bidSize": 1, "askSize": 2}


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else 0.0


def _ranges(call: Call, instrument: Instrument, bar: Bar) -> dict[str, Any]:
    index = call.simulator.market.current_index(instrument.symbol, call.now)
    highest, lowest, fifty, two_hundred = (
        round(value, instrument.digits) for value in call.simulator.market.close_statistics(instrument.symbol, index)
    )
    high, low, volume = max(highest, bar.high), min(lowest, bar.low), int(instrument.daily_volume)
    return {
        "fiftyTwoWeekHigh": high,
        "fiftyTwoWeekLow": low,
        "fiftyTwoWeekRange": f"{low} - {high}",
        "fiftyTwoWeekHighChange": bar.close - high,
        "fiftyTwoWeekHighChangePercent": _ratio(bar.close - high, high),
        "fiftyTwoWeekLowChange": bar.close - low,
        "fiftyTwoWeekLowChangePercent": _ratio(bar.close - low, low),
        "fiftyTwoWeekChangePercent": _ratio(bar.close - lowest, lowest) * 100,
        "fiftyDayAverage": fifty,
        "fiftyDayAverageChange": bar.close - fifty,
        "fiftyDayAverageChangePercent": _ratio(bar.close - fifty, fifty),
        "twoHundredDayAverage": two_hundred,
        "twoHundredDayAverageChange": bar.close - two_hundred,
        "twoHundredDayAverageChangePercent": _ratio(bar.close - two_hundred, two_hundred),
        "averageDailyVolume3Month": volume,
        "averageDailyVolume10Day": volume,
    }


def _post_market(bar: Bar, close: int) -> dict[str, Any]:
    return {
        "postMarketTime": close + 14_398,
        "postMarketPrice": bar.close,
        "postMarketChange": 0.0,
        "postMarketChangePercent": 0.0,
    }


def _by_kind(instrument: Instrument, bar: Bar) -> dict[str, Any]:
    match instrument.kind:
        case "CRYPTOCURRENCY":
            return _coin(instrument, bar)
        case "EQUITY":
            return {**_shares(instrument, bar), **_company(bar, instrument.name)}
        case "MUTUALFUND":
            # Yahoo labels some delisted shares as funds and keeps their company fields.
            return {**_shares(instrument, bar), **_company(bar, instrument.name), **_FUND_FIELDS}
        case "ETF":
            return {**_shares(instrument, bar), **_FUND_FIELDS, "dividendYield": 1.3}
        case _:
            return {}


def _coin(instrument: Instrument, bar: Bar) -> dict[str, Any]:
    coin = instrument.symbol.split("-")[0]
    image = "https://s2.coinmarketcap.com/static/img/coins/64x64/1.png"
    traded_value = int(bar.volume * bar.close) if abs(bar.close) < 1e300 else 0
    return {
        "circulatingSupply": 19_000_000,
        "marketCap": int(instrument.base_price * 19_000_000),
        "lastMarket": "CoinMarketCap",
        "volume24Hr": traded_value,
        "volumeAllCurrencies": traded_value,
        "fromCurrency": coin,
        "toCurrency": f"{instrument.currency}=X",
        "coinMarketCapLink": f"https://coinmarketcap.com/currencies/{coin.lower()}",
        "coinImageUrl": image,
        "logoUrl": image,
        "startDate": 1_278_979_200,
    }


def _shares(instrument: Instrument, bar: Bar) -> dict[str, Any]:
    shares = 5_000_000_000
    earnings = instrument.base_price / 25
    return {
        "financialCurrency": _MAJOR_UNITS.get(instrument.currency, instrument.currency),
        "sharesOutstanding": shares,
        "bookValue": instrument.base_price / 4,
        "marketCap": int(instrument.base_price * shares),
        "priceToBook": _ratio(bar.close, instrument.base_price / 4),
        "epsTrailingTwelveMonths": earnings,
        "trailingPE": _ratio(bar.close, earnings),
        "trailingAnnualDividendRate": round(instrument.base_price * 0.01, 2),
        "trailingAnnualDividendYield": 0.01,
    }


def _company(bar: Bar, name: str) -> dict[str, Any]:
    report_time = bar.time - bar.time % (90 * 86_400)
    return {
        "displayName": name.split(",", maxsplit=1)[0].removesuffix(" Inc."),
        "dividendDate": report_time,
        "dividendRate": 1.0,
        "dividendYield": 1.0,
        "earningsTimestamp": report_time,
        "earningsTimestampStart": report_time,
        "earningsTimestampEnd": report_time,
        "earningsCallTimestampStart": report_time,
        "earningsCallTimestampEnd": report_time,
        "isEarningsDateEstimate": False,
        "epsForward": 8.3,
        "epsCurrentYear": 7.3,
        "priceEpsCurrentYear": bar.close / 7.3,
        "forwardPE": bar.close / 8.3,
        "averageAnalystRating": "2.1 - Buy",
    }
