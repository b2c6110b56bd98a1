"""Yahoo's `/v8/finance/chart/{symbol}`: daily bars with metadata, dividends and splits.

As in reality, prices are adjusted for splits, `adjclose` is also adjusted for dividends, and the bar of the current day
carries the time of its last price. Intervals other than one day are rejected.
"""

import math
from datetime import date
from typing import Any

from starlette.responses import Response

from financehub_simulator.call import Call
from financehub_simulator.instruments import Instrument
from financehub_simulator.market import Bar
from financehub_simulator.responses import CompactJsonResponse
from financehub_simulator.sessions import DAY_SECONDS, Session, session_of, trading_day, trading_index
from financehub_simulator.universe import STOCKS, is_delisted
from financehub_simulator.upstreams.yahoo_quote import FIRST_TRADE, wrong_unit

#: Range → calendar days, and trading days for 1d and 5d.
VALID_RANGES = {
    "1d": 1,
    "5d": 5,
    "1mo": 31,
    "3mo": 92,
    "6mo": 183,
    "1y": 366,
    "2y": 731,
    "5y": 1_827,
    "10y": 3_653,
    "ytd": 0,
    "max": 100_000,
}
#: Symbol → day and ratio of its split. These splits are real and within the period of the recorded responses.
_SPLITS = {"AAPL": (18_505, 4), "TSLA": (18_505, 5), "NVDA": (19_884, 10)}
#: Dividends are paid on the first trading day of these months, with the yield below.
_DIVIDEND_MONTHS = frozenset({2, 5, 8, 11})
_DIVIDEND_YIELD = 0.0025
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


def chart_response(call: Call) -> Response:
    """Return the bars of one symbol between `period1` and `period2` (Unix seconds) or for a `range`."""
    (symbol,) = call.symbols
    canonical = call.symbols[symbol]
    today = call.current_day(symbol)
    if canonical is None or is_delisted(canonical) or today is None:
        return _error("Not Found", "No data found, symbol may be delisted", 404)
    if call.parameter("interval", "1d") != "1d":
        return _error("Unprocessable Entity", "The simulator serves the interval 1d only", 422)
    range_ = call.parameter("range")
    if range_ and range_ not in VALID_RANGES:
        return _error(
            "Unprocessable Entity",
            f"Invalid input - range={range_} is not supported. Valid ranges: {list(VALID_RANGES)}",
            422,
        )
    instrument = call.simulator.market.instrument(canonical)
    index = call.simulator.market.current_index(canonical, call.now)
    first, last = _requested_days(call, instrument, index, range_)
    bars = call.history(symbol, first, last)
    result: dict[str, Any] = {"meta": _meta(call, instrument, today, bars, range_)}
    if bars:
        result["timestamp"] = [int(bar.end) if _is_current(bar, instrument) else bar.time for bar in bars]
    events = _events(instrument, bars, call.parameter("events"))
    if events:
        result["events"] = events
    result["indicators"] = _indicators(instrument, bars)
    return CompactJsonResponse({"chart": {"result": [result], "error": None}})


def _error(code: str, description: str, status: int) -> Response:
    return CompactJsonResponse({"chart": {"result": None, "error": {"code": code, "description": description}}}, status)


def _requested_days(call: Call, instrument: Instrument, index: int, range_: str) -> tuple[int, int]:
    """Return the first and last requested trading index."""
    exchange = instrument.exchange
    earliest = trading_index(exchange, FIRST_TRADE // DAY_SECONDS)
    if "period1" in call.request.query_params or "period2" in call.request.query_params:
        start = call.integer_parameter("period1", 0)
        end = call.integer_parameter("period2", int(call.now))
        first = max(trading_index(exchange, start // DAY_SECONDS) - 1, earliest)
        last = min(trading_index(exchange, end // DAY_SECONDS) + 1, index)
        while first <= last and session_of(exchange, trading_day(exchange, first)).open < start:
            first += 1
        while last >= first and session_of(exchange, trading_day(exchange, last)).open >= end:
            last -= 1
        return first, last
    range_ = range_ or "1d"
    if range_ in {"1d", "5d"}:
        return index - VALID_RANGES[range_] + 1, index
    day = trading_day(exchange, index)
    calendar_days = VALID_RANGES[range_] if range_ != "ytd" else int(day % 365.2425)
    return max(trading_index(exchange, day - calendar_days), earliest), index


def _is_current(bar: Bar, instrument: Instrument) -> bool:
    return bar.end < session_of(instrument.exchange, bar.day).close


def _period(name: str, start: int, end: int, hours: Session) -> tuple[str, dict[str, Any]]:
    return name, {"timezone": hours.abbreviation, "start": start, "end": end, "gmtoffset": hours.offset}


def _meta(call: Call, instrument: Instrument, today: Bar, bars: list[Bar], range_: str) -> dict[str, Any]:
    exchange = instrument.exchange
    hours = session_of(exchange, today.day)
    index = call.simulator.market.current_index(instrument.symbol, call.now)
    highest, lowest, *_ = call.simulator.market.close_statistics(instrument.symbol, index)
    fault_names = {fault.spec.name for fault in call.data_faults(instrument.symbol)}
    return {
        "currency": wrong_unit(instrument.currency) if "wrong-unit" in fault_names else instrument.currency,
        "symbol": instrument.symbol,
        "exchangeName": exchange.code,
        "fullExchangeName": exchange.name,
        "instrumentType": instrument.kind,
        "firstTradeDate": FIRST_TRADE,
        "regularMarketTime": int(call.price_time(instrument.symbol, today)),
        "hasPrePostMarketData": exchange.pre != exchange.open,
        "gmtoffset": hours.offset,
        "timezone": hours.abbreviation,
        "exchangeTimezoneName": exchange.zone,
        "regularMarketPrice": None if call.price_is_null(instrument.symbol) else today.close,
        "fiftyTwoWeekHigh": max(highest, today.high),
        "fiftyTwoWeekLow": min(lowest, today.low),
        "regularMarketDayHigh": today.high,
        "regularMarketDayLow": today.low,
        "regularMarketVolume": int(today.volume),
        "longName": instrument.name,
        "shortName": instrument.name[:30],
        "chartPreviousClose": bars[0].previous_close if bars else today.previous_close,
        "priceHint": 2 if instrument.base_price >= 1 else 4,
        "currentTradingPeriod": dict(
            (
                _period("pre", hours.pre, hours.open, hours),
                _period("regular", hours.open, hours.close, hours),
                _period("post", hours.close, hours.post, hours),
            )
        ),
        "dataGranularity": "1d",
        "range": range_,
        "validRanges": list(VALID_RANGES),
    }


def _is_ex_dividend(instrument: Instrument, bar: Bar) -> bool:
    if instrument.kind not in {"EQUITY", "ETF"} or (instrument.random_key[2] % 2 and instrument.symbol not in STOCKS):
        return False
    previous_day = trading_day(instrument.exchange, trading_index(instrument.exchange, bar.day) - 1)
    month = date.fromordinal(_EPOCH_ORDINAL + bar.day).month
    return month in _DIVIDEND_MONTHS and month != date.fromordinal(_EPOCH_ORDINAL + previous_day).month


def _events(instrument: Instrument, bars: list[Bar], requested: str) -> dict[str, Any]:
    events: dict[str, Any] = {}
    if "div" in requested:
        dividends = {
            str(bar.time): {"amount": round(instrument.base_price * _DIVIDEND_YIELD, 4), "date": bar.time}
            for bar in bars
            if _is_ex_dividend(instrument, bar)
        }
        events |= {"dividends": dividends} if dividends else {}
    if "split" in requested and instrument.symbol in _SPLITS:
        day, ratio = _SPLITS[instrument.symbol]
        splits = {
            str(bar.time): {"date": bar.time, "numerator": ratio, "denominator": 1, "splitRatio": f"{ratio}:1"}
            for bar in bars
            if bar.day == day
        }
        events |= {"splits": splits} if splits else {}
    return events


def _indicators(instrument: Instrument, bars: list[Bar]) -> dict[str, Any]:
    if not bars:
        return {"quote": [{}], "adjclose": [{}]}
    factor, adjusted = 1.0, []
    for bar in reversed(bars):
        adjusted.append(bar.close * factor)
        if _is_ex_dividend(instrument, bar) and bar.previous_close > 0 and math.isfinite(bar.previous_close):
            factor *= 1 - instrument.base_price * _DIVIDEND_YIELD / bar.previous_close
    columns = {name: [getattr(bar, name) for bar in bars] for name in ("open", "high", "low", "close")}
    return {
        "quote": [{**columns, "volume": [int(bar.volume) for bar in bars]}],
        "adjclose": [{"adjclose": adjusted[::-1]}],
    }
