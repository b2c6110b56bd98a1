"""`/v8/finance/chart/{symbol}`: daily bars with meta, dividends and splits.

As in reality prices are adjusted for splits, `adjclose` for dividends too, and the running day's bar carries the time
of its last price.
Other intervals than a day are refused.
"""

import math
from datetime import date
from typing import Any

from starlette.responses import Response

from financehub_simulator.core import Call
from financehub_simulator.instruments import Instrument
from financehub_simulator.market import Bar
from financehub_simulator.serving import JsonAnswer
from financehub_simulator.sessions import DAY, Session, session, trading_day, trading_index
from financehub_simulator.universe import STOCKS, is_delisted
from financehub_simulator.upstreams.yahoo_quote import FIRST_TRADE, wrong_unit

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
#: Symbol → day of its split, ratio: real ones of the recorded answers' time.
_SPLITS = {"AAPL": (18_505, 4), "TSLA": (18_505, 5), "NVDA": (19_884, 10)}
#: Dividends are paid on the first trading day of these months; yield of one.
_DIVIDEND_MONTHS = frozenset({2, 5, 8, 11})
_DIVIDEND_YIELD = 0.0025
_EPOCH = date(1970, 1, 1).toordinal()


def chart(call: Call) -> Response:
    """The bars of one symbol between `period1` and `period2` (Unix seconds) or over a `range`."""
    (symbol,) = call.names
    canonical = call.names[symbol]
    today = call.today(symbol)
    if canonical is None or is_delisted(canonical) or today is None:
        return _error("Not Found", "No data found, symbol may be delisted", 404)
    if call.query("interval", "1d") != "1d":
        return _error("Unprocessable Entity", "The simulator serves the interval 1d only", 422)
    span = call.query("range")
    if span and span not in VALID_RANGES:
        return _error(
            "Unprocessable Entity",
            f"Invalid input - range={span} is not supported. Valid ranges: {list(VALID_RANGES)}",
            422,
        )
    instrument = call.sim.market.instrument(canonical)
    index = call.sim.market.index(canonical, call.now)
    first, last = _window(call, instrument, index, span)
    bars = call.history(symbol, first, last)
    result: dict[str, Any] = {"meta": _meta(call, instrument, today, bars, span)}
    if bars:
        result["timestamp"] = [int(bar.end) if _running(bar, instrument) else bar.time for bar in bars]
    events = _events(instrument, bars, call.query("events"))
    if events:
        result["events"] = events
    result["indicators"] = _indicators(instrument, bars)
    return JsonAnswer({"chart": {"result": [result], "error": None}})


def _error(code: str, description: str, status: int) -> Response:
    return JsonAnswer({"chart": {"result": None, "error": {"code": code, "description": description}}}, status)


def _window(call: Call, instrument: Instrument, index: int, span: str) -> tuple[int, int]:
    """First and last trading index that were asked for."""
    exchange = instrument.exchange
    earliest = trading_index(exchange, FIRST_TRADE // DAY)
    if "period1" in call.request.query_params or "period2" in call.request.query_params:
        begin = call.number("period1", 0)
        end = call.number("period2", int(call.now))
        first = max(trading_index(exchange, begin // DAY) - 1, earliest)
        last = min(trading_index(exchange, end // DAY) + 1, index)
        while first <= last and session(exchange, trading_day(exchange, first)).open < begin:
            first += 1
        while last >= first and session(exchange, trading_day(exchange, last)).open >= end:
            last -= 1
        return first, last
    span = span or "1d"
    if span in {"1d", "5d"}:
        return index - VALID_RANGES[span] + 1, index
    day = trading_day(exchange, index)
    back = VALID_RANGES[span] if span != "ytd" else int(day % 365.2425)
    return max(trading_index(exchange, day - back), earliest), index


def _running(bar: Bar, instrument: Instrument) -> bool:
    return bar.end < session(instrument.exchange, bar.day).close


def _period(name: str, start: int, end: int, hours: Session) -> tuple[str, dict[str, Any]]:
    return name, {"timezone": hours.abbreviation, "start": start, "end": end, "gmtoffset": hours.offset}


def _meta(call: Call, instrument: Instrument, today: Bar, bars: list[Bar], span: str) -> dict[str, Any]:
    exchange = instrument.exchange
    hours = session(exchange, today.day)
    index = call.sim.market.index(instrument.symbol, call.now)
    highest, lowest, *_ = call.sim.market.statistics(instrument.symbol, index)
    names = {fault.spec.name for fault in call.data_faults(instrument.symbol)}
    return {
        "currency": wrong_unit(instrument.currency) if "wrong-unit" in names else instrument.currency,
        "symbol": instrument.symbol,
        "exchangeName": exchange.code,
        "fullExchangeName": exchange.name,
        "instrumentType": instrument.kind,
        "firstTradeDate": FIRST_TRADE,
        "regularMarketTime": int(call.moment(instrument.symbol, today)),
        "hasPrePostMarketData": exchange.pre != exchange.open,
        "gmtoffset": hours.offset,
        "timezone": hours.abbreviation,
        "exchangeTimezoneName": exchange.zone,
        "regularMarketPrice": None if call.is_null(instrument.symbol) else today.close,
        "fiftyTwoWeekHigh": max(highest, today.high),
        "fiftyTwoWeekLow": min(lowest, today.low),
        "regularMarketDayHigh": today.high,
        "regularMarketDayLow": today.low,
        "regularMarketVolume": int(today.volume),
        "longName": instrument.name,
        "shortName": instrument.name[:30],
        "chartPreviousClose": bars[0].previous_close if bars else today.previous_close,
        "priceHint": 2 if instrument.base >= 1 else 4,
        "currentTradingPeriod": dict(
            (
                _period("pre", hours.pre, hours.open, hours),
                _period("regular", hours.open, hours.close, hours),
                _period("post", hours.close, hours.post, hours),
            )
        ),
        "dataGranularity": "1d",
        "range": span,
        "validRanges": list(VALID_RANGES),
    }


def _is_ex_dividend(instrument: Instrument, bar: Bar) -> bool:
    if instrument.kind not in {"EQUITY", "ETF"} or (instrument.key[2] % 2 and instrument.symbol not in STOCKS):
        return False
    before = trading_day(instrument.exchange, trading_index(instrument.exchange, bar.day) - 1)
    month = date.fromordinal(_EPOCH + bar.day).month
    return month in _DIVIDEND_MONTHS and month != date.fromordinal(_EPOCH + before).month


def _events(instrument: Instrument, bars: list[Bar], asked: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "div" in asked:
        dividends = {
            str(bar.time): {"amount": round(instrument.base * _DIVIDEND_YIELD, 4), "date": bar.time}
            for bar in bars
            if _is_ex_dividend(instrument, bar)
        }
        found |= {"dividends": dividends} if dividends else {}
    if "split" in asked and instrument.symbol in _SPLITS:
        day, ratio = _SPLITS[instrument.symbol]
        splits = {
            str(bar.time): {"date": bar.time, "numerator": ratio, "denominator": 1, "splitRatio": f"{ratio}:1"}
            for bar in bars
            if bar.day == day
        }
        found |= {"splits": splits} if splits else {}
    return found


def _indicators(instrument: Instrument, bars: list[Bar]) -> dict[str, Any]:
    if not bars:
        return {"quote": [{}], "adjclose": [{}]}
    factor, adjusted = 1.0, []
    for bar in reversed(bars):
        adjusted.append(bar.close * factor)
        if _is_ex_dividend(instrument, bar) and bar.previous_close > 0 and math.isfinite(bar.previous_close):
            factor *= 1 - instrument.base * _DIVIDEND_YIELD / bar.previous_close
    columns = {name: [getattr(bar, name) for bar in bars] for name in ("open", "high", "low", "close")}
    return {
        "quote": [{**columns, "volume": [int(bar.volume) for bar in bars]}],
        "adjclose": [{"adjclose": adjusted[::-1]}],
    }
